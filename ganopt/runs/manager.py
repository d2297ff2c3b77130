"""Starting, stopping, resuming, renaming and deleting the runs in a folder. Each run is a process.

A run outlives the process that started it. Its status is read from its folder, so all pages show the same.
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
from ganopt.data.crops import Upload, listed
from ganopt.data.image_folder import MINIMUM
from ganopt.errors import UserError
from ganopt.files import writing
from ganopt.locks import LOCK, STOP, fcntl, is_locked, lock_file, lock_folder
from ganopt.models import hub
from ganopt.models.zoo import RUN_NAME
from ganopt.runs.needs import check_needs, needs
from ganopt.runs.queue import LOG, PAUSE, PROCESS, launch
from ganopt.runs.status import find, folder_of
from ganopt.subprocesses import ONE_THREAD, run_module
from ganopt.training.methods import resolved
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import STATE, read_counters, read_recipe, write_recipe

PICTURES, CACHE = "uploaded pictures", "cache"  # in the folder of a run with uploaded pictures
VISITOR = "visitor"  # marks a run that a visitor of a public page started
STOP_TIMEOUT = 10.0  # seconds to wait for the process id of a run that has just been launched
READING_TIMEOUT = 1800.0  # seconds for reading the pictures of a run


def start(
    runs: Path, name: str | None, recipe: Recipe, files: Sequence[Upload] = (), visitor_limit: int | None = None
) -> Path:
    """Start a run, or add it to the queue, and return its new folder; the name None stands for METHOD-NUMBER.

    `files`, pictures or parts of them or a zip file, are copied into the folder and trained on. For visitors of a
    public page, `visitor_limit` is the limit on active runs. Raises UserError, and leaves nothing behind, if the name
    exists or is not allowed, the pictures cannot be trained on, the limit is reached, or the folder cannot be written.
    """
    flip = recipe.flip  # if None, it depends on the pictures
    recipe = resolved(recipe)
    with new_folder(runs, recipe.method, name) as folder, lock_folder(folder) or contextlib.nullcontext():
        with writing(folder):
            (folder / LOCK).touch()  # from now on the folder is a run, which can be deleted
            if visitor_limit is not None:
                (folder / VISITOR).touch()
        try:
            if files:
                recipe = dataclasses.replace(recipe, data=str(folder / PICTURES))
            _check_pictures(recipe, folder, files)
            recipe = resolved(dataclasses.replace(recipe, flip=flip))
        except UserError as error:
            raise UserError(str(error).replace(str(folder / PICTURES), "The upload")) from error
        write_recipe(folder, recipe)
        _launch(folder, visitor_limit)
    return folder


@contextlib.contextmanager
def new_folder(runs: Path, stem: str, name: str | None = None) -> Iterator[Path]:
    """Create a folder for a run, with the given name or else the first free STEM-NUMBER.

    If the block fails, the folder is removed, and the folder of runs too if it is new. Concurrent calls get different
    folders. Raises UserError if the name exists or is not allowed, or the folder cannot be created.
    """
    names = (f"{stem}-{number}" for number in itertools.count(1)) if name is None else [name]
    first = not runs.exists()
    folder = next(filter(_create, (_folder(runs, each) for each in names)), None)
    if folder is None:
        raise UserError(f"There is already a run '{name}'; choose another name.")
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if first:
            with contextlib.suppress(OSError):  # another run is in it by now
                runs.rmdir()
        raise


def _create(folder: Path) -> bool:
    """Create a folder; returns False if it exists."""
    with writing(folder), contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
        return True
    return False


def resume(
    runs: Path, name: str, minutes: float | None = None, visitor_limit: int | None = None, lr_decay: float | None = None
) -> None:
    """Resume a run up to its budget, or up to `minutes` in total; a run without a save starts again.

    `lr_decay` asks for a new schedule of the learning rates, which otherwise do not rise again.
    Raises UserError if the run is active, the limit is reached, as in `start`, or its pictures or the model that it
    imitates are gone; then the run stays as it is.
    """
    folder = folder_of(runs, name)
    check_needs(read_recipe(folder))
    if (folder / STATE).exists():
        read_counters(folder)
    budget = {"--minutes": minutes, "--lr-decay": lr_decay}
    options = (part for name, value in budget.items() if value is not None for part in (name, str(value)))
    _launch(folder, visitor_limit, *options)


def stop(runs: Path, name: str) -> None:
    """Tell a run to save and stop, or to leave the queue. Raises UserError if it is not active."""
    folder = folder_of(runs, name)
    if not is_locked(folder / LOCK):
        raise UserError(f"'{name}' is not running; there is nothing to stop.")
    if not fcntl:  # on Windows, a signal would end it at once
        (folder / STOP).touch()
        return
    end = time.monotonic() + STOP_TIMEOUT
    while is_locked(folder / LOCK):
        with contextlib.suppress(OSError, ValueError):  # not written yet
            if (process := int((folder / PROCESS).read_text())) > 1:  # smaller numbers stand for groups of processes
                os.kill(process, signal.SIGTERM)
                return
        if time.monotonic() > end:
            raise UserError(f"The process id of '{name}' is unknown; stop its process with a tool of the system.")
        time.sleep(PAUSE)


def rename(runs: Path, name: str, new: str) -> None:
    """Rename a run. Raises UserError if it is active, or the new name exists or is not allowed."""
    with _inactive(runs, name) as folder, new_folder(runs, "", new) as target:
        folder.rename(target)  # replaces the empty folder
    with contextlib.suppress(UserError):  # a damaged recipe is left as it is
        recipe = read_recipe(target)
        if recipe.data == str(folder / PICTURES):
            write_recipe(target, dataclasses.replace(recipe, data=str(target / PICTURES)))


def delete(runs: Path, name: str) -> None:
    """Delete a run with all its files. Raises UserError if it is active."""
    with _inactive(runs, name) as folder:
        shutil.rmtree(folder)


def forget(runs: Path, keep: int) -> None:
    """Delete the oldest inactive runs of a public page's visitors until at most `keep` runs of visitors are left."""
    for run in [run for run in find(runs) if (run.folder / VISITOR).exists()][keep:]:
        with contextlib.suppress(UserError):  # active, or already deleted by another page
            delete(runs, run.name)


