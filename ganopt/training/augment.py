"""DiffAugment (Zhao et al. 2020): the same random, differentiable augmentation for real and generated pictures.

Random numbers come from a CPU generator, so a run is repeatable on any device and by any number of processes.
"""

import torch
from torch import Tensor

from ganopt.distributed import share, whole
from ganopt.models.devices import send

POLICIES = ("color", "translation", "cutout")


def diff_augment(pictures: Tensor, policy: tuple[str, ...], random: torch.Generator) -> Tensor:
    """Augment pictures (N, 3, H, W) in [-1, 1] by each policy named, in the order of POLICIES."""
    for name in POLICIES:
        if name in policy:
            pictures = _FUNCTIONS[name](pictures, random)
    return pictures


def horizontal_flip(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Mirror each picture with probability one half."""
    flip = _uniform(pictures, random) < 0.5
    return torch.where(flip, pictures.flip(3), pictures)


def _uniform(pictures: Tensor, random: torch.Generator) -> Tensor:
    """A random number in [0, 1) for each picture, (N, 1, 1, 1)."""
    numbers = share(torch.rand(whole(len(pictures)), 1, 1, 1, generator=random))
    return send(numbers, pictures.device).to(pictures.dtype)


def _color(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Brightness +-0.5, saturation times 0 to 2, contrast times 0.5 to 1.5."""
    pictures = pictures + (_uniform(pictures, random) - 0.5)
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = torch.lerp(grey, pictures, 2 * _uniform(pictures, random))
    level = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(level, pictures, 0.5 + _uniform(pictures, random))


def _translation(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Shift by up to an eighth of the side in each direction; fill with 0."""
    count, channels, height, width = pictures.shape
    down = _shift_matrix(height, pictures, random)
    right = _shift_matrix(width, pictures, random)
    # a shift as a product with a 0/1 matrix is exact, and fast on every device, forwards and backwards
    rows = pictures.permute(0, 2, 1, 3).reshape(count, height, channels * width)
    pictures = (down @ rows).reshape(count, height, channels, width).permute(0, 2, 1, 3)
    columns = pictures.reshape(count, channels * height, width) @ right.mT
    return columns.reshape(count, channels, height, width)


def _shift_matrix(side: int, pictures: Tensor, random: torch.Generator) -> Tensor:
    """Matrices M (N, side, side); M @ column shifts a column by a random number of pixels."""
    reach = side // 8
    shifts = torch.randint(-reach, reach + 1, (whole(len(pictures)), 1, 1), generator=random)
    shift = send(share(shifts), pictures.device)
    index = torch.arange(side, device=pictures.device)
    return (index[:, None] == index[None, :] + shift).to(pictures.dtype)


def _cutout(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Set a square of half the side to 0, with its centre anywhere in the picture."""
    height, width = pictures.shape[2:]
    y = (_uniform(pictures, random) * height).floor()
    x = (_uniform(pictures, random) * width).floor()
    row = torch.arange(height, device=pictures.device).view(1, 1, -1, 1)
    column = torch.arange(width, device=pictures.device).view(1, 1, 1, -1)
    hole = _within(row - y, height // 4) & _within(column - x, width // 4)
    return pictures.masked_fill(hole, 0.0)


def _within(distance: Tensor, reach: int) -> Tensor:
    return (distance >= -reach) & (distance < reach)


_FUNCTIONS = {"color": _color, "translation": _translation, "cutout": _cutout}
