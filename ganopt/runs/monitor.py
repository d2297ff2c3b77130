"""A run as it goes on, for whoever watches: its log, and its metrics, thinned to a few hundred points."""

import contextlib
import functools
import json
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganopt.errors import UserError
from ganopt.runs.queue import LOG
from ganopt.training.adversarial.games import GAMES
from ganopt.training.methods import method_of
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import read_recipe

MOST = 400  # points of a curve; beyond, two become one
RECENT = 50  # steps that the speed is told from
TAIL = 2000  # bytes of a log
MOST_VALUE = 1e30  # beyond, a number is taken for a damaged one
NEEDED = {"step", "images", "seconds", "memory", "progress"}  # of each line

Line = dict[str, Any]  # of metrics.jsonl


class Watch:
    """The metrics of one run. `refresh` reads what has been added since; many may call it."""

    def __init__(self, folder: Path):
        self.folder, self.guard = folder, threading.Lock()
        self._begin(None)

    def _begin(self, file: tuple[int, int] | None) -> None:
        self.file, self.place = file, 0
        self.points: list[Line] = []  # each the mean of `width` steps
        self.fids: list[tuple[float, float]] = []  # pictures seen, fid100
        self.recent: deque[Line] = deque(maxlen=RECENT)
        self.width = 1
        self.waiting: list[Line] = []

    def refresh(self) -> "Watch":
        """Read on, or from the beginning where the file is another one by now, as after a resume."""
        with self.guard:
            if (file := _identity(self.folder / "metrics.jsonl")) != self.file:
                self._begin(file)
            lines, self.place = follow(self.folder, self.place)
            for line in lines:
                if line.keys() >= NEEDED:
                    self._take(line)
        return self

    def _take(self, line: Line) -> None:
        self.recent.append(line)
        if (fid := line.pop("fid", None)) is not None:
            self.fids.append((line["images"] or line["step"], fid))
        self.waiting.append(line)
        if len(self.waiting) == self.width:
            self.points.append(_mean(self.waiting))
            self.waiting = []
        if len(self.points) == MOST:
            self.points = [_mean(self.points[index : index + 2]) for index in range(0, MOST, 2)]
            self.width *= 2

    @property
    def last(self) -> Line:
        """The latest step; empty before the first."""
        return self.recent[-1] if self.recent else {}

    @property
    def images_per_second(self) -> float:
        """Real pictures that the critic sees in a second of training, of late."""
        if len(self.recent) < 2:
            return 0.0
        first, last = self.recent[0], self.recent[-1]
        return (last["images"] - first["images"]) / max(last["seconds"] - first["seconds"], 1e-9)

    @property
    def seconds_left(self) -> float:
        """Of training, if it goes on as fast as so far."""
        progress = self.last.get("progress", 0)
        return self.last["seconds"] * max(1 - progress, 0) / progress if progress else 0.0


@dataclass(frozen=True)
class Curves:
    """What is worth seeing of a run's losses, (pictures seen, value), and what to look for."""

    title: str
    advice: str
    lines: dict[str, list[tuple[float, float]]]


def curves(watch: Watch, recipe: Recipe) -> list[Curves]:
    """The curves that tell how a run of this recipe does."""
    found = []
    method, game = method_of(recipe), GAMES[recipe.loss]
    if method.distance:
        advice = "How far the student is from its teacher, in pixels and features: it should fall, ever more slowly."
        found.append(Curves("Distance to the teacher", advice, {"distance": _line(watch.points, method.distance)}))
    if game.estimates_distance and recipe.needs_pictures:
        advice = "Minus the critic's loss, its estimate of how far the faces are from real ones: it should fall."
        found.append(Curves("Minus the critic's loss", advice, {"estimate": _line(watch.points, "critic", -1)}))
    elif recipe.needs_pictures:
        advice = "The critic's scores: real above fake, neither running away; where they part, the critic is winning."
        lines = {name: _line(watch.points, name) for name in ("real", "fake")}
        found.append(Curves("Scores of real and fake", advice, lines))
    if watch.fids:
        advice = "fid100 against the run's own pictures: lower is better, and it compares with this run alone."
        found.append(Curves("fid100", advice, {"fid100": watch.fids}))
    return [each for each in found if any(each.lines.values())]


@functools.lru_cache(maxsize=16)
def watch(folder: Path) -> Watch:
    """The watch of a run, one for all pages."""
    return Watch(folder)


def recipe_of(folder: Path) -> Recipe | None:
    """The recipe of a run; None where there is none that can be read."""
    try:
        return read_recipe(folder)
    except UserError:
        return None


def log(folder: Path) -> str:
    """The end of what a run has printed."""
    with contextlib.suppress(OSError), open(folder / LOG, "rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
        return file.read().decode(errors="replace").replace("\r", "\n")
    return ""


def follow(folder: Path, start: int = 0) -> tuple[list[Line], int]:
    """The steps that a run has logged behind a place in its file, and the place behind them, to go on from.

    A line that is being written counts next time, one that is damaged never. A place beyond the end, of a run that was
    cut, begins anew.
    """
    with contextlib.suppress(OSError), open(folder / "metrics.jsonl", "rb") as file:
        if start > file.seek(0, os.SEEK_END):
            start = 0
        file.seek(start)
        whole = file.read().rpartition(b"\n")
        return list(filter(None, map(_read, whole[0].splitlines()))), start + len(whole[0]) + len(whole[1])
    return [], 0


def _read(text: bytes) -> Line | None:
    """The step that a line tells of; None for a damaged line."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(line, dict) and "step" in line and all(map(_is_number, line.values())):
        return line
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MOST_VALUE < value < MOST_VALUE


def _line(points: Sequence[Line], name: str, factor: float = 1) -> list[tuple[float, float]]:
    """Against pictures seen; against steps where none are."""
    axis = "images" if points and points[-1]["images"] else "step"
    return [(point[axis], factor * point[name]) for point in points if name in point]


def _mean(lines: Sequence[Line]) -> Line:
    """The mean of each value, over those that have it."""
    names = {name for line in lines for name in line}
    columns = {name: [line[name] for line in lines if name in line] for name in names}
    return {name: sum(values) / len(values) for name, values in columns.items()}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
