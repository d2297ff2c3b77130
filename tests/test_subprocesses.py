"""Subprocesses return their output or error, and are stopped together with their children."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from ganopt.subprocesses import follow_module, run_module

SLEEPY = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}\\n")
time.sleep(60)
"""


@pytest.fixture
def places(tmp_path) -> dict[str, str]:
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    (tmp_path / "echoing.py").write_text("import sys; print(sys.stdin.read().upper(), end='')")
    (tmp_path / "failing.py").write_text("import sys; sys.exit('ganopt: There is no such thing; name another.')")
    return {"PYTHONPATH": str(tmp_path)}


def lives(process: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def started(path: Path) -> list[int]:
    """The process ids that a sleepy module has written."""
    return [int(number) for number in path.read_text().split()]


def test_the_output_is_returned_and_an_error_is_raised(places, refuses):
    assert run_module(["echoing"], "a b", **places) == "A B"
    with refuses("There is no such thing"):
        run_module(["failing"], **places)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_after_the_time_limit_it_is_killed_with_its_children(places, refuses, tmp_path):
    start = time.monotonic()
    with refuses("took longer than 3 s"):
        run_module(["sleepy", str(tmp_path / "processes")], seconds=3, **places)
    assert time.monotonic() - start < 20
    time.sleep(0.2)
    assert not any(map(lives, started(tmp_path / "processes")))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_when_the_iterator_is_closed_it_is_killed_with_its_children(places, tmp_path):
    path = tmp_path / "processes"
    updates = follow_module(["sleepy", str(path)], **places)
    while not path.exists() or not path.read_text().endswith("\n"):
        assert next(updates) is None
    assert all(map(lives, started(path)))
    updates.close()
    time.sleep(0.2)
    assert not any(map(lives, started(path)))
