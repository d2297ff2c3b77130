"""A fast generator with sub-pixel convolutions, which run at low resolution (Shi et al. 2016).

* `shuffle`: 2,154,864 parameters.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ganopt.models.networks.base import LATENT_SIZE, Generator
from ganopt.models.networks.dcgan import StagedGenerator
from ganopt.models.networks.registry import Architecture, register


class SubpixelGenerator(StagedGenerator):
    """A generator with a PixelShuffle after each convolution."""

    cpu_batch: ClassVar[int] = 1  # on a CPU, the rounding of its convolutions depends on the batch size


@register("shuffle", "generator")
def shuffle(architecture: Architecture) -> Generator:
    """Convolutions on 1x1, 8x8, 16x16 and 32x32 pixels, for any side of the picture."""
    first, second, third = (width // architecture.divisor for width in (192, 96, 64))
    return SubpixelGenerator(
        [
            _spread(LATENT_SIZE, first, kernel=1, factor=8),
            _spread(first, second, kernel=3, factor=2),
            _spread(second, third, kernel=3, factor=2),
            _spread(third, 3, kernel=3, factor=architecture.side // 32, last=True),
        ]
    )


class _PixelShuffle(nn.PixelShuffle):
    """PixelShuffle with output in channels-last: on a CPU, the next convolution then takes two thirds of the time."""

    def forward(self, input: Tensor) -> Tensor:
        # (N, C r^2, side, side) -> (N, C, r side, r side)
        return super().forward(input).contiguous(memory_format=torch.channels_last)


def _spread(width_in: int, width_out: int, kernel: int, factor: int, last: bool = False) -> nn.Sequential:
    convolution = nn.Conv2d(width_in, width_out * factor**2, kernel, padding=kernel // 2)
    if last:
        return nn.Sequential(convolution, _PixelShuffle(factor), nn.Tanh())
    return nn.Sequential(convolution, _PixelShuffle(factor), nn.BatchNorm2d(width_out), nn.ReLU(inplace=True))
