"""The thesis's networks, of the build of DCGAN (Radford et al. 2016), and thinner or smaller ones of the same build.

* `big`: the generator of its models 1 and 2 (47,859,331 parameters);
* `kd`: the small generator of its distillation (9,869,123 parameters);
* `critic`: its critic, with InstanceNorm; `kd-critic`: behind a sigmoid; `plain-critic`: without norms.
"""

import torch
from torch import Tensor, nn

from ganopt.models.networks.base import LATENT_SIZE, Critic, Generator
from ganopt.models.networks.folding import fold_stages
from ganopt.models.networks.initialisation import he_init, initialise, normal_init
from ganopt.models.networks.registry import Architecture, register


class StagedGenerator(Generator):
    """A generator of stages (convolution, ..., BatchNorm, ReLU), the last of which ends in Tanh."""

    def __init__(self, stages: list[nn.Sequential]):
        super().__init__()
        self.layers = nn.Sequential(*stages)
        initialise(self, normal_init)

    @property
    def stages(self) -> nn.Sequential:
        return self.layers

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)

    def folded(self) -> Generator:
        """With each BatchNorm in the convolution before it: a byte in 50,000 is rounded otherwise."""
        copied = super().folded()
        copied.layers = fold_stages(copied.stages)
        return copied


class StagedCritic(Critic):
    """One score a picture, by stages (convolution, normalisation, LeakyReLU) and a scoring convolution."""

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
        return self.layers(x).flatten(1)  # (N, 1, 1, 1) -> (N, 1)

    def features(self, x: Tensor) -> Tensor:
        """Activations before the scoring convolution, (N, 3, side, side) -> (N, C, 4, 4)."""
        return self.layers[:-1](x)


class SigmoidCritic(StagedCritic):
    """A critic that answers with a probability; losses take its `scores`, which are before the sigmoid."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.scores(x))


@register("big", "generator", inherits=True)
def big(architecture: Architecture) -> Generator:
    """100 -> 2048 channels of 4x4 pixels; each later stage halves the width and doubles the side."""
    return StagedGenerator(_stages(architecture, 2048, kernel_of_second=4))


@register("kd", "generator", inherits=True)
def kd(architecture: Architecture) -> Generator:
    """100 -> 512 channels of 4x4 pixels; the second stage quadruples the side, so that it has one fewer."""
    return StagedGenerator(_stages(architecture, 512, kernel_of_second=8))


@register("critic", "critic")
def critic(architecture: Architecture) -> Critic:
    """The thesis's critic."""
    return StagedCritic(architecture, normalised=True)


@register("kd-critic", "critic")
def kd_critic(architecture: Architecture) -> Critic:
    """The discriminator of the thesis's distillation."""
    return SigmoidCritic(architecture, normalised=True)


@register("plain-critic", "critic")
def plain_critic(architecture: Architecture) -> Critic:
    """The critic without norms, which R1 does not need."""
    return StagedCritic(architecture, normalised=False)


def _stages(architecture: Architecture, width: int, kernel_of_second: int) -> list[nn.Sequential]:
    """A latent becomes 4x4 pixels; each later stage doubles the side, one of kernel 8 and stride 4 quadruples it.

    `width` is that of the first stage at 128 pixels; for smaller pictures it is halved as often as their side is.
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
    convolution = nn.ConvTranspose2d(width_in, width_out, kernel, stride, padding)
    if last:
        return nn.Sequential(convolution, nn.Tanh())
    return nn.Sequential(convolution, nn.BatchNorm2d(width_out), nn.ReLU(inplace=True))


def _down(width_in: int, width_out: int, normalised: bool) -> nn.Sequential:
    convolution, activation = nn.Conv2d(width_in, width_out, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)
    if not normalised:
        return nn.Sequential(convolution, activation)
    # one group a channel is InstanceNorm2d(affine=True), with a faster backward pass, twice so under a penalty
    return nn.Sequential(convolution, nn.GroupNorm(width_out, width_out), activation)
