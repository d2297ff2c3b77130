"""The queue of runs, also when processes are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
    descriptor = lock_file(tmp_path / "lock")
    assert descriptor is not None and lock_file(tmp_path / "lock") is None and is_locked(tmp_path / "lock")
    os.close(descriptor)
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
