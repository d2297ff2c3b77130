"""Generators and critics of the thesis, and thinner or smaller ones of the same build.

A network is named in a short notation, `kind[/divisor][@side]`:

* `big`: the generator of the thesis's models 1 and 2 (47,859,331 parameters);
* `kd`: the small generator of its distillation (9,869,123 parameters);
* `shuffle`: a quick one, whose convolutions work on few pixels, which are then spread out (2,154,864 parameters);
* `critic`: the thesis's critic, with InstanceNorm; `kd-critic`: behind a sigmoid; `plain-critic`: without norms.

`/4` divides every width by four, `@64` builds for pictures of 64x64, all but a `shuffle` with fewer stages: `big/4@64`.
Networks know nothing of losses, files or devices.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganopt.errors import UserError

LATENT_SIZE = 100
SIDES = (32, 64, 128)
GENERATOR_KINDS = ("big", "kd", "shuffle")
CRITIC_KINDS = ("critic", "kd-critic", "plain-critic")


@dataclass(frozen=True)
class Architecture:
    """What a network name says: its kind, the divisor of its widths, the side of its pictures in pixels."""

    kind: str
    divisor: int = 1
    side: int = 128

    def __str__(self) -> str:
        divisor = f"/{self.divisor}" if self.divisor > 1 else ""
        return f"{self.kind}{divisor}" + (f"@{self.side}" if self.side != 128 else "")


def parse_architecture(name: str, kinds: tuple[str, ...] = GENERATOR_KINDS + CRITIC_KINDS) -> Architecture:
    """Read a network name such as `big/4@64`. Raises UserError if it names no network of these kinds."""
    match = re.fullmatch(r"([a-z-]+)(?:/([0-9]{1,3}))?(?:@([0-9]{1,4}))?", name.strip())
    if not match or match[1] not in kinds:
        raise UserError(
            f"'{name}' is no network; write one of {', '.join(kinds)}, as in {kinds[0]} or {kinds[0]}/4@64."
        )
    divisor, side = int(match[2] or 1), int(match[3] or 128)
    if divisor not in (1, 2, 4, 8, 16, 32, 64):
        raise UserError(f"'{name}' divides its widths by {divisor}; take 1, 2, 4, 8, 16, 32 or 64.")
    if side not in SIDES:
        raise UserError(f"'{name}' draws pictures of {side} pixels; take 32, 64 or 128.")
    return Architecture(match[1], divisor, side)


class Generator(nn.Module):
    """Latents (N, 100, 1, 1) -> pictures (N, 3, side, side) in [-1, 1].

    `layers` holds one Sequential (convolution, BatchNorm, ReLU) a stage and ends in (convolution, Tanh), so that
    "the first two layers" is `layers[:2]`. In a `shuffle` a PixelShuffle follows each convolution.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        stages = _shuffled_stages(architecture) if architecture.kind == "shuffle" else _stages(architecture)
        self.layers = nn.Sequential(*stages)
        _initialise(self, _normal_init)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Critic(nn.Module):
    """Pictures (N, 3, side, side) in [-1, 1] -> scores (N,).

    `layers` holds one Sequential (convolution, normalisation, LeakyReLU) a stage and ends in the scoring
    convolution. A `kd-critic` puts a sigmoid behind it; losses use `logits`, which leaves that out.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        normalised = architecture.kind != "plain-critic"
        width, stages = 64 // architecture.divisor, []
        width_in, side = 3, architecture.side
        while side > 4:
            stages.append(_down(width_in, width, normalised))
            width_in, width, side = width, width * 2, side // 2
        stages.append(nn.Sequential(nn.Conv2d(width_in, 1, 4)))
        self.layers = nn.Sequential(*stages)
        _initialise(self, _normal_init if normalised else _he_init)

    def logits(self, x: Tensor) -> Tensor:
        """Scores before the sigmoid, (N, 3, side, side) -> (N,)."""
        return self.layers(x).flatten()

    def features(self, x: Tensor) -> Tensor:
        """Activations before the scoring convolution, (N, 3, side, side) -> (N, C, 4, 4)."""
        return self.layers[:-1](x)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.logits(x)
        return torch.sigmoid(scores) if self.architecture.kind == "kd-critic" else scores


def build_generator(name: str) -> Generator:
    """A new generator from its name, with random weights. Raises UserError for an unknown name."""
    return Generator(parse_architecture(name, GENERATOR_KINDS))


def build_critic(name: str) -> Critic:
    """A new critic from its name, with random weights. Raises UserError for an unknown name."""
    return Critic(parse_architecture(name, CRITIC_KINDS))


def parameters_of(name: str) -> int:
    """How many trainable values a generator of that name has."""
    with torch.device("meta"):
        return count_parameters(build_generator(name))


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


class _PixelShuffle(nn.PixelShuffle):
    """Pictures in channels-last, in which the next convolution takes two thirds of the time on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).contiguous(memory_format=torch.channels_last)


def _stages(architecture: Architecture) -> list[nn.Sequential]:
    """Of `big` and `kd`: a latent becomes 4x4 pixels; each later stage doubles the side, one of k8 s4 quadruples it."""
    first, kernel_of_second = _generator_plan(architecture)
    stages, width, side = [_up(LATENT_SIZE, first, kernel=4, stride=1, padding=0)], first, 4
    while side < architecture.side:
        kernel = kernel_of_second if len(stages) == 1 else 4
        stride, padding = kernel // 2, kernel // 4
        side *= stride
        last = side == architecture.side
        stages.append(_up(width, 3 if last else width // 2, kernel, stride, padding, last))
        width //= 2
    return stages


def _shuffled_stages(architecture: Architecture) -> list[nn.Sequential]:
    """Of `shuffle`: sub-pixel convolutions (Shi et al. 2016), to 8x8, 16x16 and 32x32 pixels and to the picture's."""
    first, second, third = (width // architecture.divisor for width in (192, 96, 64))
    return [
        _shuffled(LATENT_SIZE, first, kernel=1, factor=8),
        _shuffled(first, second, kernel=3, factor=2),
        _shuffled(second, third, kernel=3, factor=2),
        _shuffled(third, 3, kernel=3, factor=architecture.side // 32, last=True),
    ]


def _shuffled(width_in: int, width_out: int, kernel: int, factor: int, last: bool = False) -> nn.Sequential:
    convolution = nn.Conv2d(width_in, width_out * factor**2, kernel, padding=kernel // 2)
    if last:
        return nn.Sequential(convolution, _PixelShuffle(factor), nn.Tanh())
    return nn.Sequential(convolution, _PixelShuffle(factor), nn.BatchNorm2d(width_out), nn.ReLU(inplace=True))


def _generator_plan(architecture: Architecture) -> tuple[int, int]:
    """The width of the first stage and the kernel of the second: all that tells `big` and `kd` apart."""
    halvings = {32: 2, 64: 1, 128: 0}[architecture.side]
    if architecture.kind == "kd":  # 512 -> 256 (to 16x16) -> ... and at 64 px one halving less
        return 512 // 2**halvings // architecture.divisor, 8
    return 2048 // 2**halvings // architecture.divisor, 4


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


def _initialise(network: nn.Module, init: Callable[[nn.Module], None]) -> None:
    """Random weights; none on the meta device, whose `normal_` imports torch's compiler for seconds."""
    if not next(network.parameters()).is_meta:
        network.apply(init)


def _normal_init(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for the scales of norms (Radford et al. 2016)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _he_init(module: nn.Module) -> None:
    """Variance kept through LeakyReLU(0.2) (He et al. 2015): a critic without norms needs it."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
