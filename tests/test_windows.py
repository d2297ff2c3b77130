"""What can be told of Windows elsewhere: no module needs one that only POSIX has, and runs need no handed lock.

`WITHOUT` takes from this package what Windows lacks, and gives it a stand-in for `msvcrt`. The system below stays as it
is: open files can be moved, and a path has no drive.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "ganopt").rglob("*.py"))
WITHOUT = """
import builtins, fcntl, types

def locking(descriptor, mode, count):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(13, "Permission denied") from error

ABSENT = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
MSVCRT = types.SimpleNamespace(LK_NBLCK=2, locking=locking)
plain = builtins.__import__

def imported(name, globals=None, *more, **others):
    if (globals or {}).get("__name__", "").partition(".")[0] == "ganopt":
        if name in ABSENT:
            raise ImportError(name)
        if name == "msvcrt":
            return MSVCRT
    return plain(name, globals, *more, **others)

builtins.__import__ = imported
"""
IMPORT_ALL = """
import importlib, os, signal, sys
import gradio, pandas, torch  # they have their own ways
for name in ("fork", "getuid", "killpg", "nice", "setsid"):
    delattr(os, name)
for name in ("SIGALRM", "SIGKILL", "alarm"):
    delattr(signal, name)
for name in sys.argv[1:]:
    importlib.import_module(name)
from ganopt import locks
assert locks.fcntl is None
"""
RUNS = """
import os, sys, time
from pathlib import Path
from ganopt.locks import LOCK, STOP, fcntl, is_locked
from ganopt.runs import manager
from ganopt.runs.status import read
from ganopt.training import methods
from ganopt.training.run_folder import read_counters
from ganopt.training.run_metrics import METRICS

def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

assert fcntl is None
runs, pictures = Path("runs").absolute(), str(Path("pictures").absolute())
tiny = {"generator": "big/32@32", "critic": "plain-critic/32", "batch": 8, "device": "cpu"}
recipe = methods.recipe("r1", data=pictures, steps=1_000_000, save_every=1_000_000, **tiny)
try:
    first = manager.start(runs, "first", recipe)
    assert is_locked(first / LOCK) and read(first).status == "training"
    second = manager.start(runs, "second", recipe)
    until(lambda: (first / METRICS).exists())
    assert read(second).status == "waiting"
    for refused in (lambda: manager.resume(runs, "first"), lambda: manager.delete(runs, "first")):
        try:
            refused()
        except ValueError as error:
            print(error)
    manager.stop(runs, "first")
    until(lambda: read(first).status == "stopped")
    print(read_counters(first)["step"] > 0)
    until(lambda: (second / METRICS).exists())
    manager.resume(runs, "first")
    until(lambda: read(first).status == "waiting")
    manager.stop(runs, "first")
    until(lambda: read(first).status == "stopped")
    os.kill(int((second / "process").read_text()), 9)
    until(lambda: read(second).status == "failed")
    manager.rename(runs, "second", "third")
    manager.delete(runs, "third")
    assert sorted(path.name for path in runs.iterdir()) == [".queue", "first"] and not (first / STOP).exists(), first
finally:
    for path in runs.glob("*/process"):
        while is_locked(path.with_name(LOCK)):
            try:
                os.kill(int(path.read_text()), 9)
            except ProcessLookupError:
                pass
            time.sleep(0.1)
"""
ORPHAN = """
import os, subprocess, sys, time
from pathlib import Path
from ganopt import locks
folder = Path("orphaned")
folder.mkdir()
(folder / locks.LOCK).touch()
holder = locks.lock_file(folder / locks.LOCK)
os.environ[locks.INHERITED] = locks.BY_PARENT
with locks.lock_run(folder):
    holder.close()  # as when the process that holds it is killed
    end = time.monotonic() + 60
    while not locks.is_locked(folder / locks.LOCK):
        assert time.monotonic() < end
"""


def run(code: str, folder: Path, *words: str) -> str:
    """The output of Python code in a process, and in those that it starts, without what Windows lacks."""
    (folder / "sitecustomize.py").write_text(WITHOUT)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_is_imported_without_those_of_posix(tmp_path):
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES]
    run(IMPORT_ALL, tmp_path, *[name for name in names if not name.endswith("__main__")])


def test_runs_take_turns_stop_and_go_on_where_no_lock_is_handed_over(tmp_path, draw_faces):
    draw_faces(tmp_path / "pictures", 20, (32, 32))
    printed = run(RUNS, tmp_path).splitlines()
    assert printed == [
        "'first' is already training or waiting; stop it first.",
        "'first' is training or waiting; stop it first.",
        "True",
    ]


def test_a_run_takes_its_lock_when_the_process_that_holds_it_is_gone(tmp_path):
    run(ORPHAN, tmp_path)
