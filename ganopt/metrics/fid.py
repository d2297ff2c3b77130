"""FID, KID, precision, recall and diversity of two sets of pictures, from their Inception features.

Features are float tensors (n, d), one row per picture. Everything is computed in float64 on the CPU.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.errors import UserError

SUBSETS, SUBSET_SIZE = 100, 1000  # of KID
NEIGHBOURS = 3  # of precision and recall
TOLERANCE = 1e-5  # of a covariance in float32, relative to its largest number
CANCELLATION = 1e-12  # of a covariance from sums of squares, relative to the squared mean
ROWS = 500  # of each set that are compared at a time, to save memory
ROUNDING = 1e-10  # of a squared distance, relative to the squares of the features; less is no distance


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution: its mean (d,), and a factor F (m, d) of its covariance F^T F."""

    mean: Tensor
    factor: Tensor

    @property
    def covariance(self) -> Tensor:
        """(d, d)."""
        return self.factor.T @ self.factor


def fit(features: Tensor) -> Gaussian:
    """The normal distribution of features (n, d). Raises UserError for fewer than two rows or a NaN."""
    _check_count(len(features))
    features = features.double()
    mean = features.mean(dim=0)
    centred = (features - mean) / (len(features) - 1) ** 0.5
    count, size = features.shape
    return _checked(Gaussian(mean, centred)) if count <= size else from_covariance(mean, centred.T @ centred)


def from_covariance(mean: Tensor, covariance: Tensor) -> Gaussian:
    """The normal distribution with mean (d,) and covariance (d, d).

    Raises UserError for a NaN, other shapes, or a matrix that is no covariance.
    """
    size = mean.numel()
    if mean.shape != (size,) or covariance.shape != (size, size):
        shapes = f"{tuple(mean.shape)} and {tuple(covariance.shape)}"
        raise UserError(f"The shapes of mean and covariance, {shapes}, do not match; choose another file.")
    _checked(Gaussian(mean, covariance))
    covariance = covariance.double()
    if (covariance - covariance.T).abs().max() > TOLERANCE * covariance.abs().max():
        raise UserError("The covariance is not symmetric; choose another file.")
    values, vectors = torch.linalg.eigh(covariance)
    if values[0] < -TOLERANCE * values[-1].abs() - CANCELLATION * mean.double().square().sum():
        raise UserError(f"The covariance has a negative eigenvalue, {values[0]:.3g}; choose another file.")
    return Gaussian(mean.double(), values.clamp_min(0).sqrt()[:, None] * vectors.T)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson and Landau 1982; Heusel et al. 2017).

    Tr (S1 S2)^(1/2) is the sum of the singular values of F1 F2^T: exact, and for n pictures only n x n.
    Raises UserError if the two have different numbers of features.
    """
    _check_width(first.mean, second.mean)
    root = torch.linalg.svdvals(first.factor @ second.factor.T).sum()
    spread = first.factor.square().sum() + second.factor.square().sum()
    return float((first.mean - second.mean).square().sum() + spread - 2 * root)


def diversity(generated: Gaussian, real: Gaussian) -> float | None:
    """The distance between two generated pictures over that between two real ones, as root mean squares.

    Close to 0 for a model that has collapsed, that is, which draws almost the same picture from each latent. None if
    the real pictures are all equal.
    """
    spread = real.factor.square().sum()
    if spread <= ROUNDING * real.mean.square().sum():
        return None
    return float((generated.factor.square().sum() / spread).sqrt())


class Moments:
    """Mean and covariance of features, accumulated over batches in constant memory."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = self._products = torch.zeros(())

    def add(self, features: Tensor) -> None:
        """Add features (n, d)."""
        features = features.double()
        self.count += len(features)
        self._sum = self._sum + features.sum(dim=0)
        self._products = self._products + features.T @ features

    def gaussian(self) -> Gaussian:
        """The normal distribution of all added features. Raises UserError as `fit` does."""
        _check_count(self.count)
        mean = self._sum / self.count
        return from_covariance(mean, (self._products - self.count * mean.outer(mean)) / (self.count - 1))


