"""A generator as plain steps with compact tensors, for programs that draw without torch, such as draw.js.

A step reads maps by name and writes one: "z" is the latent, a map of 1x1 pixels; the last "x" holds the colours before
tanh. The steps are

* `convolve`: a sum over a window of the input, for `factor` x `factor` pixels around each input pixel. It stands for a
  convolution, also with a PixelShuffle after it, for a transposed convolution and for a linear layer;
* `modulate`: scales and shifts the channels of a map by another one, followed by ReLU;
* `double`: bilinear interpolation to twice the side;
* `add`: adds another map.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ganopt.errors import UserError
from ganopt.models.networks import Architecture, Generator
from ganopt.models.networks.residual import LastStage, Modulation, ResidualStage
from ganopt.portable import kernels

KINDS = ("shuffle", "big", "kd", "big-res", "kd-res")  # that have only these steps


@dataclass(frozen=True)
class Program:
    """The steps of a generator. Steps refer to flat arrays of int8, float16 or float32 by their indices."""

    side: int
    steps: list[dict[str, Any]]
    tensors: list[np.ndarray]

    @property
    def bytes(self) -> int:
        """The size of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)


def is_drawable(architecture: Architecture) -> bool:
    """Whether `program_of` can express generators of this architecture."""
    return architecture.kind in KINDS


def program_of(generator: Generator) -> Program:
    """The steps of a generator in evaluation mode, with BatchNorm folded into the convolutions before it.

    Weights that were stored as 8-bit integers become these again; others are rounded to float16. Raises UserError for a
    kind of generator that has other steps.
    """
    architecture = generator.architecture
    if not is_drawable(architecture):
        raise UserError(
            f"A generator of the kind {architecture.kind} has layers that cannot be drawn in a browser; "
            f"choose a model of the kinds {', '.join(KINDS[:-1])} or {KINDS[-1]}."
        )
    writer = _Writer()
    for stage in generator.stages:
        match stage:
            case ResidualStage():
                writer.residual(stage)
            case LastStage():
                writer.last(stage)
            case nn.Sequential():
                writer.plain(stage)
    return Program(architecture.side, writer.steps, writer.tensors)


class _Writer:
    """Collects steps and tensors."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.tensors: list[np.ndarray] = []

    def plain(self, stage: nn.Sequential) -> None:
        """A stage of a convolution, perhaps a PixelShuffle and BatchNorm, and ReLU or Tanh."""
        norm = next((each for each in stage if isinstance(each, nn.BatchNorm2d)), None)
        factor = next((each.upscale_factor for each in stage if isinstance(each, nn.PixelShuffle)), 1)
        relu = isinstance(stage[-1], nn.ReLU)
        self.convolve("x" if self.steps else "z", "x", stage[0], norm, relu, factor)

    def residual(self, stage: ResidualStage) -> None:
        """An inner stage with modulation and a block."""
        first, norm, _, second = stage.block
        self.convolve("x", "x", stage.convolution, stage.norm)
        self.modulate("x", stage.modulation)
        self.convolve("x", "y", first, norm, relu=True)
        self.convolve("y", "y", second)
        self.steps.append({"do": "add", "to": "x", "from": "y"})

    def last(self, stage: LastStage) -> None:
        """The last stage with its branch for details."""
        self.convolve("x", "y", stage.detail, stage.norm)
        self.steps.append({"do": "double", "to": "y", "from": "y"})
        self.modulate("y", stage.modulation)
        self.convolve("y", "y", stage.colours)
        self.convolve("x", "x", stage.convolution)
        self.steps.append({"do": "add", "to": "x", "from": "y"})

    def modulate(self, name: str, modulation: Modulation) -> None:
        """The factors, 1 + scale, and shifts of channels from the latent, and their use."""
        linear = modulation.linear
        layer = nn.Conv2d(linear.in_features, linear.out_features, 1)
        assert layer.bias is not None
        with torch.no_grad():
            layer.weight.copy_(linear.weight[:, :, None, None])
            layer.bias.copy_(linear.bias)
            layer.bias[: linear.out_features // 2] += 1
        self.convolve("z", "m", layer)
        self.steps.append({"do": "modulate", "to": name, "by": "m"})

    def convolve(self, source: str, to: str, layer: Any, norm: Any = None, relu: bool = False, factor: int = 1) -> None:
        """A convolution, perhaps with a PixelShuffle by a factor and BatchNorm after it."""
        scale, bias = np.float32(1), layer.bias.detach().numpy()
        if norm is not None:
            scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy().repeat(factor**2)
            shift = norm.bias.detach().numpy().repeat(factor**2)
            bias = (bias - norm.running_mean.numpy().repeat(factor**2)) * scale + shift
        if isinstance(layer, nn.Conv2d):
            kernel, by_phase = kernels.of_convolution(layer, factor), kernels.shuffled
        else:
            kernel, by_phase = kernels.of_transposed(layer), kernels.repeated
        biases = by_phase(bias, kernel.factor)
        outputs = kernel.outputs * by_phase(np.broadcast_to(scale, bias.shape), kernel.factor)
        tensors = [kernel.codes, kernel.inputs, outputs, biases]
        indices = list(range(len(self.tensors), len(self.tensors) + len(tensors)))
        self.tensors += [np.ascontiguousarray(tensor).ravel() for tensor in tensors]
        self.steps.append(
            {"do": "convolve", "to": to, "from": source, "channels": len(biases) // kernel.factor**2}
            | {"factor": kernel.factor, "windows": kernel.windows, "relu": relu, "tensors": indices}
        )
