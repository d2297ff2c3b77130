"""Distributions on the line: data to imitate, noise, and what a generator makes of the noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

NOISE = ("uniform", "Gaussian")  # U(-1, 1) and N(0, 1)


@dataclass(frozen=True)
class Mixture:
    """A mixture of equally likely normal distributions, or of uniform ones, with these centres and half widths.

    The half width of a normal distribution is its standard deviation.
    """

    centres: tuple[float, ...]
    width: float
    uniform: bool = False

    @property
    def mean(self) -> float:
        """The mean."""
        return float(np.mean(self.centres))

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return math.sqrt(np.var(self.centres) + self.width**2 / (3 if self.uniform else 1))

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """Points (count, 1)."""
        centres = torch.tensor(self.centres)[torch.randint(len(self.centres), (count, 1), generator=chance)]
        if self.uniform:
            return centres + self.width * (2 * torch.rand(count, 1, generator=chance) - 1)
        return centres + self.width * torch.randn(count, 1, generator=chance)

    def density(self, x: np.ndarray) -> np.ndarray:
        """p(x)."""
        scaled = (np.asarray(x)[..., None] - self.centres) / self.width
        each = (np.abs(scaled) <= 1) / 2 if self.uniform else np.exp(-(scaled**2) / 2) / math.sqrt(2 * math.pi)
        return each.mean(-1) / self.width

    def quantiles(self, count: int) -> np.ndarray:
        """`count` points from left to right, each of the same probability."""
        reach = max(map(abs, self.centres)) + 6 * self.width
        grid = np.linspace(-reach, reach, 40_001)
        below = np.cumsum(self.density(grid))
        return np.interp(_middles(count), below / below[-1], grid)

    def edges(self) -> Sequence[float]:
        """Where the density jumps."""
        return [centre + side * self.width for centre in self.centres for side in (-1, 1)] if self.uniform else []


DATA = {
    "Gaussian": Mixture((1.5,), 0.6),
    "mixture": Mixture((-1.5, 1.5), 0.4),
    "uniform": Mixture((0.5,), 1.2, uniform=True),
}


def draw_noise(kind: str, count: int, chance: torch.Generator) -> Tensor:
    """Noise (count, 1) of a kind of NOISE."""
    if kind == "uniform":
        return 2 * torch.rand(count, 1, generator=chance) - 1
    return torch.randn(count, 1, generator=chance)


def noise_quantiles(kind: str, count: int) -> Tensor:
    """Noise (count, 1) from left to right, each value of the same probability."""
    middles = torch.from_numpy(_middles(count)).float()[:, None]
    return 2 * middles - 1 if kind == "uniform" else math.sqrt(2) * torch.erfinv(2 * middles - 1)


def generated(generator: nn.Module, noise: str, count: int) -> np.ndarray:
    """What a generator makes of `count` equally likely values of the noise, in their order."""
    with torch.no_grad():
        return generator(noise_quantiles(noise, count))[:, 0].double().numpy()


def density_of(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """q between neighbouring edges, p_z / |G'| summed over all z: from the equally likely points of `generated`."""
    return np.histogram(points, edges)[0] / len(points) / np.diff(edges)


def wasserstein(points: np.ndarray, data: Mixture) -> float:
    """The distance W1 of equally likely points to the data: the mean of |F^-1 - G^-1|."""
    return float(np.abs(np.sort(points) - data.quantiles(len(points))).mean())


def optimal_critic(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The best critic for a fixed generator, p / (p + q); 1/2 where both are 0."""
    return np.divide(p, p + q, out=np.full_like(p, 0.5), where=p + q > 0)


def _middles(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count