def kernel_distance(first: Tensor, second: Tensor) -> tuple[float, float]:
    """KID: the unbiased squared MMD of features (n, d) with the kernel (x.y / d + 1)^3 (Binkowski et al. 2018).

    Mean and standard deviation over 100 random subsets, each half as large as the smaller set, at most 1000. Raises
    UserError for fewer than four rows.
    """
    _check_width(first, second)
    size = min(len(first), len(second), 2 * SUBSET_SIZE) // 2
    if size < 2:
        raise UserError(f"KID needs at least 4 pictures in each set, not {min(len(first), len(second))}; add more.")
    random = torch.Generator().manual_seed(0)
    a, b = torch.zeros(SUBSETS, len(first)).double(), torch.zeros(SUBSETS, len(second)).double()  # 1 in the subset
    for rows in zip(a, b, strict=True):
        for row in rows:
            row[torch.randperm(len(row), generator=random)[:size]] = 1
    values = -2 * _kernel_sums(first, second, a, b, with_equal=True) / size**2
    for side, subsets in ((first, a), (second, b)):
        values += _kernel_sums(side, side, subsets, subsets, with_equal=False) / (size * (size - 1))
    return float(values.mean()), float(values.std())


def precision_and_recall(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """The share of generated pictures near real ones, and of real ones near generated ones (Kynkaanniemi et al. 2019).

    A picture is near another one if it is within that one's distance to its third nearest neighbour in its own set.
    Raises UserError for fewer than four rows.
    """
    _check_width(real, fake)
    if min(len(real), len(fake)) <= NEIGHBOURS:
        raise UserError(f"Precision and recall need at least {NEIGHBOURS + 1} pictures in each set; add more.")
    fake_radii, near, covered = _radii(fake), torch.zeros(len(fake), dtype=torch.bool), 0
    for some, radii in zip(real.split(ROWS), _radii(real).split(ROWS), strict=True):
        between = _distances(some, fake)  # (ROWS, n_fake)
        near |= (between <= radii[:, None]).any(dim=0)
        covered += int((between <= fake_radii).any(dim=1).sum())
    return float(near.double().mean()), covered / len(real)


def _checked(gaussian: Gaussian) -> Gaussian:
    if not (gaussian.mean.isfinite().all() and gaussian.factor.isfinite().all()):
        raise UserError("The features contain NaN or infinity; check the pictures and the network.")
    return gaussian


def _check_count(count: int) -> None:
    if count < 2:
        raise UserError(f"FID needs at least 2 pictures in each set, not {count}; add more.")


def _check_width(first: Tensor, second: Tensor) -> None:
    if first.shape[-1] != second.shape[-1]:
        raise UserError(f"{first.shape[-1]} features cannot be compared with {second.shape[-1]}; use the same network.")


def _kernel_sums(first: Tensor, second: Tensor, a: Tensor, b: Tensor, with_equal: bool) -> Tensor:
    """The sum of the kernel of KID over the pairs of rows in each pair of subsets, if asked without those of one row.

    Takes rows (n, d), (m, d), and for each subset 1 for its rows and 0 for others, (SUBSETS, n), (SUBSETS, m).
    """
    sums = torch.zeros(SUBSETS).double()
    for i, (x, in_a) in enumerate(zip(first.split(ROWS), a.split(ROWS, dim=1), strict=True)):
        for j, (y, in_b) in enumerate(zip(second.split(ROWS), b.split(ROWS, dim=1), strict=True)):
            kernel = (x.double() @ y.double().T / x.shape[1] + 1) ** 3
            if i == j and not with_equal:
                kernel.fill_diagonal_(0)
            sums += (in_a @ kernel * in_b).sum(dim=1)
    return sums


def _distances(some: Tensor, features: Tensor) -> Tensor:
    """Distances between rows; 0 between equal ones, in spite of rounding: (n, d), (m, d) -> (n, m)."""
    some, parts = some.double(), []
    for others in map(Tensor.double, features.split(ROWS)):
        sizes = some.square().sum(dim=1)[:, None] + others.square().sum(dim=1)
        squared = sizes - 2 * some @ others.T
        parts.append(squared.where(squared > ROUNDING * sizes, 0).sqrt())
    return torch.cat(parts, dim=1)


def _radii(features: Tensor) -> Tensor:
    """The distance of each row to its third nearest neighbour."""
    nearest = NEIGHBOURS + 1  # with the row itself
    return torch.cat([_distances(some, features).kthvalue(nearest, dim=1).values for some in features.split(ROWS)])
