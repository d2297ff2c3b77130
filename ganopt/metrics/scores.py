"""The score of one model or folder: FID with its spread over samples, and further metrics."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ganopt.metrics.features import MIN_PICTURES
from ganopt.metrics.fid import NEIGHBOURS, diversity, fit, frechet_distance, kernel_distance, precision_and_recall
from ganopt.metrics.samples import Sample
from ganopt.metrics.sliced_wasserstein import sliced_wasserstein

# figures that may be absent
TITLES = {"kid": "KID", "precision": "precision", "recall": "recall", "swd": "SWD", "diversity": "diversity"}
Value = TypeVar("Value", str, int)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The results of one model or folder: means over its samples. `absent` says why a figure is None."""

    name: str
    samples: tuple[str, ...]  # hashes of the samples
    seeds: tuple[str, ...]  # of each sample of a model
    count: int  # pictures in a sample
    drawn: str  # how many of a folder's pictures these are, and which files were not read, unless they are all
    reference: str
    reference_shipped: bool  # with the project; else it was a path
    reference_hash: str
    reference_count: int
    reference_drawn: str
    fids: tuple[float, ...]  # of each sample
    kid: float | None
    kid_deviation: float | None  # standard deviation over subsets of the sample
    precision: float | None
    recall: float | None
    swd_levels: tuple[float, ...] | None  # sliced Wasserstein distance x 1000 at each level, the finest first
    diversity: float | None  # distance between two generated pictures over that between two real ones
    fid_to_model: float | None  # FID to the faces of `against` from the same seeds
    against: str
    absent: dict[str, str]  # figures that are None, and why
    subset: dict[str, int]  # figures that are not of all pictures of a sample, and of how many
    reference_subset: dict[str, int]

    @property
    def fid(self) -> float:
        """The mean over the samples."""
        return _mean(self.fids)

    @property
    def swd(self) -> float | None:
        """The sliced Wasserstein distance x 1000, the mean over the levels."""
        return _mean(self.swd_levels) if self.swd_levels else None

    @property
    def notes(self) -> list[str]:
        """Which figures are absent and why, which pictures were drawn or not read, and which figures are of fewer."""
        notes = [f"no {figures}: {reason}" for reason, figures in _titles(self.absent).items()]
        notes += [self.drawn] if self.drawn else []
        notes += _of_fewer(self.subset, self.count)
        reference = [self.reference_drawn] if self.reference_drawn else []
        reference += _of_fewer(self.reference_subset, self.reference_count)
        return notes + [f"reference: {note}" for note in reference]


def score(samples: list[Sample], reference: Sample, teachers: Sequence[Sample] = ()) -> Score:
    """The score of a model's samples against a reference, and against the teacher's samples, pairwise."""
    first, real = samples[0], reference.rows
    kernel: tuple[float | None, ...] = (None, None)
    neighbours = kernel
    if min(len(first.rows), len(real)) > NEIGHBOURS:
        kernel = _means(kernel_distance(sample.ordered, reference.ordered) for sample in samples)
        neighbours = _means(precision_and_recall(real, sample.rows) for sample in samples)
    patches = [(sample.patches, reference.patches) for sample in samples]
    levels = [sliced_wasserstein(a, b) for a, b in patches if a is not None and b is not None]
    distances = [diversity(sample.gaussian, reference.gaussian) for sample in samples]
    spread = [distance for distance in distances if distance is not None]
    absent = _reasons(first, reference, bool(spread))
    to_teacher = [frechet_distance(a.gaussian, b.gaussian) for a, b in zip(samples, teachers, strict=False)]
    return Score(
        name=first.name,
        samples=tuple(sample.hash for sample in samples),
        seeds=tuple(sample.seeds for sample in samples),
        count=first.count,
        drawn=first.drawn,
        reference=reference.name,
        reference_shipped=reference.shipped,
        reference_hash=reference.hash,
        reference_count=reference.count,
        reference_drawn=reference.drawn,
        fids=tuple(frechet_distance(sample.gaussian, reference.gaussian) for sample in samples),
        kid=kernel[0],
        kid_deviation=kernel[1],
        precision=neighbours[0],
        recall=neighbours[1],
        swd_levels=tuple(map(_mean, zip(*levels, strict=True))) if levels else None,
        diversity=_mean(spread) if spread else None,
        fid_to_model=_mean(to_teacher) if to_teacher else None,
        against=teachers[0].name if teachers else "",
        absent=absent,
        subset={name: count for name, count in first.subset.items() if name not in absent},
        reference_subset={name: count for name, count in reference.subset.items() if name not in absent},
    )


def bias(sample: Sample, reference: Sample, points: int = 8) -> tuple[tuple[int, float], ...]:
    """FID as a function of the number of pictures, from subsets of one sample: pairs (n, FID)."""
    rows = shuffled(sample.ordered)[:2000]
    counts = torch.linspace(MIN_PICTURES, len(rows), points).round().int().unique().tolist()
    return tuple((count, frechet_distance(fit(rows[:count]), reference.gaussian)) for count in counts)


def shuffled(rows: Tensor) -> Tensor:
    """The rows in a random order, the same for each call."""
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


def _reasons(sample: Sample, reference: Sample, varied: bool) -> dict[str, str]:
    """Why figures are absent, by name; `varied` if the pictures of the reference are not all equal."""
    reasons: dict[str, str] = {}
    for each in (sample, reference):
        if len(each.rows) <= NEIGHBOURS:
            reasons |= dict.fromkeys(("kid", "precision", "recall"), f"{each.name} has no features of single pictures")
        if each.patches is None:
            reasons["swd"] = f"{each.name} has no patches of pictures"
    return reasons if varied else reasons | {"diversity": f"the pictures of {reference.name} are all equal"}


def _of_fewer(subset: Mapping[str, int], of: int) -> list[str]:
    return [f"{figures} from {count} of {of} pictures, drawn at random" for count, figures in _titles(subset).items()]


def _titles(figures: Mapping[str, Value]) -> dict[Value, str]:
    """The titles of the figures with each value."""
    titles: dict[Value, list[str]] = {}
    for name, value in figures.items():
        titles.setdefault(value, []).append(TITLES[name])
    return {value: ", ".join(names) for value, names in titles.items()}


def _means(pairs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    first, second = zip(*pairs, strict=True)
    return _mean(first), _mean(second)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
