"""Penalties of autoencoders. Codes are (N, k), objects and their reconstructions (N, n); all are means over N."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import threshold


def weights_l1(weights: Iterable[Tensor]) -> Tensor:
    """||alpha|| + ||beta||: the sum of the absolute values of all weights."""
    return torch.stack([each.abs().sum() for each in weights]).sum()


def weights_l2(weights: Iterable[Tensor]) -> Tensor:
    """||alpha||^2 + ||beta||^2: the sum of the squares of all weights."""
    return torch.stack([each.square().sum() for each in weights]).sum()


def codes_l1(codes: Tensor) -> Tensor:
    """sum_j |f_j(x_i)|."""
    return codes.abs().sum(1).mean()


def sparseness(codes: Tensor, target: float) -> Tensor:
    """sum_j KL(target || rho_j), rho_j the mean of f_j, which is from 0 to 1.

    KL = target log(target / rho) + (1 - target) log((1 - target) / (1 - rho)).
    """
    mean, goal = codes.mean(0).clamp(1e-6, 1 - 1e-6), codes.new_tensor(target)
    return (goal * (goal / mean).log() + (1 - goal) * ((1 - goal) / (1 - mean)).log()).sum()


def contraction(codes: Tensor, weight: Tensor) -> Tensor:
    """||J_f(x_i)||^2 of a layer of sigmoids with the weight a (k, n) (Rifai et al. 2011).

    That is sum_jd (a_jd f_j (1 - f_j))^2.
    """
    return ((codes * (1 - codes)).square() @ weight.square().sum(1)).mean()


def relations(objects: Tensor, reconstructed: Tensor, least: float) -> Tensor:
    """The mean over pairs i < j of (s(x^_i' x^_j / n) - s(x_i' x_j / n))^2, s(t) = max(t - least, 0).

    That is the relational autoencoder's penalty, on reconstructions.
    """
    count, features = objects.shape
    one, other = (
        threshold(each @ each.T / features - least, 0.0, 0.0).triu(diagonal=1) for each in (reconstructed, objects)
    )
    return (one - other).square().sum() / (count * (count - 1) / 2)


def gaussian_kl(mean: Tensor, log_variance: Tensor, deviation: float) -> Tensor:
    """KL(N(mean, diag(variance)) || N(0, deviation^2 I)) of each object, (N,)."""
    ratio = (log_variance.exp() + mean.square()) / deviation**2
    return (ratio - 1 - log_variance + 2 * torch.tensor(deviation).log()).sum(1) / 2


def drawn_kl(mean: Tensor, log_variance: Tensor, deviation: float, draws: Tensor) -> Tensor:
    """log q(z) - log p(z) at z = mean + exp(log_variance / 2) draws, for draws (M, k) of N(0, I) and one object: (M,).

    Its mean tends to `gaussian_kl`.
    """
    z = mean + (log_variance / 2).exp() * draws
    inside, outside = draws.square() + log_variance, (z / deviation).square() + 2 * torch.tensor(deviation).log()
    return (outside - inside).sum(1) / 2
