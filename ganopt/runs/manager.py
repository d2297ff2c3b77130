"""The runs in a folder: start, find, stop, resume, rename and delete them. Each is a process of its own.

A run survives whoever started it. What is known of it is read from its folder, so any number of pages agree.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganopt.data import synthetic
from ganopt.data.image_folder import MINIMUM
from ganopt.errors import UserError
from ganopt.files import write_error
from ganopt.models.zoo import RUN, RUN_NAME
from ganopt.runs.queue import EXIT, LOCK, LOG, PAUSE, PROCESS, before, is_taken, launch, take
from ganopt.subprocesses import ONE_THREAD, run_module
from ganopt.training.methods import resolved
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import read_counters, read_recipe, write_recipe

Status = Literal["waiting", "training", "finished", "stopped", "died"]
AT_WORK: tuple[Status, ...] = ("training", "waiting")
# by what a run's process ended with
STATUSES: dict[int, Status] = {0: "finished", 130: "stopped", -signal.SIGTERM: "stopped"}
PICTURES, CACHE = "uploaded pictures", "cache"  # in the folder of a run that has its own


@dataclass(frozen=True)
class Run:
    """A run as its folder tells of it."""

    name: str
    folder: Path
    status: Status
    step: int  # of the last save, as the two below; 0 before the first
    images: int
    minutes: float  # of training


def start(runs: Path, name: str, recipe: Recipe, files: Sequence[Path] = ()) -> Path:
    """Start a run in a new folder, or let it wait for its turn, and return the folder.

    `files`, pictures or a zip file of them, are copied there and trained on. Raises UserError, and leaves nothing, for
    a name that is taken or is none, for pictures that cannot be trained on, and where the folder cannot be written.
    """
    flip = recipe.flip  # perhaps left open, which is decided when the pictures are there
    folder, recipe = _folder(runs, name), resolved(recipe)
    try:
        folder.mkdir(parents=True)
        (folder / LOCK).touch()  # whatever happens now, it is a run, which can be deleted
    except FileExistsError:
        raise _taken(name) from None
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        if files:
            recipe = dataclasses.replace(recipe, data=str(folder / PICTURES))
        _check_pictures(recipe, folder, files)
        write_recipe(folder, resolved(dataclasses.replace(recipe, flip=flip)))
        _launch(folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, UserError):
            raise UserError(str(error).replace(str(folder / PICTURES), "What was uploaded")) from error
        raise
    return folder


def free_name(runs: Path, stem: str) -> str:
    """A name that no run has yet: the stem and a number."""
    return next(name for number in itertools.count(1) if not (runs / (name := f"{stem}-{number}")).exists())


def resume(runs: Path, name: str, minutes: float | None = None) -> None:
    """Go on with a run to its budget, or to one of some minutes in all; from its beginning if it has saved nothing.

    Raises UserError for one that is at work.
    """
    folder = _there(runs, name)
    read_recipe(folder)
    _launch(folder, *([] if minutes is None else ["--minutes", f"{minutes:g}"]))


def stop(runs: Path, name: str) -> None:
    """Ask a run to save and end, or no longer to wait. Raises UserError for one that does neither."""
    folder = _there(runs, name)
    if not is_taken(folder / LOCK):
        raise UserError(f"'{name}' is not at work; there is nothing to stop.")
    while is_taken(folder / LOCK):
        with contextlib.suppress(OSError, ValueError):  # it has just begun, and not said yet who it is
            os.kill(int((folder / PROCESS).read_text()), signal.SIGTERM)
            return
        time.sleep(PAUSE)


def rename(runs: Path, name: str, new: str) -> None:
    """Give a run another name. Raises UserError for one that is at work, and for a name that is taken or is none."""
    target = _folder(runs, new)
    if target.exists():
        raise _taken(new)
    with _resting(runs, name) as folder:
        folder.rename(target)
        recipe = read_recipe(target)
        if recipe.data == str(folder / PICTURES):
            write_recipe(target, dataclasses.replace(recipe, data=str(target / PICTURES)))


def delete(runs: Path, name: str) -> None:
    """Remove a run and all that it has saved. Raises UserError for one that is at work."""
    with _resting(runs, name) as folder:
        shutil.rmtree(folder)


def forget(runs: Path, keep: int) -> None:
    """Delete runs that rest, the oldest first, until no more than `keep` are left."""
    for run in find(runs)[keep:]:
        with contextlib.suppress(UserError):  # it went on, or another page was quicker
            delete(runs, run.name)


def find(runs: Path) -> list[Run]:
    """The runs in a folder, those at work first, then those that wait, then the latest first."""
    found = []
    for folder in runs.iterdir() if runs.is_dir() else ():
        with contextlib.suppress(OSError):  # no run, another user's, or deleted by now
            found.append(((folder / LOCK).stat().st_mtime, read(folder)))
    places = {status: place for place, status in enumerate(AT_WORK)}
    found.sort(key=lambda pair: (places.get(pair[1].status, len(places)), -pair[0]))
    return [run for _, run in found]


def read(folder: Path) -> Run:
    """What is known of the run in a folder."""
    counters: dict[str, Any] = {"step": 0, "images": 0, "seconds": 0.0}
    with contextlib.suppress(UserError):  # nothing saved yet
        counters |= read_counters(folder)
    return Run(folder.name, folder, _status(folder), counters["step"], counters["images"], counters["seconds"] / 60)


def _status(folder: Path) -> Status:
    if is_taken(folder / LOCK):
        return "waiting" if before(folder) else "training"
    try:
        return STATUSES.get(int((folder / EXIT).read_text()), "died")
    except (OSError, ValueError):
        return "died"


def _check_pictures(recipe: Recipe, folder: Path, files: Sequence[Path]) -> None:
    """Read the pictures of a run, those that were uploaded for it if there are any, which keeps them ready for it.

    That is done in a process of its own. Raises UserError where they cannot be trained on.
    """
    if not files and (not recipe.needs_pictures or recipe.data.startswith(synthetic.PREFIX)):
        return
    if not recipe.data:
        raise UserError("The run needs pictures; choose some, or upload your own.")
    wanted = [Path(recipe.data).absolute(), recipe.side, recipe.classes, max(MINIMUM, recipe.batch)]
    words, task = list(map(str, wanted)), "Reading the pictures"
    if not files:
        run_module(["ganopt.data.image_folder", *words], task=task)
        return
    environment = {"GANOPT_CACHE": str(folder / CACHE)} | ONE_THREAD
    given = json.dumps([str(file) for file in files])
    if left_out := run_module(["ganopt.data.uploads", *words], given, task, **environment):
        (folder / LOG).write_text(left_out)


def _surroundings(folder: Path) -> dict[str, str]:
    """Of a run that was given its pictures: what is made of them stays in its folder, too, and goes with it."""
    return {"GANOPT_CACHE": str(folder / CACHE)} if (folder / PICTURES).exists() else {}


def _launch(folder: Path, *options: str) -> None:
    """Let a run go on from what its folder holds."""
    command = [sys.executable, "-m", "ganopt", "train", "--resume", str(folder), *options]
    try:
        process = launch(folder, command, **_surroundings(folder))
    except OSError as error:
        raise write_error(folder, error) from error
    if process is None:
        raise UserError(f"'{folder.name}' is at work already; stop it first.")
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay in the system's table when it ends


def _origins(folder: Path) -> list[str]:
    """The models that a run starts from or learns from."""
    try:
        recipe = read_recipe(folder)
    except UserError:  # it will not go on
        return []
    return [getattr(recipe, name) for name in ("source", "teacher") if hasattr(recipe, name)]


@contextlib.contextmanager
def _resting(runs: Path, name: str) -> Iterator[Path]:
    """The folder of a run that cannot begin to work meanwhile. Raises UserError if it does, cannot be
    changed, or if another run needs it."""
    folder = _there(runs, name)
    if users := [run.name for run in find(runs) if f"{RUN}{name}" in _origins(run.folder)]:
        raise UserError(f"'{users[0]}' needs the model of '{name}' to go on; delete that first.")
    try:
        lock = take(folder / LOCK)
        if lock is None:
            raise UserError(f"'{name}' is at work; stop it first.")
        try:
            yield folder
        finally:
            os.close(lock)
    except OSError as error:
        raise write_error(folder, error) from error


def _there(runs: Path, name: str) -> Path:
    folder = _folder(runs, name)
    if not (folder / LOCK).exists():
        raise UserError(f"There is no run '{name}'; choose another.")
    return folder


def _folder(runs: Path, name: str) -> Path:
    """Where a run of that name is; no name leads out of the folder."""
    if not RUN_NAME.fullmatch(name):
        raise UserError("A run's name takes up to 60 letters, digits, spaces, - and _; choose another one.")
    return runs / name


def _taken(name: str) -> UserError:
    return UserError(f"There is a run '{name}' already; choose another name.")
