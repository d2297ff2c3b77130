"""The sliced Wasserstein distance between Laplacian pyramids of two sets of pictures (Karras et al. 2018).

It compares patches of 7x7 pixels at each resolution, so it does not depend on what a network learned from ImageNet. A
set is summarised by its distributions along fixed random directions; a summary can be stored without the pictures.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

PICTURES = 500  # of a set; more are not used, as the distance depends on their number
SIDE = 128  # pixels to which pictures are resized
PATCH = 7  # pixels
PARTS = 7  # of the directions, to save memory
PATCHES = 128  # of each picture at each level
BASES = 4  # random orthonormal bases of directions; they agree better than as many independent directions
NARROWEST, GROWTH, WIDEST = 1 / (PICTURES * PATCHES), 0.1, 1 / 64  # bins of a projection, as shares of its values
COARSEST = 16  # pixels of the last level's side
LEAST_DEVIATION = 0.1  # in gray levels; less is rounding, not detail
CHUNK = 25  # pictures whose pyramids are built at a time, so that they fit into a CPU's caches


def resized(pictures: Tensor) -> Tensor:
    """Pictures for `summarise`: uint8 (N, 3, H, W) -> uint8 (N, 3, 128, 128), antialiased."""
    if pictures.shape[-2:] == (SIDE, SIDE):
        return pictures
    return interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)


def content_keys(pictures: Tensor) -> Tensor:
    """A hash of the bytes of each picture: uint8 (N, ...) -> int64 (N,).

    The pictures with the smallest keys are a random choice from a set that does not depend on their order.
    """
    digests = [hashlib.blake2b(each.tobytes(), digest_size=8).digest() for each in pictures.contiguous().numpy()]
    return torch.from_numpy(np.frombuffer(b"".join(digests), np.dtype("<i8")).astype(np.int64))


def summarise(pictures: Tensor) -> Tensor:
    """Mean values in the bins of projected patches: uint8 (N, 3, 128, 128) -> float16 (4, directions, bins).

    The finest level comes first. The order of the pictures does not matter; of more than PICTURES, those with the
    smallest keys are used. The values of each level are normalised by the mean and deviation of each colour.
    """
    pictures = pictures[content_keys(pictures).argsort(stable=True)[:PICTURES]]
    levels = len(_pyramid(pictures[:1]))
    chance = torch.Generator().manual_seed(0)
    patches: list[list[Tensor]] = [[] for _ in range(levels)]
    for some in pictures.split(CHUNK):
        for level, found in zip(_pyramid(some), patches, strict=True):
            found.append(_patches(level, chance))
    bases = _bases()
    return torch.stack([_bins(_normalise(torch.cat(patches.pop(0))), bases) for _ in range(levels)]).half()


def sliced_wasserstein(first: Tensor, second: Tensor) -> list[float]:
    """The distance at each level, the finest first, times 1000: the mean over directions of the mean of |a - b|.

    Takes two results of `summarise`. It falls with the number of pictures, like FID. Values a and b are those of the
    same rank; in bins, the distance is up to 0.5 % smaller.
    """
    widths = torch.from_numpy(np.diff(_edges())).float()
    return (1000 * ((first.float() - second.float()).abs() @ widths).mean(dim=1)).tolist()


def _bases() -> Tensor:
    """Orthonormal bases of the space of patches, always the same: (BASES, 147, 147)."""
    size = 3 * PATCH**2
    return torch.linalg.qr(torch.randn(BASES, size, size, generator=torch.Generator().manual_seed(0))).Q


def _normalise(patches: Tensor) -> Tensor:
    """Give patches mean 0 and deviation 1 in each colour, in place: (n, 3, 49) -> (n, 147)."""
    deviation, mean = torch.std_mean(patches, dim=(0, 2), keepdim=True)
    return patches.sub_(mean).div_(deviation.clamp_min(LEAST_DEVIATION)).flatten(1)


def _edges() -> np.ndarray:
    """The edges of the bins, from 0 to 1: narrow at both ends, where few values make up much of the distance."""
    edges = [0.0]
    while edges[-1] < 0.5:
        edges.append(min(edges[-1] + min(max(NARROWEST, GROWTH * edges[-1]), WIDEST), 0.5))
    return np.array([*edges, *(1 - edge for edge in reversed(edges[:-1]))])


def _bins(values: Tensor, bases: Tensor) -> Tensor:
    """Mean values in the bins of sorted projections: (n, 147), (b, d, 147) -> (b * d, bins)."""
    edges, means = _edges(), []
    whole, part = np.divmod(edges * len(values), 1)
    whole = whole.astype(int)
    for directions in bases:  # one at a time, to save memory
        projected = (directions @ values.T).numpy()
        projected.sort(axis=1)  # many times as fast as torch.sort
        for some in np.array_split(projected, PARTS):
            padded = np.pad(some, ((0, 0), (0, 1)))
            sums = np.cumsum(np.pad(some, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
            upto = sums[:, whole] + part * padded[:, whole]  # the sum of the smallest values
            means.append(torch.from_numpy(np.diff(upto, axis=1) / np.diff(edges) / len(values)))
    return torch.cat(means)


def _pyramid(pictures: Tensor) -> list[Tensor]:
    """What each level adds to the coarser ones, float32 in [-255, 255]; the coarsest level is the picture itself."""
    levels, current = [], pictures.float()
    while current.shape[-1] > COARSEST:
        coarser = _filtered(current, 2)
        levels.append(current - _doubled(coarser))
        current = coarser
    return [*levels, current]


def _doubled(pictures: Tensor) -> Tensor:
    """Zeros between the pixels, then the binomial filter: (N, C, S, S) -> (N, C, 2S, 2S)."""
    spread = pictures.new_zeros(*pictures.shape[:2], *(2 * side for side in pictures.shape[-2:]))
    spread[..., ::2, ::2] = 4 * pictures
    return _filtered(spread)


def _filtered(pictures: Tensor, stride: int = 1) -> Tensor:
    """The binomial filter [1 4 6 4 1] / 16 along each axis: (N, C, S, S) -> (N, C, S/stride, S/stride)."""
    for axis in (2, 3):  # sums of shifted pictures are faster than a convolution of one channel
        size = pictures.shape[axis]
        padded = pad(pictures, (2, 2, 0, 0) if axis == 3 else (0, 0, 2, 2), mode="reflect")
        a, b, c, d, e = (padded.narrow(axis, shift, size) for shift in range(5))
        summed = (a + e + 4 * (b + d) + 6 * c) / 16
        pictures = summed[:, :, ::stride] if axis == 2 else summed[..., ::stride]
    return pictures


def _patches(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Patches at random places, PATCHES a picture: (N, 3, S, S) -> (N * PATCHES, 3, PATCH * PATCH)."""
    count, channels, height, width = pictures.shape
    top = torch.randint(height - PATCH + 1, (count, PATCHES, 1), generator=random)
    left = torch.randint(width - PATCH + 1, (count, PATCHES, 1), generator=random)
    inside = torch.arange(PATCH)
    offsets = (inside[:, None] * width + inside).flatten()  # (49,)
    indices = (top * width + left + offsets).flatten(1)  # (N, PATCHES * 49)
    flat = pictures.reshape(count, channels, height * width)
    found = flat.gather(2, indices[:, None].expand(-1, channels, -1))  # (N, 3, PATCHES * 49)
    return found.unflatten(2, (PATCHES, PATCH**2)).transpose(1, 2).flatten(0, 1)
