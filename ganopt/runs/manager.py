"""The runs in a folder: start, stop, resume, rename and delete them. Each is a process of its own.

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
from pathlib import Path

from ganopt.data import synthetic
from ganopt.data.image_folder import MINIMUM
from ganopt.errors import UserError
from ganopt.files import write_error
from ganopt.models.zoo import RUN, RUN_NAME
from ganopt.runs.queue import LOCK, LOG, PAUSE, PROCESS, is_taken, launch, take
from ganopt.runs.status import find
from ganopt.subprocesses import ONE_THREAD, run_module
from ganopt.training.methods import resolved
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import STATE, read_counters, read_recipe, write_recipe

PICTURES, CACHE = "uploaded pictures", "cache"  # in the folder of a run that has its own
VISITOR = "visitor"  # in the folder of a run that a visitor of a public page has started
PATIENCE = 10.0  # seconds for a run that begins to say which process it is
READING = 1800.0  # seconds that reading the pictures of a run may take


def start(
    runs: Path, name: str | None, recipe: Recipe, files: Sequence[Path] = (), visitors: int | None = None
) -> Path:
    """Start a run in a new folder, or let it wait for its turn, and return the folder, named after the recipe for None.

    `files`, pictures or a zip file of them, are copied there and trained on. `visitors` is given for one of a public
    page's visitors: how many runs may be at work. Raises UserError, and leaves nothing, for a name that is taken or is
    none, for pictures that cannot be trained on, and where there is no room or the folder cannot be written.
    """
    flip = recipe.flip  # perhaps left open, which is decided when the pictures are there
    recipe = resolved(recipe)
    with new_folder(runs, recipe.name, name) as folder:
        try:
            (folder / LOCK).touch()  # whatever happens now, it is a run, which can be deleted
            if visitors is not None:
                (folder / VISITOR).touch()
        except OSError as error:
            raise write_error(folder, error) from error
        try:
            if files:
                recipe = dataclasses.replace(recipe, data=str(folder / PICTURES))
            _check_pictures(recipe, folder, files)
            recipe = resolved(dataclasses.replace(recipe, flip=flip))
        except UserError as error:
            raise UserError(str(error).replace(str(folder / PICTURES), "What was uploaded")) from error
        write_recipe(folder, recipe)
        _launch(folder, visitors)
    return folder


@contextlib.contextmanager
def new_folder(runs: Path, stem: str, name: str | None = None) -> Iterator[Path]:
    """A new folder for a run, of a name or of a stem and the first number that is free; removed if the block fails.

    So is the folder of runs, if it is new. Of any number that ask at the same moment, each gets its own. Raises
    UserError for a name that is taken or is none, and where the folder cannot be made.
    """
    names = (f"{stem}-{number}" for number in itertools.count(1)) if name is None else [name]
    first = not runs.exists()
    folder = next(filter(_is_made, (_folder(runs, each) for each in names)), None)
    if folder is None:
        raise _taken(str(name))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if first:
            with contextlib.suppress(OSError):  # it is another run's by now
                runs.rmdir()
        raise


def _is_made(folder: Path) -> bool:
    """Make a folder; False where there is one already."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise write_error(folder, error) from error
    return True


def resume(runs: Path, name: str, minutes: float | None = None, visitors: int | None = None) -> None:
    """Go on with a run to its budget, or to one of some minutes in all; from its beginning if it has saved nothing.

    Raises UserError for one that is at work, and where there is no room, as `start` does.
    """
    folder = _there(runs, name)
    read_recipe(folder)
    if (folder / STATE).exists():
        read_counters(folder)
    _launch(folder, visitors, *([] if minutes is None else ["--minutes", f"{minutes:g}"]))


def stop(runs: Path, name: str) -> None:
    """Ask a run to save and end, or no longer to wait. Raises UserError for one that does neither."""
    folder = _there(runs, name)
    if not is_taken(folder / LOCK):
        raise UserError(f"'{name}' is not at work; there is nothing to stop.")
    end = time.monotonic() + PATIENCE
    while is_taken(folder / LOCK):
        with contextlib.suppress(OSError, ValueError):  # it has just begun, and not said yet who it is
            if (process := int((folder / PROCESS).read_text())) > 1:  # others are no process, but all of them
                os.kill(process, signal.SIGTERM)
                return
        if time.monotonic() > end:
            raise UserError(f"'{name}' does not say which process it is; end it by the means of the system.")
        time.sleep(PAUSE)


def rename(runs: Path, name: str, new: str) -> None:
    """Give a run another name. Raises UserError for one that is at work, and for a name that is taken or is none."""
    with _resting(runs, name) as folder, new_folder(runs, "", new) as target:
        folder.rename(target)  # which is empty
    with contextlib.suppress(UserError):  # a damaged recipe stays what it is
        recipe = read_recipe(target)
        if recipe.data == str(folder / PICTURES):
            write_recipe(target, dataclasses.replace(recipe, data=str(target / PICTURES)))


def delete(runs: Path, name: str) -> None:
    """Remove a run and all that it has saved. Raises UserError for one that is at work."""
    with _resting(runs, name) as folder:
        shutil.rmtree(folder)


def forget(runs: Path, keep: int) -> None:
    """Delete runs of a public page's visitors that rest, the oldest first, until no more than `keep` are left."""
    for run in [run for run in find(runs) if (run.folder / VISITOR).exists()][keep:]:
        with contextlib.suppress(UserError):  # it went on, or another page was quicker
            delete(runs, run.name)


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
        run_module(["ganopt.data.image_folder", *words], task=task, seconds=READING)
        return
    environment = {"GANOPT_CACHE": str(folder / CACHE)} | ONE_THREAD
    given = json.dumps([str(file) for file in files])
    if left_out := run_module(["ganopt.data.uploads", *words], given, task, READING, **environment):
        (folder / LOG).write_text(left_out)


def _surroundings(folder: Path) -> dict[str, str]:
    """Of a run that was given its pictures: what is made of them stays in its folder, too, and goes with it."""
    return {"GANOPT_CACHE": str(folder / CACHE)} if (folder / PICTURES).exists() else {}


def _launch(folder: Path, most: int | None, *options: str) -> None:
    """Let a run go on from what its folder holds, where fewer than `most` are at work."""
    command = [sys.executable, "-m", "ganopt", "train", "--resume", str(folder), *options]
    try:
        process = launch(folder, command, most, **_surroundings(folder))
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
