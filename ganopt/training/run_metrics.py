"""The losses of each step, and `metrics.jsonl`, in which a run keeps them: a line a step."""

import contextlib
import functools
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import atomic_write, write_error

FILE = "metrics.jsonl"
DELAY = 1.0  # seconds that lines may wait for a GPU, which goes on with the next steps meanwhile


class Losses(Mapping[str, float]):
    """Losses by name, scalars on a device, which are fetched together when the first is looked at.

    Raises UserError then if one of them is not finite.
    """

    def __init__(self, tensors: dict[str, Tensor]):
        self._tensors = tensors

    @functools.cached_property
    def numbers(self) -> dict[str, float]:
        """All of them."""
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


class RunMetrics:
    """What is written of a run's steps; without a file, only checked."""

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
        """Write what waits. Raises UserError if a run has diverged or the file cannot be written."""
        lines = [json.dumps(values | losses.numbers) for values, losses in self._waiting]
        self._waiting, self._flushed = [], time.monotonic()
        if self._file and lines:
            try:
                self._file.write("".join(f"{line}\n" for line in lines).encode())
            except OSError as error:
                raise write_error(Path(self._file.name), error) from error


@contextlib.contextmanager
def open_metrics(folder: Path | None, device: torch.device) -> Iterator[RunMetrics]:
    """The metrics of a run, which may have no folder. Raises UserError where they cannot be written."""
    if folder is None:
        yield RunMetrics(None, device)
        return
    try:
        file = open(folder / FILE, "ab", buffering=0)  # a kill loses no line that was written
    except OSError as error:
        raise write_error(folder / FILE, error) from error
    with file:
        yield RunMetrics(file, device)


def cut_metrics(folder: Path, last_step: int) -> None:
    """Drop the lines of a killed run after its last save, a half-written one with them."""
    path = folder / FILE
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > last_step:
                break
        except ValueError:
            break
        kept.append(line)
    with atomic_write(path) as temporary:
        temporary.write_text("".join(kept))
