"""The sliced Wasserstein distance between Laplacian pyramids of two sets of pictures (Karras et al. 2018).

It compares patches of 7x7 pixels at each resolution, so it does not depend on what a network learned from ImageNet. A
set is summarised by quantiles along fixed random directions; such a summary can be stored without the pictures.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

PICTURES = 500  # of a set; more are not used, as the distance depends on their number
SIDE = 128  # pixels to which pictures are resized
PATCH = 7  # pixels
PATCHES = 128  # of each picture at each level
DIRECTIONS = 128  # random projections
QUANTILES = 128
COARSEST = 16  # pixels of the last level's side
CHUNK = 25  # pictures whose pyramids are built at a time, so that they fit into a CPU's caches
BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def resized(pictures: Tensor) -> Tensor:
    """Pictures for `summarise`: uint8 (N, 3, H, W) -> uint8 (N, 3, 128, 128), antialiased."""
    if pictures.shape[-2:] == (SIDE, SIDE):
        return pictures
    return interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)


def summarise(pictures: Tensor) -> Tensor:
    """Quantiles of projected patches, the finest level first: uint8 (N, 3, 128, 128) -> (4, DIRECTIONS, QUANTILES).

    Only the first PICTURES are used, at places and along directions that are the same for each set. The values of each
    level are normalised by the mean and deviation of each colour.
    """
    levels = len(_pyramid(pictures[:1]))
    places = [torch.Generator().manual_seed(0) for _ in range(levels)]
    patches: list[list[Tensor]] = [[] for _ in range(levels)]
    for some in pictures[:PICTURES].split(CHUNK):
        for level, random, found in zip(_pyramid(some), places, patches, strict=True):
            found.append(_patches(level, random))
    directions = torch.randn(DIRECTIONS, 3 * PATCH**2, generator=torch.Generator().manual_seed(0))
    directions /= directions.norm(dim=1, keepdim=True)
    return torch.stack([_quantiles(torch.cat(found), directions) for found in patches])


def sliced_wasserstein(first: Tensor, second: Tensor) -> list[float]:
    """The distance at each level, the finest first, times 1000: the mean of |quantile - quantile| over all directions.

    Takes two results of `summarise`. It falls with the number of pictures, like FID.
    """
    return (1000 * (first - second).abs().mean(dim=(1, 2))).tolist()


def _quantiles(patches: Tensor, directions: Tensor) -> Tensor:
    """Quantiles along each direction: (n, 3, 49), (DIRECTIONS, 147) -> (DIRECTIONS, QUANTILES)."""
    deviation, mean = torch.std_mean(patches, dim=(0, 2), keepdim=True)
    values = ((patches - mean) / deviation.clamp_min(1e-8)).flatten(1)  # (n, 147)
    projected = np.sort((directions @ values.T).numpy(), axis=1)  # many times as fast as torch.sort
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES * projected.shape[1]
    return torch.from_numpy(projected[:, middles.astype(int)])


def _pyramid(pictures: Tensor) -> list[Tensor]:
    """What each level adds to the coarser ones, float32 in [-255, 255]; the coarsest level is the picture itself."""
    levels, current = [], pictures.float()
    while current.shape[-1] > COARSEST:
        coarser = _halved(current)
        levels.append(current - interpolate(coarser, scale_factor=2, mode="bilinear", align_corners=False))
        current = coarser
    return [*levels, current]


def _halved(pictures: Tensor) -> Tensor:
    """The binomial filter of five taps along each axis, at every second pixel: (N, C, S, S) -> (N, C, S/2, S/2)."""
    flat = pictures.flatten(0, 1)[:, None]  # (N * C, 1, S, S)
    across = conv2d(pad(flat, (2, 2, 0, 0), mode="reflect"), BINOMIAL.view(1, 1, 1, 5), stride=(1, 2))
    down = conv2d(pad(across, (0, 0, 2, 2), mode="reflect"), BINOMIAL.view(1, 1, 5, 1), stride=(2, 1))
    return down.view(*pictures.shape[:2], *down.shape[-2:])


def _patches(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Patches at random places, PATCHES a picture: (N, 3, S, S) -> (N * PATCHES, 3, PATCH * PATCH)."""
    count, channels, height, width = pictures.shape
    top = torch.randint(height - PATCH + 1, (count, PATCHES, 1), generator=random)
    left = torch.randint(width - PATCH + 1, (count, PATCHES, 1), generator=random)
    inside = torch.arange(PATCH)
    offsets = (inside[:, None] * width + inside).flatten()  # (49,)
    places = (top * width + left + offsets).flatten(1)  # (N, PATCHES * 49)
    flat = pictures.reshape(count, channels, height * width)
    found = flat.gather(2, places[:, None].expand(-1, channels, -1))  # (N, 3, PATCHES * 49)
    return found.unflatten(2, (PATCHES, PATCH**2)).transpose(1, 2).flatten(0, 1)
