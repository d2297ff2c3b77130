"""The runs in a folder: start, list, follow, stop, resume, rename and delete them. Each is a process of its own.

A run survives whoever started it. What is known of it is read from its folder, so any number of pages agree.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganopt.errors import UserError
from ganopt.files import write_error
from ganopt.options import SCRATCH_RECIPES
from ganopt.recipes import Recipe
from ganopt.training import read_counters
from ganopt.turns import EXIT, LOCK, LOG, PROCESS, is_taken, launch, waits

Status = Literal["waiting", "training", "finished", "stopped", "died"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,59}")
TAIL = 2000  # bytes of a log that are shown
STATUSES = {0: "finished", 130: "stopped", -signal.SIGTERM: "stopped"}  # by what a run's process ended with


@dataclass(frozen=True)
class Run:
    """A run as its folder tells of it."""

    name: str
    folder: Path
    status: Status
    step: int  # of the last save, as the two below; 0 before the first
    images: int
    minutes: float  # of training


def start(runs: Path, name: str, recipe: Recipe) -> Path:
    """Start a run in a new folder, or let it wait for its turn, and return the folder.

    Raises UserError for a name that is taken or is none, and where the folder cannot be written.
    """
    folder = _folder(runs, name)
    if folder.exists():
        raise UserError(f"There is a run '{name}' already; choose another name.")
    _launch(folder, command(recipe, folder))
    return folder


def resume(runs: Path, name: str, minutes: float) -> None:
    """Go on with a run to a budget of minutes in all. Raises UserError for one that is at work or has saved nothing."""
    folder = _resting(runs, name)
    read_counters(folder)
    _launch(folder, [*_ganopt(), "train", "--resume", str(folder), "--minutes", f"{minutes:g}"])


def stop(runs: Path, name: str) -> None:
    """Ask a run to save and end, or no longer to wait. Raises UserError for one that does neither."""
    folder = _there(runs, name)
    if not is_taken(folder / LOCK):
        raise UserError(f"'{name}' is not at work; there is nothing to stop.")
    with contextlib.suppress(OSError, ValueError):  # it ended in between
        os.kill(int((folder / PROCESS).read_text()), signal.SIGTERM)


def rename(runs: Path, name: str, new: str) -> None:
    """Give a run another name. Raises UserError for one that is at work, and for a name that is taken or is none."""
    folder, target = _resting(runs, name), _folder(runs, new)
    if target.exists():
        raise UserError(f"There is a run '{new}' already; choose another name.")
    try:
        folder.rename(target)
    except OSError as error:
        raise write_error(target, error) from error


def delete(runs: Path, name: str) -> None:
    """Remove a run and all that it has saved. Raises UserError for one that is at work."""
    try:
        shutil.rmtree(_resting(runs, name))
    except OSError as error:
        raise write_error(runs / name, error) from error


def find(runs: Path) -> list[Run]:
    """The runs in a folder, those at work first, then those that wait, then the latest first."""
    folders = [path for path in runs.iterdir() if (path / LOCK).exists()] if runs.is_dir() else []
    order = ["training", "waiting"]
    latest = sorted(folders, key=lambda folder: (folder / LOCK).stat().st_mtime, reverse=True)
    return sorted(map(read, latest), key=lambda run: order.index(run.status) if run.status in order else len(order))


def read(folder: Path) -> Run:
    """What is known of the run in a folder."""
    counters: dict[str, Any] = {"step": 0, "images": 0, "seconds": 0.0}
    with contextlib.suppress(UserError):  # nothing saved yet
        counters |= read_counters(folder)
    return Run(folder.name, folder, _status(folder), counters["step"], counters["images"], counters["seconds"] / 60)


def log(folder: Path) -> str:
    """The end of what a run has printed."""
    with contextlib.suppress(OSError), open(folder / LOG, "rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
        return file.read().decode(errors="replace").replace("\r", "\n")
    return ""


def follow(folder: Path, start: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The steps that a run has logged behind a place in its file, and the place behind them, to go on from.

    A line that is being written counts next time. A place beyond the end, of a run that was cut, begins anew.
    """
    with contextlib.suppress(OSError), open(folder / "metrics.jsonl", "rb") as file:
        if start > file.seek(0, os.SEEK_END):
            start = 0
        file.seek(start)
        whole = file.read().rpartition(b"\n")
        return [json.loads(line) for line in whole[0].splitlines()], start + len(whole[0]) + len(whole[1])
    return [], 0


def command(recipe: Recipe, folder: Path) -> list[str]:
    """The command that trains a recipe in a folder, with the settings that are not its defaults."""
    from_scratch = recipe.name in SCRATCH_RECIPES
    words = [*_ganopt(), *(["train", "--recipe", recipe.name] if from_scratch else [recipe.name])]
    for field in dataclasses.fields(recipe):
        value, option = getattr(recipe, field.name), f"--{field.name.replace('_', '-')}"
        if value == field.default:
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        else:
            words += [option, ",".join(value) if isinstance(value, tuple) else str(value)]
    return [*words, "--out", str(folder)]


def _status(folder: Path) -> Status:
    if is_taken(folder / LOCK):
        return "waiting" if waits(folder) else "training"
    try:
        return STATUSES.get(int((folder / EXIT).read_text()), "died")
    except (OSError, ValueError):
        return "died"


def _launch(folder: Path, words: list[str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        process = launch(folder, words)
    except OSError as error:
        raise write_error(folder, error) from error
    if process is None:  # another page was quicker
        raise UserError(f"'{folder.name}' is at work already; stop it first.")
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay in the system's table when it ends


def _ganopt() -> list[str]:
    return [sys.executable, "-m", "ganopt"]


def _resting(runs: Path, name: str) -> Path:
    folder = _there(runs, name)
    if is_taken(folder / LOCK):
        raise UserError(f"'{name}' is at work; stop it first.")
    return folder


def _there(runs: Path, name: str) -> Path:
    folder = _folder(runs, name)
    if not (folder / LOCK).exists():
        raise UserError(f"There is no run '{name}'; choose another.")
    return folder


def _folder(runs: Path, name: str) -> Path:
    """Where a run of that name is; no name leads out of the folder."""
    if not NAME.fullmatch(name):
        raise UserError("A run's name takes up to 60 letters, digits, spaces, - and _; choose another one.")
    return runs / name
