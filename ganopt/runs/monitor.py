"""Monitoring a run: its log, and its metrics, averaged down to a few hundred points."""

import contextlib
import functools
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganopt.errors import UserError
from ganopt.files import stat_of
from ganopt.runs.queue import LOG, PROCESS
from ganopt.training.losses import LOSSES
from ganopt.training.methods import method_of
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import read_recipe
from ganopt.training.run_metrics import METRICS, Line, follow

MAX_POINTS = 400  # in a curve; when it is full, pairs of points are averaged
RECENT = 50  # steps over which the speed is measured
TAIL = 2000  # bytes of a log that are shown
REQUIRED = {"step", "images", "seconds", "memory", "progress"}  # in each line


class Watch:
    """The metrics of one run. `refresh` reads the new lines, and is thread-safe."""

    def __init__(self, folder: Path):
        self.folder, self.lock = folder, threading.Lock()
        self._reset(None)

    def _reset(self, file: tuple[int, int] | None) -> None:
        self.file, self.offset = file, 0
        self.points: list[Line] = []  # each is the mean of `width` steps
        self.fids: list[tuple[float, float]] = []  # pictures seen, fid100
        self.recent: deque[Line] = deque(maxlen=RECENT)
        self.width = 1
        self.pending: list[Line] = []  # steps of the next point

    def refresh(self) -> "Watch":
        """Read the new lines, or the whole file if it has been replaced, as after a resume."""
        with self.lock:
            stat = stat_of(self.folder / METRICS)
            if (file := stat and (stat.st_dev, stat.st_ino)) != self.file:
                self._reset(file)
            lines, self.offset = follow(self.folder, self.offset)
            for line in lines:
                if line.keys() >= REQUIRED:
                    self._add(line)
        return self

    def _add(self, line: Line) -> None:
        self.recent.append(line)
        if (fid := line.pop("fid", None)) is not None:
            self.fids.append((line["images"] or line["step"], fid))
        self.pending.append(line)
        if len(self.pending) == self.width:
            self.points.append(_mean(self.pending))
            self.pending = []
        if len(self.points) == MAX_POINTS:
            self.points = [_mean(self.points[index : index + 2]) for index in range(0, MAX_POINTS, 2)]
            self.width *= 2

    @property
    def last(self) -> Line:
        """The latest step; empty before the first."""
        return self.recent[-1] if self.recent else {}

    def has_ended(self, recipe: Recipe | None) -> bool:
        """Whether the process that was started last has spent the budget of this recipe, the run's own."""
        try:
            is_older = (self.folder / METRICS).stat().st_mtime_ns < (self.folder / PROCESS).stat().st_mtime_ns
        except OSError:
            return False
        if recipe is None or is_older or not self.last:  # it has just been started
            return False
        return recipe.progress(*(self.last[name] for name in ("step", "images", "seconds"))) >= 1

    @property
    def images_per_second(self) -> float:
        """Real pictures that the critic sees per second of training, over the recent steps."""
        if len(self.recent) < 2:
            return 0.0
        first, last = self.recent[0], self.recent[-1]
        return (last["images"] - first["images"]) / max(last["seconds"] - first["seconds"], 1e-9)

    @property
    def seconds_left(self) -> float:
        """Remaining seconds of training, at the average speed so far."""
        progress = self.last.get("progress", 0)
        return self.last["seconds"] * max(1 - progress, 0) / progress if progress else 0.0


@dataclass(frozen=True)
class Curves:
    """A chart of a run: curves of points (pictures seen, value), and how to read them."""

    title: str
    advice: str
    lines: dict[str, list[tuple[float, float]]]


def curves(watch: Watch, recipe: Recipe) -> list[Curves]:
    """The charts for a run with this recipe."""
    found = []
    method, loss = method_of(recipe), LOSSES[recipe.critics[0].loss]
    if method.distance:
        advice = "The difference between student and teacher, in pixels and features. It should fall."
        found.append(Curves("Distance to the teacher", advice, {"distance": _line(watch.points, method.distance)}))
    if loss.estimates_distance and recipe.needs_pictures:
        advice = "An estimate of the distance between generated and real faces. It should fall."
        found.append(Curves("Minus the critic's loss", advice, {"estimate": _line(watch.points, "critic", -1)}))
    elif recipe.needs_pictures:
        advice = "The critic's scores. Real should stay a little above fake; if they diverge, the critic is too strong."
        lines = {name: _line(watch.points, name) for name in ("real", "fake")}
        found.append(Curves("Scores of real and fake", advice, lines))
    if watch.fids:
        advice = "FID of 100 faces against up to 500 training pictures, evenly drawn. Lower is better; comparable "
        advice += "within this run only."
        found.append(Curves("fid100", advice, {"fid100": watch.fids}))
    return [each for each in found if any(each.lines.values())]


@functools.lru_cache(maxsize=16)
def watch(folder: Path) -> Watch:
    """The watch of a run, shared by all pages."""
    return Watch(folder)


def recipe_of(folder: Path) -> Recipe | None:
    """The recipe of a run; None if it cannot be read."""
    with contextlib.suppress(UserError):
        return read_recipe(folder)
    return None


def log(folder: Path) -> str:
    """The end of a run's log, from the beginning of a line, or half a path could not be recognised as one."""
    with contextlib.suppress(OSError), open(folder / LOG, "rb") as file:
        start = max(file.seek(0, os.SEEK_END) - TAIL, 0)
        file.seek(start)
        text = file.read().decode(errors="replace").replace("\r", "\n")
        return text.partition("\n")[2] if start else text
    return ""


def _line(points: Sequence[Line], name: str, factor: float = 1) -> list[tuple[float, float]]:
    """A curve over pictures seen, or over steps if there are no real pictures."""
    axis = "images" if points and points[-1]["images"] else "step"
    return [(point[axis], factor * point[name]) for point in points if name in point]


def _mean(lines: Sequence[Line]) -> Line:
    """The mean of each value, over the lines that have it."""
    names = {name for line in lines for name in line}
    columns = {name: [line[name] for line in lines if name in line] for name in names}
    return {name: sum(values) / len(values) for name, values in columns.items()}
