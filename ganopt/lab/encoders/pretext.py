"""An encoder of pictures, and tasks without labels on which it is pre-trained.

Pictures are (N, 3, side, side), codes (N, 128). A task is a loss L_t(g_t(f(x, alpha), beta_t)), with a head g_t of its
own: the position of a patch beside another (Doersch et al. 2015), the picture itself, or by how much it was turned.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, cross_entropy, mse_loss

from ganopt.lab.networks import perceptron

CODE, CHANNELS = 128, (16, 32, 32)
GAP = 1  # pixels between the cells of two patches
POSITIONS = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
Encode = Callable[[Tensor], Tensor]


class Encoder(nn.Module):
    """Three convolutions, (N, 3, side, side) -> (N, 128), for pictures and patches of any size."""

    def __init__(self, chance: torch.Generator) -> None:
        super().__init__()
        wide = (3, *CHANNELS)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(wide, CHANNELS, strict=False))
        for layer, inputs in zip(self.layers, wide, strict=False):
            for parameter in layer.parameters():
                bound = math.sqrt((3 if parameter.ndim > 1 else 1) / (9 * inputs))
                nn.init.uniform_(parameter, -bound, bound, generator=chance)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, side, side) -> (N, 128)."""
        for layer in self.layers:
            x = layer(x).relu()
        return adaptive_avg_pool2d(x, 2).flatten(1)


def patches(x: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two patches of each picture: the middle one, another, and which of the 8 positions that has, 0 to 7 (N,).

    The patches, (N, 3, size, size), are in the cells of a 3x3 grid with a gap, and each is moved at random inside its
    cell, so that lines that go on over an edge do not give the place away. Last, their corners (N, 2, 2).
    """
    count, side = len(x), x.shape[-1]
    cell = side // 3
    jitter = max(cell // 4, 1)
    size = cell - jitter - GAP
    positions = torch.randint(len(POSITIONS), (count,), generator=chance)
    cells = torch.stack((torch.ones(count, 2, dtype=torch.long), torch.tensor(POSITIONS)[positions]), 1)  # (N, 2, 2)
    corners = cell * cells + torch.randint(jitter + 1, (count, 2, 2), generator=chance)
    found = [_cut(x, corner, size) for corner in corners.unbind(1)]
    return found[0], found[1], positions, corners


def _cut(x: Tensor, corner: Tensor, size: int) -> Tensor:
    rows, columns = (corner[:, axis, None] + torch.arange(size) for axis in (0, 1))
    return x[torch.arange(len(x))[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def turned(x: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each picture turned by 0 to 3 quarters, and by how many, (N,)."""
    quarters = torch.randint(4, (len(x),), generator=chance)
    return torch.stack([each.rot90(int(times), (1, 2)) for each, times in zip(x, quarters, strict=True)]), quarters


def _position(encode: Encode, head: nn.Module, x: Tensor, chance: torch.Generator) -> Tensor:
    middle, other, positions, _ = patches(x, chance)
    one, two = encode(torch.cat((middle, other))).chunk(2)
    return cross_entropy(head(torch.cat((one, two), 1)), positions)


def _rotation(encode: Encode, head: nn.Module, x: Tensor, chance: torch.Generator) -> Tensor:
    x, quarters = turned(x, chance)
    return cross_entropy(head(encode(x)), quarters)


def _autoencoder(encode: Encode, head: nn.Module, x: Tensor, chance: torch.Generator) -> Tensor:
    return mse_loss(head(encode(x)), shrunk(x).flatten(1))


def shrunk(x: Tensor) -> Tensor:
    """The picture that an autoencoder gives back, half as large."""
    return avg_pool2d(x, 2)


LOSSES = {"rotation": _rotation, "position": _position, "autoencoder": _autoencoder}


class Tasks(nn.Module):
    """An encoder with heads for some tasks."""

    def __init__(self, tasks: Sequence[str], side: int, seed: int) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(seed)
        self.encoder = Encoder(chance)
        sizes = {
            "rotation": (CODE, 64, 4),
            "position": (2 * CODE, 64, len(POSITIONS)),
            "autoencoder": (CODE, 256, 3 * (side // 2) ** 2),
        }
        self.heads = nn.ModuleDict({task: perceptron(sizes[task], chance) for task in tasks})

    def losses(self, x: Tensor, chance: torch.Generator) -> dict[str, Tensor]:
        """The loss of each task; training minimises their sum over the encoder and all heads."""
        return {task: LOSSES[task](self.encoder, head, x, chance) for task, head in self.heads.items()}
