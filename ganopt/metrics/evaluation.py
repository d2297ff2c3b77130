"""Measuring fidN with its floor, its spread over seeds, and further metrics.

fidN is the FID of N pictures. With few pictures it is biased upwards, by an amount that depends on the model: compare
it only with another fidN against the same reference.
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
from ganopt.metrics import features, references, samples
from ganopt.metrics.features import FEWEST, MOST, Extraction, Extractor
from ganopt.metrics.fid import NEIGHBOURS, diversity, fit, frechet_distance, kernel_distance, precision_and_recall
from ganopt.metrics.samples import Sample
from ganopt.metrics.sliced_wasserstein import PICTURES, sliced_wasserstein
from ganopt.models import zoo
from ganopt.models.latents import MAX_SEED

FLOOR = "real against real"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure and against what. Raises UserError for values that do not make sense."""

    models: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()  # folders, zip files or .npz statistics
    reference: str | Path = "cats"  # a name of `references.names()`, or the path of a folder or file
    against: str = ""  # a model whose faces from the same seeds are a second reference
    count: int = 500  # pictures in each sample
    repeats: int = 3  # samples of each model, with consecutive seeds
    seed: int = 0  # the first seed

    def __post_init__(self) -> None:
        if not FEWEST <= self.count <= MOST:
            raise UserError(f"FID cannot be measured with {self.count} pictures; use {FEWEST} to {MOST}.")
        if not 1 <= self.repeats <= 10:
            raise UserError(f"A model cannot be measured with {self.repeats} samples; use 1 to 10.")
        if self.seed < 0 or self.seed + self.count * self.repeats > MAX_SEED:
            raise UserError(f"The first seed is {self.seed}; it must be a whole number from 0 to a few billion.")
        if not self.models and not self.paths:
            raise UserError("No model or folder is selected; name at least one.")

    def seeds(self, repeat: int) -> range:
        """The seeds of one sample."""
        first = self.seed + repeat * self.count
        return range(first, first + self.count)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The results of one model or folder: means over its samples. None if a file of statistics has no features."""

    name: str
    samples: tuple[str, ...]  # hashes of the samples
    seeds: tuple[str, ...]  # of each sample of a model
    count: int  # pictures in a sample
    reference: str
    reference_shipped: bool  # with the project; else it was a path
    reference_hash: str
    reference_count: int
    fids: tuple[float, ...]  # of each sample
    kid: float | None
    kid_deviation: float | None  # standard deviation over subsets of the sample
    precision: float | None
    recall: float | None
    swd_levels: tuple[float, ...] | None  # sliced Wasserstein distance x 1000 at each level, the finest first
    diversity: float  # distance between two generated pictures over that between two real ones
    fid_to_model: float | None  # FID to the faces of `against` from the same seeds
    against: str

    @property
    def fid(self) -> float:
        """The mean over the samples."""
        return _mean(self.fids)

    @property
    def swd(self) -> float | None:
        """The sliced Wasserstein distance x 1000, the mean over the levels."""
        return _mean(self.swd_levels) if self.swd_levels else None


@dataclass(frozen=True)
class Update:
    """The progress of a measurement, in pictures, and the score that has just been finished, if any."""

    done: int
    total: int
    score: Score | None = None
    compared: tuple[Sample, Sample] | None = None  # the first sample of a model and the reference, for `bias`


def evaluate(plan: Plan, extractor: Extractor, most_pixels: int = MAX_PIXELS) -> Generator[Update]:
    """Measure the floor first, then each model and path.

    Pictures of zip files with more than `most_pixels` are skipped. Raises UserError for any failure; for an unknown
    model, before anything is measured.
    """
    models = [*plan.models, *filter(None, [plan.against])]
    for name in models:
        zoo.locate(name)
    reference_share = _expected(plan.reference, MOST, plan.count) if isinstance(plan.reference, Path) else 0
    shares = [_expected(path, plan.count, plan.count) for path in plan.paths]
    done, total = 0, plan.count * plan.repeats * len(models) + sum(shares) + reference_share

    def counted(extraction: Extraction, share: int = plan.count) -> Generator[Update, None, Sample]:
        nonlocal done
        end = done + share
        with contextlib.closing(extraction):
            while True:
                try:
                    done = min(done + next(extraction), end)
                except StopIteration as stop:
                    done = end
                    return stop.value
                yield Update(done, total)

    if isinstance(plan.reference, str):
        reference, others = references.load(plan.reference)
        patches = others.patches if plan.count >= min(others.count, PICTURES) else None  # else they are too many
        yield Update(done, total, score([samples.from_rows(FLOOR, others.rows[: plan.count], patches)], reference))
    else:
        extraction = features.of_path(plan.reference, extractor, MOST, most_pixels)
        reference = yield from counted(extraction, reference_share)
        if len(reference.rows) >= 2 * FEWEST:  # there are no other real pictures: compare its halves
            halves = _shuffled(reference.rows).chunk(2)
            first, second = (samples.from_rows(FLOOR, half) for half in halves)
            yield Update(done, total, score([first], second))
    teachers = []
    for repeat in range(plan.repeats if plan.against else 0):
        teachers.append((yield from counted(features.of_model(plan.against, plan.seeds(repeat), extractor))))
    for name in plan.models:
        drawn = []
        for repeat in range(plan.repeats):
            drawn.append((yield from counted(features.of_model(name, plan.seeds(repeat), extractor))))
        yield Update(done, total, score(drawn, reference, teachers), (drawn[0], reference))
    for path, share in zip(plan.paths, shares, strict=True):
        sample = yield from counted(features.of_path(path, extractor, plan.count, most_pixels), share)
        yield Update(done, total, score([sample], reference, teachers))


def score(samples: list[Sample], reference: Sample, teachers: Sequence[Sample] = ()) -> Score:
    """The score of a model's samples against a reference, and against the teacher's samples, pairwise."""
    first, real = samples[0], reference.rows
    kernel: tuple[float | None, ...] = (None, None)
    neighbours = kernel
    if min(len(first.rows), len(real)) > NEIGHBOURS:
        kernel = _means(kernel_distance(sample.rows, real) for sample in samples)
        neighbours = _means(precision_and_recall(real, sample.rows) for sample in samples)
    patches = [(sample.patches, reference.patches) for sample in samples]
    levels = [sliced_wasserstein(a, b) for a, b in patches if a is not None and b is not None]
    to_teacher = [frechet_distance(a.gaussian, b.gaussian) for a, b in zip(samples, teachers, strict=False)]
    return Score(
        name=first.name,
        samples=tuple(sample.hash for sample in samples),
        seeds=tuple(sample.seeds for sample in samples),
        count=first.count,
        reference=reference.name,
        reference_shipped=reference.shipped,
        reference_hash=reference.hash,
        reference_count=reference.count,
        fids=tuple(frechet_distance(sample.gaussian, reference.gaussian) for sample in samples),
        kid=kernel[0],
        kid_deviation=kernel[1],
        precision=neighbours[0],
        recall=neighbours[1],
        swd_levels=tuple(map(_mean, zip(*levels, strict=True))) if levels else None,
        diversity=_mean([diversity(sample.gaussian, reference.gaussian) for sample in samples]),
        fid_to_model=_mean(to_teacher) if to_teacher else None,
        against=teachers[0].name if teachers else "",
    )


def bias(sample: Sample, reference: Sample, points: int = 8) -> tuple[tuple[int, float], ...]:
    """FID as a function of the number of pictures, from subsets of one sample: pairs (n, FID)."""
    rows = _shuffled(sample.rows)[:2000]
    counts = torch.linspace(FEWEST, len(rows), points).round().int().unique().tolist()
    return tuple((count, frechet_distance(fit(rows[:count]), reference.gaussian)) for count in counts)


def record(result: Score, extractor: Extractor) -> dict[str, Any]:
    """A score as plain values for JSON, with its protocol."""
    return {
        "kind": "fid",
        **dataclasses.asdict(result),
        "fid": result.fid,
        "swd": result.swd,
        **protocol(extractor),
    }


def protocol(extractor: Extractor) -> dict[str, Any]:
    """The settings and versions that a measurement depends on."""
    return {
        "device": str(extractor.device),
        "arithmetic": extractor.precision,
        "inception": extractor.network.digest[:16],
        "versions": {"ganopt": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _expected(path: Path, most: int, otherwise: int) -> int:
    """How many pictures of a path will be measured; an estimate for a file, which has not been opened yet."""
    return otherwise if os.path.isfile(path) else min(len(image_folder.find(path)), most)


def _shuffled(rows: Tensor) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


def _means(pairs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    first, second = zip(*pairs, strict=True)
    return _mean(first), _mean(second)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