def remove_unstarted(runs: Path) -> None:
    """Delete what a killed page has left of runs whose pictures it was reading."""
    for folder in runs.iterdir() if runs.is_dir() else ():
        if _is_unstarted(folder) and (lock := lock_folder(folder)):
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def _is_unstarted(folder: Path) -> bool:
    """Whether a folder holds only what a run has before it is started, and at least some of that."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return bool(names) and names <= {LOCK, VISITOR, PICTURES, CACHE, LOG}


def _check_pictures(recipe: Recipe, folder: Path, files: Sequence[Upload]) -> None:
    """Read the pictures of a run into the cache, in a subprocess. Uploaded pictures are copied into its folder first.

    Raises UserError if they cannot be trained on.
    """
    if not files and (not recipe.needs_pictures or recipe.data.startswith(synthetic.PREFIX)):
        return
    if not recipe.data:
        raise UserError("The run needs training pictures; choose some or upload your own.")
    is_dataset = recipe.data.startswith(hub.PREFIX)
    data = recipe.data if is_dataset else Path(recipe.data).absolute()
    argv = list(map(str, [data, recipe.side, recipe.classes, max(MINIMUM, recipe.batch)]))
    task = "Reading the pictures"
    if not files:
        module = "ganopt.data.hub_pictures" if is_dataset else "ganopt.data.image_folder"
        run_module([module, *argv], task=task, seconds=READING_TIMEOUT)
        return
    environment = {"GANOPT_CACHE": str(folder / CACHE)} | ONE_THREAD
    paths = json.dumps(listed(files))
    if skipped := run_module(["ganopt.data.uploads", *argv], paths, task, READING_TIMEOUT, **environment):
        (folder / LOG).write_text(skipped, encoding="utf-8")


def _launch(folder: Path, limit: int | None, *options: str) -> None:
    """Start or resume the run in a folder, if fewer than `limit` runs are active."""
    command = [sys.executable, "-m", "ganopt", "train", "--resume", str(folder), *options]
    # the cache of uploaded pictures is in the run's folder and deleted with it
    environment = {"GANOPT_CACHE": str(folder / CACHE)} if (folder / PICTURES).exists() else {}
    with writing(folder):
        process = launch(folder, command, limit, **environment)
    if process is None:
        raise UserError(f"'{folder.name}' is already training or waiting; stop it first.")
    threading.Thread(target=process.wait, daemon=True).start()  # or it would become a zombie when it ends


@contextlib.contextmanager
def _inactive(runs: Path, name: str) -> Iterator[Path]:
    """The folder of a run, which cannot be resumed during the block.

    Raises UserError if the run is active, another run needs it, or the folder cannot be written.
    """
    folder = folder_of(runs, name)
    if users := [run.name for run in find(runs) if run.name != name and needs(run.folder, folder)]:
        raise UserError(f"'{users[0]}' needs '{name}' to be resumed; delete '{users[0]}' first.")
    with writing(folder):
        lock = lock_file(folder / LOCK)
        if lock is None:
            raise UserError(f"'{name}' is training or waiting; stop it first.")
        with lock:
            if not fcntl:
                lock.close()  # Windows neither moves nor deletes an open file
            yield folder


def _folder(runs: Path, name: str) -> Path:
    """The folder of a run. Names that lead out of the folder of runs are not allowed."""
    if not RUN_NAME.fullmatch(name):
        raise UserError(
            "A run's name may have up to 60 letters and digits of any script, spaces, - and _; choose another name."
        )
    return runs / name
