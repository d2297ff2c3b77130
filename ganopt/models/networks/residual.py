"""The thesis's generators with self-modulation (Chen et al. 2019) and residual blocks (He et al. 2016).

* `big-res`: `big` with a residual block in each inner stage and a branch for details in the last one;
* `kd-res`: the same for `kd`.

At first, modulation, blocks and the branch add nothing, so that a trained `big` or `kd` can be grown into one that
draws the same pictures (`ganopt.models.growing`).
"""

from typing import Any, ClassVar, cast

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganopt.models.networks.base import LATENT_SIZE, Generator
from ganopt.models.networks.dcgan import StagedGenerator, big, kd
from ganopt.models.networks.folding import SigmoidTanh, fold_norm
from ganopt.models.networks.initialisation import he_init, initialise
from ganopt.models.networks.registry import register


class Modulation(nn.Module):
    """Scales and shifts maps for each latent: x -> x * (1 + scale(z)) + shift(z)."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(LATENT_SIZE, 2 * width)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Maps (N, C, side, side) and latents (N, 100) -> maps of the same shape."""
        scale, shift = self.linear(z)[..., None, None].chunk(2, dim=1)  # (N, 2C) -> (N, C, 1, 1) each
        return x * (1 + scale) + shift  # (N, C, side, side)


class ResidualStage(nn.Module):
    """An inner stage, with modulation before its ReLU and a residual block after it."""

    def __init__(self, stage: nn.Sequential):
        super().__init__()
        self.convolution, self.norm, self.relu = stage
        width = self.convolution.out_channels
        assert isinstance(width, int)
        self.modulation = Modulation(width)
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Maps (N, C, side, side) and latents (N, 100) -> (N, C/2, 2 side, 2 side)."""
        x = self.relu(self.modulation(self.norm(self.convolution(x)), z))  # -> (N, C/2, 2 side, 2 side)
        return x + self.block(x)  # of the same shape

    def start_as_plain_stage(self) -> None:
        """Initialise what is not in a plain stage, so that it adds nothing."""
        initialise(self.block, he_init)
        _zero(self.modulation.linear, self.block[-1])

    def fold(self) -> None:
        """Fold each BatchNorm into the convolution before it."""
        self.norm = fold_norm(self.convolution, self.norm)
        self.block[1] = fold_norm(self.block[0], self.block[1])


class LastStage(nn.Module):
    """The last stage, with a branch that has a nonlinearity at the side of the picture and adds details."""

    def __init__(self, stage: nn.Sequential):
        super().__init__()
        self.convolution, self.tanh = stage
        width_in = self.convolution.in_channels
        assert isinstance(width_in, int)
        width = max(width_in // 2, 1)
        self.detail = nn.Conv2d(width_in, width, 3, padding=1)
        self.norm: nn.Module = nn.BatchNorm2d(width)
        self.modulation = Modulation(width)
        self.relu = nn.ReLU(inplace=True)
        self.colours = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Maps (N, C, side/2, side/2) and latents (N, 100) -> pictures (N, 3, side, side)."""
        details = interpolate(self.detail(x), scale_factor=2, mode="bilinear", align_corners=False)
        details = self.relu(self.modulation(self.norm(details), z))  # (N, C/2, side, side)
        return self.tanh(self.convolution(x) + self.colours(details))  # (N, 3, side, side) each

    def start_as_plain_stage(self) -> None:
        """Initialise what is not in a plain stage, so that it adds nothing."""
        initialise(self.detail, he_init)
        _zero(self.modulation.linear, self.colours)

    def fold(self) -> None:
        """Fold BatchNorm into the convolution before it; the interpolation between them preserves sums."""
        self.norm = fold_norm(self.detail, self.norm)
        self.tanh = SigmoidTanh()


class ResidualGenerator(StagedGenerator):
    """A generator of stages, all but the first of which are modulated."""

    cpu_batch: ClassVar[int] = 1  # on a CPU, the rounding of its convolutions depends on the batch size

    def __init__(self, plain: StagedGenerator):
        first, *inner, last = cast(list[nn.Sequential], plain.stages)
        super().__init__([first, *map(ResidualStage, inner), LastStage(last)])
        for stage in self._modulated:
            stage.start_as_plain_stage()

    @property
    def _modulated(self) -> list[Any]:
        return list(self.layers)[1:]

    def forward(self, z: Tensor) -> Tensor:
        x = self.layers[0](z)  # (N, 100, 1, 1) -> (N, 2048, 4, 4) for `big`
        for stage in self._modulated:
            x = stage(x, z.flatten(1))  # -> (N, 1024, 8, 8) -> ... -> (N, 3, 128, 128)
        return x

    def folded(self) -> Generator:
        """Fold each BatchNorm into the convolution before it; rounding changes one byte in 50,000."""
        copied = super().folded()  # folds the first stage
        assert isinstance(copied, ResidualGenerator)
        for stage in copied._modulated:
            stage.fold()
        return copied


register("big-res", "generator")(lambda architecture: ResidualGenerator(big(architecture)))
register("kd-res", "generator")(lambda architecture: ResidualGenerator(kd(architecture)))


def _zero(*layers: nn.Module) -> None:
    for parameter in nn.ModuleList(layers).parameters():
        nn.init.zeros_(parameter)
