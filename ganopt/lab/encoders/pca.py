"""Principal components: the best that a linear autoencoder can do (Baldi and Hornik 1989)."""

import math

import torch
from torch import Tensor


def components(x: Tensor, count: int) -> Tensor:
    """The first principal axes of centred objects (N, n), as rows (count, n)."""
    return torch.linalg.svd(x.double(), full_matrices=False)[2][:count].float()


def error(x: Tensor, axes: Tensor) -> float:
    """The mean squared error, a feature, of objects (N, n) projected to the space of some axes (k, n)."""
    return (x - x @ axes.T @ axes).square().mean().item()


def angle(one: Tensor, other: Tensor) -> float:
    """The largest angle in degrees between the row spaces of two matrices (k, n)."""
    bases = [torch.linalg.qr(each.double().T)[0] for each in (one, other)]
    least = torch.linalg.svdvals(bases[0].T @ bases[1]).min().item()
    return math.degrees(math.acos(min(least, 1.0)))
