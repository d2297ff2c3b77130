"""A generator with resize convolutions and skip-layer excitation (FastGAN, Liu et al. 2021).

* `sle`: 6,086,371 parameters;
* `sle-thin`: half as wide at 4x4 pixels, where most of the parameters are.

A map scales the channels of another one of sixteen times its side, so that the layout of a picture reaches the fine
layers, and gradients the coarse ones, on a short way.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganopt.models.networks.base import LATENT_SIZE, Generator
from ganopt.models.networks.dcgan import StagedGenerator
from ganopt.models.networks.initialisation import initialise, normal_init
from ganopt.models.networks.registry import Architecture, register

WIDTHS = {4: 512, 8: 256, 16: 128, 32: 96, 64: 64, 128: 32}  # channels by side in pixels
THIN = WIDTHS | {4: 256}
DEEP = (16, 32)  # sides with a second convolution
SPAN = 16  # between the sides of a map and of the one whose channels it scales


class ExcitationGenerator(StagedGenerator):
    """A stage for each side, from 4 pixels to the picture's, then one to colours."""

    cpu_batch: ClassVar[int] = 1  # on a CPU, the rounding of its convolutions depends on the batch size

    def __init__(self, widths: dict[int, int]):
        first, *others = widths.values()
        stages = [nn.Sequential(nn.ConvTranspose2d(LATENT_SIZE, 2 * first, 4), nn.BatchNorm2d(2 * first), nn.GLU(1))]
        for below, (side, width) in zip(widths.values(), list(widths.items())[1:], strict=False):
            layers = _convolution(below, width)
            if side in DEEP:
                layers += _convolution(width, width)
            stages.append(nn.Sequential(*layers))
        stages.append(nn.Sequential(nn.Conv2d(others[-1], 3, 3, padding=1), nn.Tanh()))
        scaled = (side for side in widths if side // SPAN in widths)
        gates = {str(side): _gate(widths[side // SPAN], widths[side]) for side in scaled}
        super().__init__(stages)
        self.sides = tuple(widths)
        self.gates = nn.ModuleDict(gates)
        initialise(self.gates, normal_init)

    def forward(self, z: Tensor) -> Tensor:
        x = z
        maps: dict[int, Tensor] = {}
        for side, stage in zip(self.sides, self.layers, strict=False):
            x = x if side == self.sides[0] else interpolate(x, scale_factor=2, mode="nearest")  # (N, C, side, side)
            x = stage(x)  # (N, 100, 1, 1) -> (N, 512, 4, 4); (N, 512, 8, 8) -> (N, 256, 8, 8); ...
            if str(side) in self.gates:
                x = x * self.gates[str(side)](maps[side // SPAN])  # by factors (N, C, 1, 1)
            maps[side] = x
        return self.layers[-1](x)  # (N, 32, 128, 128) -> (N, 3, 128, 128)


# 100 -> 512 or 256 channels of 4x4 pixels; each further stage doubles the side
register("sle", "generator")(lambda architecture: _generator(architecture, WIDTHS))
register("sle-thin", "generator")(lambda architecture: _generator(architecture, THIN))


def _generator(architecture: Architecture, widths: dict[int, int]) -> Generator:
    chosen = {side: width for side, width in widths.items() if side <= architecture.side}
    return ExcitationGenerator({side: max(width // architecture.divisor, 1) for side, width in chosen.items()})


def _convolution(width_in: int, width_out: int) -> list[nn.Module]:
    """A convolution whose output is multiplied by a sigmoid of as many further channels."""
    return [nn.Conv2d(width_in, 2 * width_out, 3, padding=1), nn.BatchNorm2d(2 * width_out), nn.GLU(1)]


def _gate(width_in: int, width_out: int) -> nn.Sequential:
    """Factors of channels, (N, C, side, side) -> (N, C', 1, 1) in [0, 1]."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(4),
        nn.Conv2d(width_in, width_out, 4),
        nn.SiLU(),
        nn.Conv2d(width_out, width_out, 1),
        nn.Sigmoid(),
    )
