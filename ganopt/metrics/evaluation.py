"""fidN with what makes it mean something: the floor, the spread over seeds, KID, precision, recall.

fidN is the FID of N pictures; with few of them it lies high, by another amount for each model, so it is compared with
nothing but other fidN against the same reference.
"""

import contextlib
import dataclasses
import os
import platform
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganopt import __version__
from ganopt.data import image_folder
from ganopt.data.decode import MAX_PIXELS
from ganopt.errors import UserError
from ganopt.metrics import features
from ganopt.metrics.features import FEWEST, MOST, Extractor, Sample, Seeing
from ganopt.metrics.fid import NEIGHBOURS, fit, frechet_distance, kernel_distance, precision_and_recall
from ganopt.models import zoo
from ganopt.models.latents import MAX_SEED

FLOOR = "real against real"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure, against what. Raises UserError for what cannot be."""

    models: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()  # folders, zip files or .npz statistics
    reference: str = "cats"  # a name of `features.references()`, or such a path
    against: str = ""  # a model whose faces of the same seeds are a second reference
    count: int = 500  # pictures of each sample
    repeats: int = 3  # samples of each model, of seeds that follow one another
    seed: int = 0  # the first one

    def __post_init__(self) -> None:
        if not FEWEST <= self.count <= MOST:
            raise UserError(f"FID of {self.count} pictures cannot be measured here; take {FEWEST} to {MOST}.")
        if not 1 <= self.repeats <= 10:
            raise UserError(f"{self.repeats} samples of a model are no good number; take 1 to 10.")
        if self.seed < 0 or self.seed + self.count * self.repeats > MAX_SEED:
            raise UserError(f"The first seed is {self.seed}; take a whole number from 0 to a few billion.")
        if not self.models and not self.paths:
            raise UserError("There is nothing to measure; name a model or a folder.")

    def seeds(self, repeat: int) -> range:
        """The seeds of one sample."""
        first = self.seed + repeat * self.count
        return range(first, first + self.count)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The figures of one model or folder: means over its samples; None where a file of statistics has no rows."""

    name: str
    samples: tuple[str, ...]  # their hashes
    seeds: tuple[str, ...]  # of each sample of a model
    count: int  # pictures of a sample
    reference: str
    reference_hash: str
    reference_count: int
    fids: tuple[float, ...]  # of its samples
    kid: float | None
    kid_deviation: float | None  # over subsets of the sample
    precision: float | None
    recall: float | None
    fid_to_model: float | None  # FID to the faces of `against` from the same seeds
    against: str

    @property
    def fid(self) -> float:
        """The mean over the samples."""
        return sum(self.fids) / len(self.fids)


@dataclass(frozen=True)
class Update:
    """How far a measurement is, in pictures, and the score that has just been finished, if one has."""

    done: int
    total: int
    score: Score | None = None
    compared: tuple[Sample, Sample] | None = None  # of a model, its first sample and the reference, for `bias`


