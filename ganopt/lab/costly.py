"""Models that are costly to call, to be replaced by a surrogate: a cheap function that is known, and verdicts on faces.

The objects of each are vectors whose components have mean 0 and variance 1.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.metrics import eyes
from ganopt.models import zoo
from ganopt.models.networks import LATENT_SIZE, Generator
from ganopt.models.sampling import draw, inference_copy

MODEL, ANIMAL = "cats-fast", "cat"


@dataclass(frozen=True)
class Costly:
    """A costly model: `objects(count, chance)` draws (N, size), `call` maps them to (N,)."""

    objects: Callable[[int, torch.Generator], Tensor]
    call: Callable[[Tensor], Tensor]


def friedman(x: Tensor) -> Tensor:
    """Friedman 1991: 10 sin(pi u1 u2) + 20 (u3 - 1/2)^2 + 10 u4 + 5 u5, u from 0 to 1; the other components do nothing.

    (N, size) -> (N,); u is x moved and scaled, as x is uniform with variance 1.
    """
    u = x / math.sqrt(12) + 0.5
    return 10 * torch.sin(math.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4]


def warmth(latents: Tensor) -> Tensor:
    """How much redder than blue the faces of latents (N, 100) are on average, in levels of 255: (N,)."""
    means = _faces(latents).float().mean((2, 3))
    return means[:, 0] - means[:, 2]


def mismatch(latents: Tensor) -> Tensor:
    """How much the eyes of the faces of latents (N, 100) differ: (N,)."""
    return eyes.load(ANIMAL).mismatch(_faces(latents))


def _faces(latents: Tensor) -> Tensor:
    return draw(_generator(), latents[..., None, None])


@functools.cache
def _generator() -> Generator:
    return inference_copy(zoo.load(MODEL), torch.device("cpu"))


def _uniform(count: int, chance: torch.Generator) -> Tensor:
    return math.sqrt(12) * (torch.rand(count, 10, generator=chance) - 0.5)


def _latents(count: int, chance: torch.Generator) -> Tensor:
    return torch.randn(count, LATENT_SIZE, generator=chance)


COSTLY = {
    "known function": Costly(_uniform, friedman),
    "colour of a face": Costly(_latents, warmth),
    "eyes of a face": Costly(_latents, mismatch),
}
