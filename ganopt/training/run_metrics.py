"""The losses of each step, and `metrics.jsonl`, the file to which a run writes them, one line per step."""

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

METRICS = "metrics.jsonl"
DELAY = 1.0  # seconds for which lines are held back on a GPU, which works on the next steps meanwhile


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
            try:
                self._file.write("".join(f"{line}\n" for line in lines).encode())
            except OSError as error:
                raise write_error(Path(self._file.name), error) from error


@contextlib.contextmanager
def open_metrics(folder: Path | None, device: torch.device) -> Iterator[RunMetrics]:
    """Open the metrics of a run, which may have no folder. Raises UserError if they cannot be written."""
    if folder is None:
        yield RunMetrics(None, device)
        return
    try:
        file = open(folder / METRICS, "ab", buffering=0)  # unbuffered: no line is lost if the process is killed
    except OSError as error:
        raise write_error(folder / METRICS, error) from error
    with file:
        yield RunMetrics(file, device)


def cut_metrics(folder: Path, last_step: int) -> None:
    """Remove the lines that a killed run wrote after its last save, including an incomplete one."""
    path = folder / METRICS
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
