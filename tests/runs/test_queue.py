"""The queue of runs, also when processes are killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganopt.errors import UserError
from ganopt.locks import lock_run
from ganopt.runs import queue
from ganopt.runs.queue import EXIT, LOCK, PROCESS, is_locked, lock_file, runs_ahead

pytest.importorskip("fcntl", reason="needs file locks")


@pytest.fixture
def launch(tmp_path) -> Iterator[Callable[..., subprocess.Popen | None]]:
    """Starts a run with a name and a line of Python as its command; all are killed after the test."""
    started: list[subprocess.Popen] = []

    def start(name: str, code: str) -> subprocess.Popen | None:
        (tmp_path / name).mkdir(exist_ok=True)
        process = queue.launch(tmp_path / name, [sys.executable, "-c", code])
        if process is not None:
            started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most two minutes."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def until_file(path: Path) -> str:
    until(lambda: path.exists() and path.read_text() != "")
    return path.read_text()


def work(path: Path, seconds: float = 60) -> str:
    """Code that writes its process id into a file, and then sleeps."""
    return f"import os, time, pathlib; pathlib.Path({str(path)!r}).write_text(str(os.getpid())); time.sleep({seconds})"


def test_a_lock_has_one_holder_and_is_released_by_it(tmp_path):
    assert not is_locked(tmp_path / "lock")
    lock = lock_file(tmp_path / "lock")
    assert lock is not None and lock_file(tmp_path / "lock") is None and is_locked(tmp_path / "lock")
    lock.close()
    assert not is_locked(tmp_path / "lock")


def test_a_run_writes_its_exit_status(launch, tmp_path):
    assert launch("first", "raise SystemExit(7)").wait() == 7
    assert (tmp_path / "first" / EXIT).read_text() == "7" and not is_locked(tmp_path / "first" / LOCK)
    assert not list((tmp_path / ".queue").glob("*-first"))


def test_the_second_waits_for_the_first_and_the_third_for_the_second(launch, tmp_path):
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    second = launch("second", work(tmp_path / "b", 0))
    until(lambda: runs_ahead(tmp_path / "second"))
    third = launch("third", f"import pathlib; assert pathlib.Path({str(tmp_path / 'b')!r}).exists()")
    until(lambda: runs_ahead(tmp_path / "third"))
    assert not runs_ahead(tmp_path / "first") and not (tmp_path / "b").exists()
    os.kill(int((tmp_path / "a").read_text()), signal.SIGKILL)
    assert second.wait() == 0 and third.wait() == 0


def test_a_folder_has_only_one_process(launch, tmp_path):
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    assert launch("first", work(tmp_path / "b", 0)) is None
    assert not (tmp_path / "b").exists() and is_locked(tmp_path / "first" / LOCK)


def test_a_run_that_is_stopped_while_waiting_does_not_start(launch, tmp_path):
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    second = launch("second", work(tmp_path / "b", 0))
    until(lambda: runs_ahead(tmp_path / "second"))
    second.terminate()
    assert second.wait() == 130 and (tmp_path / "second" / EXIT).read_text() == "130"
    assert not (tmp_path / "b").exists()


def test_a_killed_command_leaves_the_queue(launch, tmp_path):
    first = launch("first", work(tmp_path / "a"))
    process = int(until_file(tmp_path / "a"))
    second = launch("second", work(tmp_path / "b", 0))
    os.kill(process, signal.SIGKILL)
    assert first.wait() != 0 and second.wait() == 0
    assert (tmp_path / "first" / EXIT).read_text() == str(-signal.SIGKILL)


def test_the_stop_signal_goes_to_the_command_itself(launch, tmp_path):
    first = launch("first", work(tmp_path / "a"))
    process = until_file(tmp_path / "a")
    until(lambda: (tmp_path / "first" / PROCESS).read_text() == process)
    os.kill(int(process), signal.SIGTERM)
    assert first.wait() != 0


def test_a_command_stays_in_the_queue_when_its_parent_is_killed(launch, tmp_path):
    first = launch("first", work(tmp_path / "a"))
    process = int(until_file(tmp_path / "a"))
    first.kill()
    first.wait()
    second = launch("second", work(tmp_path / "b", 0))
    until(lambda: runs_ahead(tmp_path / "second"))
    assert is_locked(tmp_path / "first" / LOCK)
    os.kill(process, signal.SIGKILL)
    assert second.wait() == launch("third", "").wait() == 0
    assert [path.name for path in (tmp_path / ".queue").iterdir()] == ["guard"]


def test_the_order_is_that_of_the_launches_also_if_the_clock_is_set_back(launch, tmp_path, monkeypatch):
    later = time.time_ns() + 10**15
    (tmp_path / ".queue").mkdir()
    with queue.ticket_for(tmp_path / "old") as (ticket, _):  # of an earlier version, in nanoseconds
        ticket = ticket.rename(ticket.with_name(f"{later}-old"))
        monkeypatch.setattr(time, "time_ns", lambda: 5)
        with queue.ticket_for(tmp_path / "first") as (first, _), queue.ticket_for(tmp_path / "second") as (second, _):
            assert [queue.tickets_ahead(each) for each in (ticket, first, second)] == [0, 1, 2]
            assert [runs_ahead(tmp_path / name) for name in ("old", "first", "second")] == [0, 1, 2]
        (tmp_path / ".queue" / "notes.txt").touch()  # not of ours
        for number in range(1, 13):
            with queue.ticket_for(tmp_path / str(number)) as (other, _):
                assert queue.tickets_ahead(other) == 1
        ticket.unlink()
    with contextlib.ExitStack() as stack:  # more than nine, whose names are not in the order of their numbers
        tickets = [stack.enter_context(queue.ticket_for(tmp_path / str(number)))[0] for number in range(12)]
        assert [queue.tickets_ahead(each) for each in tickets] == list(range(12))


def test_a_command_holds_the_lock_of_its_run(launch, tmp_path):
    code = "import sys; from pathlib import Path; from ganopt.locks import lock_run; "
    inside = f"with lock_run(Path({str(tmp_path / 'first')!r})): Path({str(tmp_path / 'held')!r}).touch()"
    assert launch("first", code + f"\n{inside}").wait() == 0 and (tmp_path / "held").exists()
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    with pytest.raises(UserError, match="already training or waiting"):
        lock_run(tmp_path / "first")
    assert launch("second", "") is not None  # waits; its lock is not that of the first
    with pytest.raises(UserError, match="already training or waiting"):
        lock_run(tmp_path / "second")
