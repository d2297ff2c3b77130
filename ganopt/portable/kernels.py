"""Weights of convolutions in the order in which draw.js reads them, as 8-bit integers where they were stored so.

A kernel writes `factor` x `factor` pixels around each input pixel, its phases, numbered row by row. An output is a
channel of a phase. Outputs that read the same window of the input are one group.
"""

from dataclasses import dataclass

import numpy as np
from torch import nn

EXACT = 1e-5  # of a row's largest weight: how far 8-bit integers may be from weights that were stored as such
Window = tuple[int, int, int, int]  # top and left, from the input pixel, height, width


@dataclass(frozen=True)
class Kernel:
    """A weight is its code, times the factor of its input, times that of its output."""

    codes: np.ndarray  # int8 or float16 (groups, height * width, inputs, outputs), the outputs by phase
    inputs: np.ndarray  # float32, a factor for each input channel
    outputs: np.ndarray  # float32, a factor for each output, by phase
    factor: int
    windows: tuple[Window, ...]  # of each group


def of_convolution(layer: nn.Conv2d, factor: int = 1) -> Kernel:
    """The kernel of a convolution that keeps the side, with a PixelShuffle by a factor after it."""
    codes, scales = _compact(layer.weight.detach().numpy())  # (C r^2, I, k, k)
    total, inputs, size, _ = codes.shape
    phases = factor**2
    ordered = codes.reshape(total // phases, phases, inputs, size, size).transpose(3, 4, 2, 1, 0)  # (k, k, I, r^2, C)
    window = (-(size // 2), -(size // 2), size, size)
    ordered = ordered.reshape(1, size**2, inputs, total)
    return Kernel(ordered, np.ones(inputs, np.float32), shuffled(scales, factor), factor, (window,))


def of_transposed(layer: nn.ConvTranspose2d) -> Kernel:
    """The kernel of a transposed convolution: of 1x1 pixels without a stride, or of a kernel of twice the stride."""
    codes, scales = _compact(layer.weight.detach().numpy())  # (I, C, k, k)
    inputs, channels, size, _ = codes.shape
    factor = layer.stride[0]
    if factor == 1:  # one group, whose outputs are all pixels
        ordered = codes.transpose(0, 2, 3, 1).reshape(1, 1, inputs, size**2 * channels)
        return Kernel(ordered, scales, np.ones(size**2 * channels, np.float32), size, ((0, 0, 1, 1),))
    indices = [_indices(phase, factor) for phase in range(factor)]  # the same down and across
    phases = [(down, across) for down in indices for across in indices]
    groups = [[codes[:, :, y, x] for y in down for x in across] for down, across in phases]
    ordered = np.array(groups)  # (phases, 4, I, C)
    tops = [0 if 2 * phase >= factor else -1 for phase in range(factor)]
    windows = tuple((top, left, 2, 2) for top in tops for left in tops)
    return Kernel(ordered, scales, np.ones(factor**2 * channels, np.float32), factor, windows)


def shuffled(values: np.ndarray, factor: int) -> np.ndarray:
    """Values of the channels before a PixelShuffle, (C r^2), by phase."""
    return np.ascontiguousarray(values.reshape(-1, factor**2).T).ravel()


def repeated(values: np.ndarray, factor: int) -> np.ndarray:
    """Values of channels, (C), for each phase."""
    return np.tile(values, factor**2)


def _indices(phase: int, factor: int) -> tuple[int, int]:
    """The indices in a transposed kernel of twice the stride that give a phase from the two input pixels it reads."""
    first = (phase + factor // 2) % factor
    return first + factor, first


def _compact(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A weight as codes and a scale for each of the first axis: int8 if it was stored so, otherwise float16."""
    most = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    scales = np.maximum(most, 1e-12) / 127
    codes = np.round(weight / scales)
    if (np.abs(codes * scales - weight) <= EXACT * most).all():
        return codes.astype(np.int8), scales.ravel().astype(np.float32)
    return weight.astype(np.float16), np.ones(len(weight), np.float32)
