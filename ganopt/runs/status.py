"""How the runs in a folder stand, as their folders tell: one that is damaged is told of, and hides no other."""

import contextlib
import functools
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.zoo import FILES, RUN, RUN_NAME
from ganopt.runs.queue import EXIT, LOCK, PROCESS, before, is_taken
from ganopt.training.run_folder import CONFIG, STATE, read_counters, read_recipe

Status = Literal["waiting", "training", "finished", "stopped", "died"]
AT_WORK: tuple[Status, ...] = ("training", "waiting")
# by what a run's process ended with
STATUSES: dict[int, Status] = {0: "finished", 130: "stopped", -signal.SIGTERM: "stopped"}


@dataclass(frozen=True)
class Run:
    """A run as its folder tells of it."""

    name: str
    folder: Path
    status: Status
    step: int  # of the last save, as the two below; 0 before the first
    images: int
    minutes: float  # of training
    fault: str = ""  # what is damaged of it, in a sentence


def find(runs: Path) -> list[Run]:
    """The runs in a folder, those at work first, then those that wait, then the latest first."""
    found = []
    for folder in runs.iterdir() if runs.is_dir() else ():
        if not RUN_NAME.fullmatch(folder.name):  # none of ours, which could not be chosen
            continue
        with contextlib.suppress(OSError):  # no run, another user's, or deleted by now
            found.append(((folder / LOCK).stat().st_mtime, read(folder)))
    places = {status: place for place, status in enumerate(AT_WORK)}
    found.sort(key=lambda pair: (places.get(pair[1].status, len(places)), -pair[0]))
    return [run for _, run in found]


def read(folder: Path) -> Run:
    """What is known of the run in a folder. One that is damaged has died, and its fault is told."""
    counters: dict[str, Any] = {"step": 0, "images": 0, "seconds": 0.0}
    with contextlib.suppress(UserError):  # nothing saved yet
        counters |= read_counters(folder)
    status = _status(folder)
    fault = "" if status in AT_WORK else _fault(folder)
    step, images, minutes = counters["step"], counters["images"], counters["seconds"] / 60
    return Run(folder.name, folder, "died" if fault else status, step, images, minutes, fault)


def _fault(folder: Path) -> str:
    """What is damaged of a run, in a sentence; "" for nothing."""
    if not any((folder / name).exists() for name in (CONFIG, PROCESS, EXIT)):  # its pictures are being read
        return ""
    parts = (CONFIG, STATE, FILES["generator"])
    damaged = _damaged(folder, tuple(_version(folder / part) for part in parts))
    remedy = "train on, which writes it anew, or delete the run" if damaged == FILES["generator"] else "delete the run"
    return damaged and f"its {damaged} is missing or damaged; {remedy}."


@functools.lru_cache(maxsize=1000)
def _damaged(folder: Path, versions: tuple[Any, ...]) -> str:
    """The first file of a run that cannot be read, of those that have a version, or a missing recipe; "" for none."""
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
    """What changes when a file does; None for no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _status(folder: Path) -> Status:
    if is_taken(folder / LOCK):
        return "waiting" if before(folder) else "training"
    try:
        return STATUSES.get(int((folder / EXIT).read_text()), "died")
    except (OSError, ValueError):
        return "died"
