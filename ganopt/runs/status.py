"""The status of the runs in a folder. Damaged runs are listed with the reason, and do not affect the others."""

import contextlib
import functools
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganopt.errors import UserError
from ganopt.files import stat_of
from ganopt.locks import LOCK, is_locked
from ganopt.models import zoo
from ganopt.models.zoo import FILES, RUN, RUN_NAME
from ganopt.runs.queue import EXIT, PROCESS, runs_ahead
from ganopt.training.run_folder import CONFIG, STATE, read_counters, read_recipe

Status = Literal["waiting", "training", "finished", "stopped", "failed"]
ACTIVE: tuple[Status, ...] = ("training", "waiting")
# by the exit status of a run's process
STATUSES: dict[int, Status] = {0: "finished", 130: "stopped", -signal.SIGTERM: "stopped"}


@dataclass(frozen=True)
class Run:
    """A run, as read from its folder."""

    name: str
    folder: Path
    status: Status
    step: int  # at the last save, like images and minutes; 0 before the first save
    images: int
    minutes: float  # of training
    fault: str = ""  # what is damaged, for an error message


def find(runs: Path) -> list[Run]:
    """The runs in a folder: the one that is training, those that wait, then the others, the latest first."""
    found = []
    for folder in runs.iterdir() if runs.is_dir() else ():
        if not RUN_NAME.fullmatch(folder.name):  # not a run, or it could not be selected
            continue
        with contextlib.suppress(OSError):  # not a run, of another user, or just deleted
            found.append(((folder / LOCK).stat().st_mtime, read(folder)))
    order = {status: index for index, status in enumerate(ACTIVE)}
    found.sort(key=lambda pair: (order.get(pair[1].status, len(order)), -pair[0]))
    return [run for _, run in found]


def folder_of(runs: Path, name: str | None) -> Path:
    """The folder of a run. Raises UserError if there is no run with that name, which may come from a visitor."""
    if not RUN_NAME.fullmatch(name or "") or not (runs / str(name) / LOCK).exists():
        raise UserError(f"There is no run {(name or '')[:60]!r}; choose another one.")
    return runs / str(name)


def read(folder: Path) -> Run:
    """The run in a folder. A damaged run has the status "failed", and a fault."""
    counters: dict[str, Any] = {"step": 0, "images": 0, "seconds": 0.0}
    with contextlib.suppress(UserError):  # nothing saved yet
        counters |= read_counters(folder)
    status = _status(folder)
    fault = "" if status in ACTIVE else _fault(folder)
    step, images, minutes = counters["step"], counters["images"], counters["seconds"] / 60
    return Run(folder.name, folder, "failed" if fault else status, step, images, minutes, fault)


def _fault(folder: Path) -> str:
    """What is damaged in a run and what to do about it; "" if nothing is."""
    if not any((folder / name).exists() for name in (CONFIG, PROCESS, EXIT)):  # its pictures are still being read
        return ""
    parts = (CONFIG, STATE, FILES["generator"])
    damaged = _damaged(folder, tuple(_version(folder / part) for part in parts))
    remedy = (
        "resume the run to write it again, or delete it"
        if damaged == FILES["generator"]
        else "restore it, or delete the run"
    )
    return damaged and f"its {damaged} is missing or cannot be read; {remedy}, or delete the run."


@functools.lru_cache(maxsize=1000)
def _damaged(folder: Path, versions: tuple[Any, ...]) -> str:
    """The first file of a run that cannot be read, or the recipe if it is missing; "" if there is none.

    Other files without a version do not exist and are not read.
    """
    config, state, generator = versions
    part = CONFIG
    try:
        read_recipe(folder)
        if part := STATE if state else "":
            read_counters(folder)
        if part := FILES["generator"] if generator else "":
            zoo.describe(folder / part, f"{RUN}{folder.name}")
    except UserError:
        return part
    return ""


def _version(path: Path) -> tuple[int, ...] | None:
    """A value that changes with the file; None if it does not exist."""
    stat = stat_of(path)
    return stat and (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _status(folder: Path) -> Status:
    if is_locked(folder / LOCK):
        return "waiting" if runs_ahead(folder) else "training"
    with contextlib.suppress(OSError, ValueError):
        return STATUSES.get(int((folder / EXIT).read_text()), "failed")
    return "failed"
