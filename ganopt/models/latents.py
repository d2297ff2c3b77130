"""Seeds, latents and walks between them. Latents are drawn on the CPU: a seed is the same face on every machine."""

import math
import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models.networks import LATENT_SIZE

FIXED_SEEDS = tuple(range(6))  # the six latents of a run's previews
MAX_SEED = 2**32 - 1


def latent(seed: int) -> Tensor:
    """The latent of a seed: (100, 1, 1), float32, standard normal."""
    draw = np.random.RandomState(seed).standard_normal(LATENT_SIZE)
    return torch.from_numpy(draw.astype(np.float32)).reshape(LATENT_SIZE, 1, 1)


def latents(seeds: list[int] | tuple[int, ...] | range) -> Tensor:
    """The latents of many seeds: (N, 100, 1, 1), float32."""
    return torch.stack([latent(seed) for seed in seeds])


def parse_seeds(text: str, limit: int) -> list[int]:
    """Parse a list of seeds such as `0-8, 42, 100-103`, in the order written, at most `limit` of them.

    Raises UserError for any other text.
    """
    seeds: list[int] = []
    for part in filter(None, re.split(r"[,;\s]+", re.sub(r"\s*-\s*(?=\d)", "-", text.strip()))):
        match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
        if not match:
            raise UserError(f"'{part[:40]}' is not a seed; write whole numbers from 0 and ranges, as in 0-8, 42.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UserError(f"The range {part} runs backwards; write {last}-{first}.")
        if last > MAX_SEED:
            raise UserError(f"The seed {last} is too large; use at most {MAX_SEED}.")
        if len(seeds) + last - first + 1 > limit:
            raise UserError(f"These are more than {limit} seeds; use fewer at a time.")
        seeds.extend(range(first, last + 1))
    if not seeds:
        raise UserError("There are no seeds; write some, as in 0-8, 42.")
    return seeds


def format_seeds(seeds: Sequence[int]) -> str:
    """The shortest text for these seeds, the inverse of `parse_seeds`."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def slerp(start: Tensor, end: Tensor, t: float) -> Tensor:
    """Spherical interpolation between two latents of the same shape, t in [0, 1] (Shoemake 1985).

    Direction and length are interpolated separately; t = 0 and t = 1 return the ends exactly.
    """
    if t in (0.0, 1.0):
        return (end if t else start).clone()
    length_start, length_end = start.norm(), end.norm()
    a, b = start / length_start, end / length_end
    angle = torch.arccos((a * b).sum().clamp(-1.0, 1.0))
    length = torch.lerp(length_start, length_end, t)
    if angle.sin() < 1e-4:  # parallel: the straight line is the arc
        return torch.lerp(start, end, t)
    return length * (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / angle.sin()


def interpolate(first: int, last: int, frames: int) -> Tensor:
    """Latents (frames, 100, 1, 1) from one seed to another, both ends included."""
    start, end = latent(first), latent(last)
    return torch.stack([slerp(start, end, i / max(frames - 1, 1)) for i in range(frames)])


def map_latent(x: float, y: float) -> Tensor:
    """The latent at a point of the endless map of faces: (100, 1, 1).

    Points with whole coordinates are seeds, `x + 100 y`, as in StyleGAN3's visualiser (Karras et al. 2021). Between
    them, the latent is a bilinear mean divided by the norm of its weights, which keeps it standard normal.
    """
    left, top = math.floor(x), math.floor(y)
    mix, squares = torch.zeros(LATENT_SIZE, 1, 1), 0.0
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (1 - abs(x - left - column)) * (1 - abs(y - top - row))
        if weight > 0:
            mix += weight * latent((left + column + 100 * (top + row)) % (MAX_SEED + 1))
            squares += weight**2
    return mix / math.sqrt(squares)


def map_position(seed: int) -> tuple[int, int]:
    """The position of a seed on the map, x from 0 to 99: the inverse of `map_latent` at whole coordinates."""
    return seed % 100, seed // 100
