"""Measuring fidN with its floor, its spread over seeds, and further metrics.

fidN is the FID of N pictures. With few pictures it is biased upwards, by an amount that depends on the model: compare
it only with another fidN against the same reference.
"""

import contextlib
import dataclasses
import os
import platform
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganopt import __version__
from ganopt.data import image_folder
from ganopt.data.decode import MAX_PIXELS
from ganopt.errors import UserError
from ganopt.metrics import eyes, features, references, samples
from ganopt.metrics.features import ALL, MAX_PICTURES, MIN_PICTURES, Extraction, Extractor
from ganopt.metrics.samples import Sample
from ganopt.metrics.scores import Score, score, shuffled
from ganopt.metrics.sliced_wasserstein import PICTURES
from ganopt.models import zoo
from ganopt.models.devices import computes_bfloat16
from ganopt.models.latents import MAX_SEED, format_seeds, latents
from ganopt.models.sampling import draw, inference_copy

FLOOR = "real against real"
MAX_BEST_OF = 100
DRAWN = 1024  # faces that are drawn and judged at a time


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure and against what. Raises UserError for values that do not make sense."""

    models: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()  # folders, zip files or .npz statistics
    reference: str | Path = "cats"  # a name of `references.names()`, or the path of a folder or file
    against: str = ""  # a model whose faces from the same seeds are a second reference
    count: int = 500  # pictures in each sample; ALL for those of the paths, however many there are
    reference_count: int = ALL  # pictures of a reference that is a path; if it has more, they are drawn evenly
    repeats: int = 3  # samples of each model, with consecutive seeds
    seed: int = 0  # the first seed, and that with which pictures of paths are drawn
    best_of: int = 1  # faces of a model that are drawn for each one that is taken, by how well the eyes match

    def __post_init__(self) -> None:
        draws = bool(self.models or self.against)
        for count in (self.count, self.reference_count):
            if count != ALL and not MIN_PICTURES <= count <= MAX_PICTURES:
                raise UserError(f"FID cannot be measured with {count} pictures; use {MIN_PICTURES} to {MAX_PICTURES}.")
        if draws and self.count == ALL:
            raise UserError("The faces of a model have no end; say how many to measure, as in --n 500.")
        if not 1 <= self.best_of <= MAX_BEST_OF:
            raise UserError(f"One of {self.best_of} faces cannot be taken; use 1 to {MAX_BEST_OF}.")
        if self.best_of > 1 and self.against:
            raise UserError("The best faces of two models have different seeds; use --best-of without --against.")
        if not 1 <= self.repeats <= 10:
            raise UserError(f"A model cannot be measured with {self.repeats} samples; use 1 to 10.")
        if self.seed < 0 or self.seed + draws * self.count * self.best_of * self.repeats > MAX_SEED:
            raise UserError(f"The first seed is {self.seed}; it must be a whole number from 0 to a few billion.")
        if not self.models and not self.paths:
            raise UserError("No model or folder is selected; name at least one.")

    def seeds(self, repeat: int) -> range:
        """The seeds of one sample."""
        drawn = self.count * self.best_of
        first = self.seed + repeat * drawn
        return range(first, first + drawn)


@dataclass(frozen=True)
class Update:
    """The progress of a measurement, in pictures, and the score that has just been finished, if any."""

    done: int
    total: int
    score: Score | None = None
    compared: tuple[Sample, Sample] | None = None  # the first sample of a model and the reference, for `bias`


def evaluate(plan: Plan, extractor: Extractor, most_pixels: int = MAX_PIXELS) -> Generator[Update]:
    """Measure the floor first, then each model and path; a path with fewer pictures is preceded by its own floor.

    Pictures of zip files with more than `most_pixels` are skipped. Raises UserError for any failure, and as `check`
    does before anything is measured.
    """
    reference_share, *shares = check(plan, extractor.precision)
    drawn_share = plan.count * plan.repeats * (len(plan.models) + bool(plan.against))
    done, total = 0, drawn_share + sum(shares) + reference_share

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
        reference, others = references.load(plan.reference, extractor.precision)
        yield Update(done, total, _shipped_floor(plan, reference, others))
    else:
        extraction = features.of_path(plan.reference, extractor, plan.reference_count, most_pixels, plan.seed)
        reference = yield from counted(extraction, reference_share)
        if len(reference.rows) >= 2 * MIN_PICTURES:  # there are no other real pictures: compare its halves
            halves = shuffled(reference.ordered).chunk(2)
            first, second = (samples.from_rows(FLOOR, half) for half in halves)
            yield Update(done, total, score([first], second))
    teachers = []
    for repeat in range(plan.repeats if plan.against else 0):
        teachers.append((yield from counted(features.of_model(plan.against, plan.seeds(repeat), extractor))))
    for name in plan.models:
        drawn = []
        for repeat in range(plan.repeats):
            drawn.append((yield from counted(faces(plan, name, repeat, extractor))))
        yield Update(done, total, score(drawn, reference, teachers), (drawn[0], reference))
    for path, share in zip(plan.paths, shares, strict=True):
        sample = yield from counted(features.of_path(path, extractor, plan.count, most_pixels, plan.seed), share)
        if isinstance(plan.reference, str) and MIN_PICTURES <= sample.count < min(plan.count, others.count):
            smaller = dataclasses.replace(plan, count=sample.count)
            yield Update(done, total, _shipped_floor(smaller, reference, others))
        yield Update(done, total, score([sample], reference, teachers))


def pick_precision(name: str, plan: Plan, device: torch.device) -> str:
    """The precision of a name; `auto` is bfloat16 if the device has units for it and all features can be in it."""
    if name != "auto":
        return name
    return "bfloat16" if computes_bfloat16(device) and not _statistics(plan) else "float32"


def _statistics(plan: Plan) -> list[Path]:
    """The files of statistics of a plan."""
    return [path for path in (*plan.paths, plan.reference) if isinstance(path, Path) and features.is_statistics(path)]


def check(plan: Plan, precision: str) -> tuple[int, ...]:
    """How many pictures of the reference and of each path will be measured; of a file, an estimate.

    Files are not opened. Raises UserError for an unknown model or reference, for a path that does not exist, for a
    folder of too few pictures, and if features in two precisions would be compared.
    """
    if precision != "float32" and (files := _statistics(plan)):
        raise UserError(
            f"{files[0].name} was measured in float32 and cannot be compared with pictures in {precision}; use "
            "--precision float32."
        )
    for name in filter(None, (*plan.models, plan.against)):
        zoo.locate(name)
    shares = [_expected(path, plan.count) for path in plan.paths]
    if isinstance(plan.reference, str):
        references.load(plan.reference, precision)
        return 0, *shares
    return _expected(plan.reference, plan.reference_count), *shares


def faces(plan: Plan, name: str, repeat: int, extractor: Extractor) -> Extraction:
    """A sample of a model's faces, the best of more if the plan says so."""
    seeds = plan.seeds(repeat)
    if plan.best_of == 1:
        return (yield from features.of_model(name, seeds, extractor))
    generator = inference_copy(zoo.load(name), extractor.device)
    judge = eyes.of_model(name)
    parts = latents(seeds).split(DRAWN)  # not all faces at once, which may be millions
    best = eyes.smallest(torch.cat([judge.mismatch(draw(generator, part)) for part in parts]), plan.count)
    chosen = [seeds[index] for index in best]
    sample = yield from features.of_model(name, chosen, extractor)
    of_all = f"of {len(seeds)} faces, the {plan.count} whose eyes match best"
    return dataclasses.replace(sample, seeds=format_seeds(seeds), drawn=of_all)


