"""Diffusion (Sohl-Dickstein et al. 2015; Ho et al. 2020): schedules, the forward process, and two ways back.

Points are (N, n); times t are from 1 to T.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Model = Callable[[Tensor, Tensor], Tensor]  # the noise in x_t (N, n), from x_t and t (N,)


@dataclass(frozen=True)
class Schedule:
    """The variances beta_1 ... beta_T of the noise of each step, float64 (T,)."""

    betas: Tensor

    @property
    def kept(self) -> Tensor:
        """alpha-bar_t = prod (1 - beta_s) for t from 0 to T, float64 (T + 1,)."""
        return torch.cat((torch.ones(1, dtype=torch.float64), torch.cumprod(1 - self.betas, 0)))

    @property
    def steps(self) -> int:
        """T."""
        return len(self.betas)

    def moments(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The factor of x_0 in the mean of q(x_t | x_0) and its standard deviation, each float32 (N, 1)."""
        kept = self.kept[t][:, None]
        return kept.sqrt().float(), (1 - kept).sqrt().float()

    def noised(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) noise."""
        factor, deviation = self.moments(t)
        return factor * x + deviation * noise


def linear(steps: int) -> Schedule:
    """Ho et al. 2020: from 1e-4 to 0.02 with T = 1000; with fewer steps, larger ones that end at the same noise."""
    scale = 1000 / steps
    return Schedule(torch.linspace(1e-4 * scale, min(0.02 * scale, 0.999), steps, dtype=torch.float64))


def cosine(steps: int) -> Schedule:
    """Nichol and Dhariwal 2021: alpha-bar falls as the square of a cosine."""
    place = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    kept = torch.cos((place + 0.008) / 1.008 * math.pi / 2) ** 2
    return Schedule((1 - kept[1:] / kept[:-1]).clamp(max=0.999))


SCHEDULES = {"linear": linear, "cosine": cosine}


def recursion(schedule: Schedule) -> tuple[Tensor, Tensor]:
    """The factor of the mean and the variance of q(x_t | x_0), step by step, each float64 (T + 1,)."""
    means, variances = [1.0], [0.0]
    for beta in schedule.betas.tolist():
        means.append(math.sqrt(1 - beta) * means[-1])
        variances.append((1 - beta) * variances[-1] + beta)
    return torch.tensor(means, dtype=torch.float64), torch.tensor(variances, dtype=torch.float64)


def loss(model: Model, schedule: Schedule, x: Tensor, chance: torch.Generator) -> Tensor:
    """E || noise - model(x_t, t) ||^2 with t uniform from 1 to T."""
    t = torch.randint(1, schedule.steps + 1, (len(x),), generator=chance)
    noise = torch.randn(x.shape, generator=chance)
    return ((model(schedule.noised(x, t, noise), t) - noise) ** 2).mean()


def reverse(
    model: Model, schedule: Schedule, x: Tensor, steps: int, fresh: float, chance: torch.Generator
) -> Iterator[tuple[int, Tensor]]:
    """From noise x_T back to x_0 in some steps: yields (t, x_t), the first with t = T, the last with t = 0.

    `fresh` is the share of DDPM's fresh noise, eta: 1 is DDPM, 0 is DDIM (Song et al. 2021), which draws none.
    """
    kept, times = schedule.kept, torch.linspace(schedule.steps, 0, steps + 1).round().long().tolist()
    yield times[0], x
    for now, after in zip(times, times[1:], strict=False):
        a, b = kept[now].item(), kept[after].item()
        with torch.no_grad():
            noise = model(x, torch.full((len(x),), now))
        start = (x - math.sqrt(1 - a) * noise) / math.sqrt(a)
        deviation = fresh * math.sqrt((1 - b) / (1 - a) * (1 - a / b))
        x = math.sqrt(b) * start + math.sqrt(max(1 - b - deviation**2, 0)) * noise
        if deviation and after:
            x = x + deviation * torch.randn(x.shape, generator=chance)
        yield after, x


def sliced_wasserstein(one: Tensor, other: Tensor, directions: int = 64) -> float:
    """The mean W1 of two equally many points in the plane over fixed directions."""
    angles = math.pi * torch.arange(directions) / directions
    axes = torch.stack((angles.cos(), angles.sin()))  # (2, directions)
    return ((one @ axes).sort(0).values - (other @ axes).sort(0).values).abs().mean().item()
