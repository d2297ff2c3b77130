"""Runs take turns, whatever becomes of the processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganopt.runs import queue
from ganopt.runs.queue import EXIT, LOCK, PROCESS, before, is_taken, take

pytest.importorskip("fcntl", reason="locks of files are not told of here")


@pytest.fixture
def launch(tmp_path) -> Iterator[Callable[..., subprocess.Popen | None]]:
    """Starts a run of a name, whose command is a line of Python; all are killed at the end."""
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
    """Wait for what must come, for half a minute."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def until_file(path: Path) -> str:
    until(lambda: path.exists() and path.read_text() != "")
    return path.read_text()


def work(path: Path, seconds: float = 60) -> str:
    """Code that says in a file which process it is, and takes a while."""
    return f"import os, time, pathlib; pathlib.Path({str(path)!r}).write_text(str(os.getpid())); time.sleep({seconds})"


def test_a_lock_has_one_holder_and_ends_with_it(tmp_path):
    assert not is_taken(tmp_path / "lock")
    descriptor = take(tmp_path / "lock")
    assert descriptor is not None and take(tmp_path / "lock") is None and is_taken(tmp_path / "lock")
    os.close(descriptor)
    assert not is_taken(tmp_path / "lock")


def test_a_run_leaves_what_it_ended_with(launch, tmp_path):
    assert launch("first", "raise SystemExit(7)").wait() == 7
    assert (tmp_path / "first" / EXIT).read_text() == "7" and not is_taken(tmp_path / "first" / LOCK)
    assert not list((tmp_path / ".queue").glob("*-first"))


def test_the_second_waits_for_the_first_and_the_third_for_the_second(launch, tmp_path):
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    second = launch("second", work(tmp_path / "b", 0))
    until(lambda: before(tmp_path / "second"))
    third = launch("third", f"import pathlib; assert pathlib.Path({str(tmp_path / 'b')!r}).exists()")
    until(lambda: before(tmp_path / "third"))
    assert not before(tmp_path / "first") and not (tmp_path / "b").exists()
    os.kill(int((tmp_path / "a").read_text()), signal.SIGKILL)
    assert second.wait() == 0 and third.wait() == 0


def test_one_folder_has_one_process(launch, tmp_path):
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    assert launch("first", work(tmp_path / "b", 0)) is None
    assert not (tmp_path / "b").exists() and is_taken(tmp_path / "first" / LOCK)


def test_stopping_one_that_waits_starts_nothing(launch, tmp_path):
    launch("first", work(tmp_path / "a"))
    until_file(tmp_path / "a")
    second = launch("second", work(tmp_path / "b", 0))
    until(lambda: before(tmp_path / "second"))
    second.terminate()
    assert second.wait() == 130 and (tmp_path / "second" / EXIT).read_text() == "130"
    assert not (tmp_path / "b").exists()


def test_a_command_that_is_killed_frees_the_turn(launch, tmp_path):
    first = launch("first", work(tmp_path / "a"))
    process = int(until_file(tmp_path / "a"))
    second = launch("second", work(tmp_path / "b", 0))
    os.kill(process, signal.SIGKILL)
    assert first.wait() != 0 and second.wait() == 0
    assert (tmp_path / "first" / EXIT).read_text() == str(-signal.SIGKILL)


def test_who_is_asked_to_stop_is_the_command_itself(launch, tmp_path):
    first = launch("first", work(tmp_path / "a"))
    process = until_file(tmp_path / "a")
    until(lambda: (tmp_path / "first" / PROCESS).read_text() == process)
    os.kill(int(process), signal.SIGTERM)
    assert first.wait() != 0


def test_a_command_whose_waiter_is_killed_keeps_its_turn(launch, tmp_path):
    first = launch("first", work(tmp_path / "a"))
    process = int(until_file(tmp_path / "a"))
    first.kill()
    first.wait()
    second = launch("second", work(tmp_path / "b", 0))
    until(lambda: before(tmp_path / "second"))
    assert is_taken(tmp_path / "first" / LOCK)
    os.kill(process, signal.SIGKILL)
    assert second.wait() == launch("third", "").wait() == 0
    assert [path.name for path in (tmp_path / ".queue").iterdir()] == ["guard"]