def record(result: Score, extractor: Extractor) -> dict[str, Any]:
    """A score as plain values for JSON, with its protocol."""
    return {"kind": "fid", **dataclasses.asdict(result), "fid": result.fid, "swd": result.swd, **protocol(extractor)}


def protocol(extractor: Extractor) -> dict[str, Any]:
    """The settings and versions that a measurement depends on."""
    return {
        "device": str(extractor.device),
        "arithmetic": extractor.precision,
        "inception": extractor.network.digest[:16],
        "versions": {"ganopt": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _shipped_floor(plan: Plan, reference: Sample, others: Sample) -> Score:
    """The score of as many other real pictures as a sample has, evenly drawn."""
    assert isinstance(plan.reference, str)
    chosen = image_folder.drawn(others.count, plan.count, 0)
    drawn = features.choice(len(chosen), others.count, 0)
    sample = dataclasses.replace(samples.from_rows(FLOOR, others.rows[chosen]), drawn=drawn)
    levels, found = references.swd_floor(plan.reference, plan.count), score([sample], reference)
    if levels is None:
        return found
    absent = {name: reason for name, reason in found.absent.items() if name != "swd"}
    return dataclasses.replace(found, swd_levels=levels, absent=absent)


def _expected(path: Path, most: int) -> int:
    if features.is_statistics(path) and not os.path.isfile(path):
        raise UserError(f"There is no file {path}; check the name.")
    return min(PICTURES if os.path.isfile(path) else image_folder.check(path, minimum=MIN_PICTURES).count, most)
