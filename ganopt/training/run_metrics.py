"""The losses and the time of each step, and `metrics.jsonl`, to which a run writes them, one line per step."""

import contextlib
import functools
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import atomic_write, writing
from ganopt.training.state import State

METRICS = "metrics.jsonl"
MAX_VALUE = 1e30  # a larger number counts as damaged
DELAY = 1.0  # seconds for which lines are held back on a GPU, which works on the next steps meanwhile

Line = dict[str, Any]  # a line of the file


class Losses(Mapping[str, float]):
    """Losses by name: scalars on a device, fetched together when the first one is read.

    Reading raises UserError if a loss is not finite.
    """

    def __init__(self, tensors: dict[str, Tensor]):
        self._tensors = tensors

    @functools.cached_property
    def numbers(self) -> dict[str, float]:
        """All losses as numbers."""
        numbers = dict(zip(self._tensors, torch.stack(list(self._tensors.values())).tolist(), strict=True))
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise UserError(
                    f"The run diverged: its loss '{name}' is {value}; lower the learning rates and start again."
                )
        return numbers

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return repr(self.numbers)


class Clock:
    """Counts the wall time of a run as `state.seconds`, without what is done in the blocks of `stopped`."""

    def __init__(self, state: State):
        self.state, self.start = state, time.perf_counter()

    def count(self) -> None:
        """Count the time since the last call."""
        start, self.start = self.start, time.perf_counter()
        self.state.seconds += self.start - start

    @contextlib.contextmanager
    def stopped(self, losses: Losses) -> Iterator[None]:
        """Stop the clock in the block. It first waits for the losses, because a GPU may still be working on them."""
        losses.numbers  # noqa: B018 - raises UserError if the run has diverged
        self.count()
        yield
        self.start = time.perf_counter()


class RunMetrics:
    """Writes the metrics of a run; without a file, only checks the losses."""

    def __init__(self, file: BinaryIO | None, device: torch.device):
        self._file, self._waits = file, device.type != "cpu"
        self._waiting: list[tuple[dict[str, Any], Losses]] = []
        self._flushed = time.monotonic()

    def add(self, values: dict[str, Any], losses: Losses) -> None:
        """Add the line of a step. Raises UserError as `flush` does."""
        self._waiting.append((values, losses))
        if not self._waits or time.monotonic() > self._flushed + DELAY:
            self.flush()

    def flush(self) -> None:
        """Write the lines held back. Raises UserError if the run has diverged or the file cannot be written."""
        lines = [json.dumps(values | losses.numbers) for values, losses in self._waiting]
        self._waiting, self._flushed = [], time.monotonic()
        if self._file and lines:
            with writing(Path(self._file.name)):
                self._file.write("".join(f"{line}\n" for line in lines).encode())


@contextlib.contextmanager
def open_metrics(folder: Path | None, device: torch.device) -> Iterator[RunMetrics]:
    """Open the metrics of a run, which may have no folder. Raises UserError if they cannot be written."""
    if folder is None:
        yield RunMetrics(None, device)
        return
    with writing(folder / METRICS):
        file = open(folder / METRICS, "ab", buffering=0)  # unbuffered: no line is lost if the process is killed
    with file:
        yield RunMetrics(file, device)


def cut_metrics(folder: Path, last_step: int) -> None:
    """Remove the lines that a killed run wrote after its last save, and damaged ones.

    Raises UserError if the file cannot be read or written.
    """
    path = folder / METRICS
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{path} cannot be read; allow it to be read, or delete it.") from error
    parsed = ((line, parse_line(line)) for line in lines if line.endswith(b"\n"))
    kept = [line for line, values in parsed if values is not None and values["step"] <= last_step]
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(kept))


def follow(folder: Path, offset: int = 0) -> tuple[list[Line], int]:
    """The steps that a run has logged after an offset in its file, and the offset for the next call.

    An unfinished last line is left for the next call; damaged lines are skipped. If the file has become shorter than
    the offset, it is read from the beginning.
    """
    with contextlib.suppress(OSError), open(folder / METRICS, "rb") as file:
        if offset > file.seek(0, os.SEEK_END):
            offset = 0
        file.seek(offset)
        lines, newline, _ = file.read().rpartition(b"\n")
        return list(filter(None, map(parse_line, lines.splitlines()))), offset + len(lines) + len(newline)
    return [], 0


def parse_line(text: bytes) -> Line | None:
    """A line of the file; None if it is damaged."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(line, dict) and "step" in line and all(map(_is_number, line.values())):
        return line
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MAX_VALUE < value < MAX_VALUE