def evaluate(plan: Plan, extractor: Extractor, most_pixels: int = MAX_PIXELS) -> Generator[Update]:
    """Measure what is planned: first the floor, then each model and path.

    Of zip files, pictures with more than `most_pixels` are left out.
    Raises UserError for all that goes wrong, for a name that leads nowhere before anything is measured.
    """
    models = [*plan.models, *filter(None, [plan.against])]
    for name in models:
        zoo.locate(name)
    named = plan.reference in features.references() or not os.path.exists(plan.reference)
    reference_share = 0 if named else _expected(Path(plan.reference), MOST, plan.count)
    shares = [_expected(path, plan.count, plan.count) for path in plan.paths]
    done, total = 0, plan.count * plan.repeats * len(models) + sum(shares) + reference_share

    def counted(seeing: Seeing, share: int = plan.count) -> Generator[Update, None, Sample]:
        nonlocal done
        end = done + share
        with contextlib.closing(seeing):
            while True:
                try:
                    done = min(done + next(seeing), end)
                except StopIteration as stop:
                    done = end
                    return stop.value
                yield Update(done, total)

    if named:
        reference, others = features.of_reference(plan.reference)
        yield Update(done, total, score([features.of_rows(FLOOR, others[: plan.count])], reference))
    else:
        seeing = features.of_path(Path(plan.reference), extractor, MOST, most_pixels)
        reference = yield from counted(seeing, reference_share)
        if len(reference.rows) >= 2 * FEWEST:  # there are no other real pictures: its halves
            halves = _shuffled(reference.rows).chunk(2)
            first, second = (features.of_rows(FLOOR, half) for half in halves)
            yield Update(done, total, score([first], second))
    teachers = []
    for repeat in range(plan.repeats if plan.against else 0):
        teachers.append((yield from counted(features.of_model(plan.against, plan.seeds(repeat), extractor))))
    for name in plan.models:
        samples = []
        for repeat in range(plan.repeats):
            samples.append((yield from counted(features.of_model(name, plan.seeds(repeat), extractor))))
        yield Update(done, total, score(samples, reference, teachers), (samples[0], reference))
    for path, share in zip(plan.paths, shares, strict=True):
        sample = yield from counted(features.of_path(path, extractor, plan.count, most_pixels), share)
        yield Update(done, total, score([sample], reference, teachers))


def score(samples: list[Sample], reference: Sample, teachers: Sequence[Sample] = ()) -> Score:
    """The figures of a model's samples, each compared with the teacher's of the same place in the list."""
    first, real = samples[0], reference.rows
    kernel: tuple[float | None, ...] = (None, None)
    neighbours = kernel
    if min(len(first.rows), len(real)) > NEIGHBOURS:
        kernel = _means(kernel_distance(sample.rows, real) for sample in samples)
        neighbours = _means(precision_and_recall(real, sample.rows) for sample in samples)
    to_teacher = [frechet_distance(a.gaussian, b.gaussian) for a, b in zip(samples, teachers, strict=False)]
    return Score(
        name=first.name,
        samples=tuple(sample.hash for sample in samples),
        seeds=tuple(sample.seeds for sample in samples),
        count=first.count,
        reference=reference.name,
        reference_hash=reference.hash,
        reference_count=reference.count,
        fids=tuple(frechet_distance(sample.gaussian, reference.gaussian) for sample in samples),
        kid=kernel[0],
        kid_deviation=kernel[1],
        precision=neighbours[0],
        recall=neighbours[1],
        fid_to_model=sum(to_teacher) / len(to_teacher) if to_teacher else None,
        against=teachers[0].name if teachers else "",
    )


def bias(sample: Sample, reference: Sample, points: int = 8) -> tuple[tuple[int, float], ...]:
    """FID against the number of pictures that it is measured with, from parts of one sample: pairs (n, FID)."""
    rows = _shuffled(sample.rows)[:2000]
    counts = torch.linspace(FEWEST, len(rows), points).round().int().unique().tolist()
    return tuple((count, frechet_distance(fit(rows[:count]), reference.gaussian)) for count in counts)


def record(result: Score, extractor: Extractor) -> dict[str, Any]:
    """A score as plain values, with its whole protocol."""
    return {
        "kind": "fid",
        **dataclasses.asdict(result),
        "fid": result.fid,
        **protocol(extractor),
    }


def protocol(extractor: Extractor) -> dict[str, Any]:
    """How and with what it was measured."""
    return {
        "device": str(extractor.device),
        "arithmetic": extractor.precision,
        "inception": extractor.network.digest[:16],
        "versions": {"ganopt": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _expected(path: Path, most: int, otherwise: int) -> int:
    """How many pictures of a path will be seen, as far as that can be told before a file is opened."""
    return otherwise if os.path.isfile(path) else min(len(image_folder.find(path)), most)


def _shuffled(rows: Tensor) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


def _means(pairs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    first, second = zip(*pairs, strict=True)
    return sum(first) / len(first), sum(second) / len(second)
