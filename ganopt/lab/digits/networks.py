"""A Keras DCGAN for MNIST in torch's terms, and a small classifier of digits.

Keras's defaults: Glorot's uniform weights and zero biases, LeakyReLU with slope 0.3, BatchNorm that keeps 0.99 of its
statistics and adds 0.001 to variances, and "same" padding, which at stride 2 adds one row before and two after.
Random numbers come from a generator that is given. Pictures are (N, 1, 28, 28) in [-1, 1].
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE, LATENT, CLASSES = 28, 100, 10
SLOPE, DROPPED = 0.3, 0.3  # of LeakyReLU, and the share of Dropout
DENSE = (7, 7, 256)  # rows, columns and channels of the generator's first layer


class SameConv(nn.Conv2d):
    """A 5x5 convolution with stride 2 and "same" padding, which halves an even side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, 2 s, 2 s) -> (N, outputs, s, s)."""
        return super().forward(functional.pad(x, (1, 2, 1, 2)))


class SameConvTranspose(nn.ConvTranspose2d):
    """A 5x5 transposed convolution without biases, the transpose of one with "same" padding.

    At stride 2 it leaves out one row before and two after.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 5, stride, padding=1 if stride == 2 else 2, bias=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, inputs, s, s) -> (N, outputs, stride s, stride s)."""
        rows, columns = (side * self.stride[0] for side in x.shape[2:])
        return super().forward(x)[:, :, :rows, :columns]


class Reshape(nn.Module):
    """Features, channels last, as a picture: (N, 12544, 1, 1) -> (N, 256, 7, 7)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, rows columns channels, 1, 1) -> (N, channels, rows, columns)."""
        return x.reshape(-1, *DENSE).permute(0, 3, 1, 2)


class Dropout(nn.Module):
    """Dropout whose random numbers come from a generator."""

    def __init__(self, chance: torch.Generator) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; unchanged in evaluation mode."""
        if not self.training:
            return x
        return x * torch.empty_like(x).bernoulli_(1 - DROPPED, generator=self.chance) / (1 - DROPPED)


class DigitGenerator(nn.Sequential):
    """Latents (N, 100) -> pictures (N, 1, 28, 28). The dense layer is a convolution of a single pixel."""

    def __init__(self, chance: torch.Generator) -> None:
        wide = math.prod(DENSE)
        super().__init__(
            nn.Conv2d(LATENT, wide, 1, bias=False),
            *_normed(wide),
            Reshape(),  # (N, 12544, 1, 1) -> (N, 256, 7, 7)
            SameConvTranspose(256, 128, 1),
            *_normed(128),
            SameConvTranspose(128, 64, 2),  # -> (N, 64, 14, 14)
            *_normed(64),
            SameConvTranspose(64, 1, 2),  # -> (N, 1, 28, 28)
            nn.Tanh(),
        )
        initialise(self, chance)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, 100) -> (N, 1, 28, 28)."""
        return super().forward(latents[:, :, None, None])


class DigitCritic(nn.Sequential):
    """Pictures (N, 1, 28, 28) -> logits (N, 1): high for real ones."""

    def __init__(self, chance: torch.Generator) -> None:
        super().__init__(
            SameConv(1, 64),  # -> (N, 64, 14, 14)
            nn.LeakyReLU(SLOPE),
            Dropout(chance),
            SameConv(64, 128),  # -> (N, 128, 7, 7)
            nn.LeakyReLU(SLOPE),
            Dropout(chance),
            nn.Flatten(),
            nn.Linear(6272, 1),
        )
        initialise(self, chance)


class DigitClassifier(nn.Sequential):
    """Pictures (N, 1, 28, 28) -> logits (N, 10), by three convolutions."""

    def __init__(self, chance: torch.Generator, width: int = 16) -> None:
        super().__init__(
            nn.Conv2d(1, width, 5, 2, 2),  # -> (N, width, 14, 14)
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),  # -> (N, 2 width, 7, 7)
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1),  # -> (N, 4 width, 4, 4)
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * width, CLASSES),
        )
        initialise(self, chance)


def initialise(network: nn.Module, chance: torch.Generator) -> None:
    """Glorot's uniform weights, and zero biases, for convolutions and dense layers."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight, generator=chance)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _normed(channels: int) -> Iterator[nn.Module]:
    yield nn.BatchNorm2d(channels, eps=0.001, momentum=0.01)
    yield nn.LeakyReLU(SLOPE)
