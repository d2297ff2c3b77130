"""The thesis's networks, which follow DCGAN (Radford et al. 2016), and narrower or smaller variants of them.

* `big`: the generator of the thesis's models 1 and 2 (47,859,331 parameters);
* `kd`: the small generator of the thesis's distillation (9,869,123 parameters);
* `critic`: the thesis's critic, with InstanceNorm; `kd-critic`: with a sigmoid; `plain-critic`: without normalisation.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganopt.models.networks.base import LATENT_SIZE, Critic, Generator
from ganopt.models.networks.convolutions import convolution, transposed_convolution
from ganopt.models.networks.folding import fold_stages
from ganopt.models.networks.initialisation import he_init, initialise, normal_init
from ganopt.models.networks.registry import Architecture, register


class StagedGenerator(Generator):
    """A generator of stages (convolution, ..., BatchNorm, ReLU); the last one ends in Tanh."""

    def __init__(self, stages: Sequence[nn.Module]):
        super().__init__()
        self.layers = nn.Sequential(*stages)
        initialise(self, normal_init)

    @property
    def stages(self) -> nn.Sequential:
        return self.layers

    def forward(self, z: Tensor) -> Tensor:
        # big: (N, 100, 1, 1) -> (N, 2048, 4, 4) -> (N, 1024, 8, 8) -> ... -> (N, 128, 64, 64) -> (N, 3, 128, 128)
        # kd: (N, 100, 1, 1) -> (N, 512, 4, 4) -> (N, 256, 16, 16) -> ... -> (N, 64, 64, 64) -> (N, 3, 128, 128)
        return self.layers(z)

    def folded(self) -> Generator:
        """Fold each BatchNorm into the convolution before it; rounding changes one byte in 50,000."""
        copied = super().folded()
        copied.layers = fold_stages(copied.stages)
        return copied


class StagedCritic(Critic):
    """One score for each picture: stages (convolution, normalisation, LeakyReLU) and a final convolution."""

    def __init__(self, architecture: Architecture, normalised: bool):
        super().__init__()
        width, stages = 64 // architecture.divisor, []
        width_in, side = 3, architecture.side
        while side > 4:
            stages.append(_down(width_in, width, normalised))
            width_in, width, side = width, width * 2, side // 2
        stages.append(nn.Sequential(nn.Conv2d(width_in, 1, 4)))
        self.layers = nn.Sequential(*stages)
        initialise(self, normal_init if normalised else he_init)

    @property
    def stages(self) -> nn.Sequential:
        return self.layers

    def scores(self, x: Tensor) -> Tensor:
        # (N, 3, 128, 128) -> (N, 64, 64, 64) -> (N, 128, 32, 32) -> ... -> (N, 1024, 4, 4) -> (N, 1, 1, 1)
        return self.layers(x).flatten(1)  # (N, 1, 1, 1) -> (N, 1)

    def features(self, x: Tensor) -> Tensor:
        """Activations before the final convolution, (N, 3, side, side) -> (N, C, 4, 4)."""
        return self.layers[:-1](x)  # (N, 3, 128, 128) -> (N, 1024, 4, 4)


class SigmoidCritic(StagedCritic):
    """A critic that returns a probability. Losses use its `scores`, the logits."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.scores(x))  # (N, 3, side, side) -> (N, 1)


@register("big", "generator", inherits=True)
def big(architecture: Architecture) -> StagedGenerator:
    """100 -> 2048 channels of 4x4 pixels; each further stage halves the width and doubles the side."""
    return StagedGenerator(_stages(architecture, 2048, kernel_of_second=4))


@register("kd", "generator", inherits=True)
def kd(architecture: Architecture) -> StagedGenerator:
    """100 -> 512 channels of 4x4 pixels; the second stage quadruples the side, which saves a stage."""
    return StagedGenerator(_stages(architecture, 512, kernel_of_second=8))


# the thesis's critic, the discriminator of its distillation, and one without normalisation, which R1 does not need
register("critic", "critic")(lambda architecture: StagedCritic(architecture, normalised=True))
register("kd-critic", "critic")(lambda architecture: SigmoidCritic(architecture, normalised=True))
register("plain-critic", "critic")(lambda architecture: StagedCritic(architecture, normalised=False))


def copy_stage(to: Any, source: Any, weight: Tensor, channels: Tensor) -> None:
    """Copy channels of a stage into another one, with these weights (in, out, k, k) of the transposed convolution."""
    to[0].weight.copy_(weight[:, channels])
    to[0].bias.copy_(source[0].bias[channels])
    if isinstance(to[1], nn.BatchNorm2d):  # not in the last stage
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(to[1], name).copy_(getattr(source[1], name)[channels])


def _stages(architecture: Architecture, width: int, kernel_of_second: int) -> list[nn.Sequential]:
    """The first stage turns a latent into 4x4 pixels. Others double the side, or quadruple it with kernel 8.

    `width` is the width of the first stage at 128 pixels; it is halved each time the side is.
    """
    width = width * architecture.side // 128 // architecture.divisor
    stages, side = [_up(LATENT_SIZE, width, kernel=4, stride=1, padding=0)], 4
    while side < architecture.side:
        kernel = kernel_of_second if len(stages) == 1 else 4
        stride, padding = kernel // 2, kernel // 4
        side *= stride
        last = side == architecture.side
        stages.append(_up(width, 3 if last else width // 2, kernel, stride, padding, last))
        width //= 2
    return stages


def _up(width_in: int, width_out: int, kernel: int, stride: int, padding: int, last: bool = False) -> nn.Sequential:
    layer = transposed_convolution(width_in, width_out, kernel, stride, padding)
    if last:
        return nn.Sequential(layer, nn.Tanh())
    return nn.Sequential(layer, nn.BatchNorm2d(width_out), nn.ReLU(inplace=True))


def _down(width_in: int, width_out: int, normalised: bool) -> nn.Sequential:
    layer, activation = convolution(width_in, width_out, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)
    if not normalised:
        return nn.Sequential(layer, activation)
    # one group per channel: the same as InstanceNorm2d(affine=True), but twice as fast with a gradient penalty
    return nn.Sequential(layer, nn.GroupNorm(width_out, width_out), activation)
