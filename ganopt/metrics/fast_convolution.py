"""Convolution with fewer multiplications: a linear transform, matrix products over the channels, and one back.

Along one axis, the m outputs of a convolution of k taps on l inputs are `restore @ ((spread @ x) * (weigh @ taps))`,
where p, the rows of `spread`, are fewer than m k. Kronecker products of two such identities serve kernels with two
axes, and with many channels each of the p products is one of matrices (Lavin and Gray 2016).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

TILE = 4  # outputs that a kernel of 3 or 5 taps makes at once; more would lose digits
POINTS = (1, 0, -1, 2, -2, 0.5, -0.5)
ROWS = 108  # tiles computed at once, so that what they spread into stays in a cache of the processor


@dataclass(frozen=True)
class Axis:
    """An identity along one axis; float64. What is added to the first product is added to every output."""

    restore: Tensor  # (m, p), ones in the first column
    spread: Tensor  # (p, l)
    weigh: Tensor  # (p, k)
    padding: int = 0  # zeros that the inputs need before them


class Convolution:
    """A convolution of stride 1 and the ReLU behind it, in float32: conv2d's numbers to five digits.

    It takes weights (C', C, kh, kw), kh and kw of 1, 3, 5 or 7, a bias (C',) and zeros around its input. Where a
    kernel has seven taps, the input has `line` pixels, and so has the output.
    """

    def __init__(self, weight: Tensor, bias: Tensor, padding: tuple[int, int], line: int):
        taps = weight.shape[2:]
        axes = [_axis(*size, line) for size in zip(taps, padding, strict=True)]
        self.bias = bias
        self.padding = [axis.padding for axis in axes]
        self.lost = [size - 1 - 2 * zeros for size, zeros in zip(taps, padding, strict=True)]  # pixels of a side
        self.outputs, self.inputs = ([axis.restore.shape[0] for axis in axes], [axis.spread.shape[1] for axis in axes])
        self.restore, self.spread, weigh = (
            torch.kron(*(getattr(axis, part).contiguous() for axis in axes)).float()
            for part in ("restore", "spread", "weigh")
        )
        weighed = weigh @ weight.flatten(2).permute(2, 1, 0).flatten(1)  # (k, C C') -> (p, C C')
        self.weight = weighed.view(len(weigh), weight.shape[1], weight.shape[0])

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W'), both channels last."""
        sides = [side - lost for side, lost in zip(x.shape[2:], self.lost, strict=True)]
        tiles = [math.ceil(side / step) for side, step in zip(sides, self.outputs, strict=True)]
        x = pad(x.permute(0, 2, 3, 1), self._zeros(x.shape[2:], tiles))
        for axis in (0, 1):  # -> (N, tiles, tiles, C, inputs, inputs), overlapping
            x = x.unfold(axis + 1, self.inputs[axis], self.outputs[axis])
        result = x.new_empty(len(x), tiles[0] * self.outputs[0], tiles[1] * self.outputs[1], len(self.bias))
        y = result.unflatten(2, (tiles[1], -1)).unflatten(1, (tiles[0], -1))  # (N, tiles, outputs, tiles, outputs, C')
        pictures, lines = max(1, ROWS // (tiles[0] * tiles[1])), max(1, ROWS // tiles[1])
        for some_x, some_y in zip(x.split(pictures), y.split(pictures), strict=True):
            for source, target in zip(some_x.split(lines, 1), some_y.split(lines, 1), strict=True):
                torch.clamp(self._compute(source), min=0, out=target)
        return result[:, : sides[0], : sides[1]].permute(0, 3, 1, 2)

    def _compute(self, x: Tensor) -> Tensor:
        """(N, tiles, tiles, C, inputs, inputs) -> (N, tiles, outputs, tiles, outputs, C')."""
        n, *tiles, channels, _, _ = x.shape
        x = self.spread @ x.permute(4, 5, 0, 1, 2, 3).reshape(self.spread.shape[1], -1)  # (p, N tiles tiles C)
        x = torch.bmm(x.view(len(x), -1, channels), self.weight)  # (p, N tiles tiles, C')
        x[0] += self.bias
        x = self.restore @ x.view(len(x), -1)  # (outputs outputs, N tiles tiles C')
        return x.view(*self.outputs, n, *tiles, len(self.bias)).permute(2, 3, 0, 4, 1, 5)

    def _zeros(self, sides: torch.Size, tiles: list[int]) -> list[int]:
        """What `pad` puts around (N, H, W, C), the last axis first."""
        zeros = [0, 0]
        for axis in (1, 0):
            whole = (tiles[axis] - 1) * self.outputs[axis] + self.inputs[axis]
            zeros += [self.padding[axis], whole - sides[axis] - self.padding[axis]]
        return zeros


def _axis(taps: int, padding: int, line: int) -> Axis:
    if taps == 1:
        one = torch.ones(1, 1, dtype=torch.float64)
        return Axis(one, one, one)
    return _whole_line(line, taps) if taps == 7 else _tile(TILE, taps, padding)


def _whole_line(line: int, taps: int) -> Axis:
    """By the discrete Fourier transform, whose complex products take three multiplications each."""
    reach = taps // 2
    period = line + reach  # long enough: what wraps around is not read
    frequencies = torch.arange(period // 2 + 1)
    real = 2 * frequencies % period == 0
    single, double = (frequencies[some, None].double() * 2 * math.pi / period for some in (real, ~real))
    places, lags = torch.arange(line), reach - torch.arange(taps)
    # (a + bi)(c + di) = u - w + (u + v)i, where u = c(a + b), v = a(d - c), w = b(c + d)
    a, b, c, d = (double * places).cos(), -(double * places).sin(), (double * lags).cos(), -(double * lags).sin()
    spread = torch.cat([(single * places).cos(), a + b, a, b])
    weigh = torch.cat([(single * lags).cos(), c, d - c, c + d])
    # back: a frequency and its conjugate give 2(a re + b im), with the a and b of the place
    restore = torch.cat([(single * places).cos(), 2 * (a + b), 2 * b, -2 * a])
    return Axis(restore.T, spread, weigh / period)


def _tile(outputs: int, taps: int, padding: int) -> Axis:
    """By polynomials, known by their values at points and at infinity (Winograd 1980)."""
    inputs = outputs + taps - 1
    points = torch.tensor(POINTS[: inputs - 1], dtype=torch.float64)
    distances = (points[:, None] - points + torch.eye(inputs - 1)).prod(1)

    def values(size: int) -> Tensor:
        """(p, size): of each power below `size` at each point, and last at infinity."""
        infinity = one_hot(torch.tensor([size - 1]), size)
        return torch.cat([points[:, None] ** torch.arange(size), infinity])

    restore, weigh = values(outputs).T, values(taps) / torch.cat([distances, torch.ones(1)])[:, None]
    # `spread` is what makes the identity true: with its tap k, the output i sees the input i + k
    products = torch.einsum("ip,pk->ikp", restore, weigh).flatten(0, 1)
    seen = one_hot(torch.arange(outputs)[:, None] + torch.arange(taps), inputs).flatten(0, 1).double()
    return Axis(restore, torch.linalg.lstsq(products, seen).solution, weigh, padding)
