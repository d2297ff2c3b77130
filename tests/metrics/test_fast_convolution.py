"""Convolutions with fewer multiplications against torch's."""

import pytest
import torch
from torch.nn.functional import conv2d

from ganopt.metrics.fast_convolution import Convolution, _tile, _whole_line

# kernel, zeros around, side: those of Inception, and sides that tiles do not fill or that take several rounds
CASES = [
    ((3, 3), (0, 0), 73),
    ((3, 3), (1, 1), 35),
    ((3, 3), (1, 1), 5),
    ((5, 5), (2, 2), 35),
    ((3, 1), (1, 0), 8),
    ((1, 3), (0, 1), 8),
    ((7, 1), (3, 0), 17),
    ((1, 7), (0, 3), 17),
    ((5, 3), (0, 2), 9),
]


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(shape[1]))


@pytest.mark.parametrize(("kernel", "padding", "side"), CASES)
@pytest.mark.parametrize("count", [1, 3])
def test_it_is_conv2d_and_relu_to_five_digits(kernel, padding, side, count):
    weight, bias, x = noise(24, 20, *kernel), noise(1, 24)[0], noise(count, 20, side, side)
    expected = conv2d(x.double(), weight.double(), bias.double(), padding=padding).relu()
    found = Convolution(weight, bias, padding, 17)(x.contiguous(memory_format=torch.channels_last))
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 2e-5 * expected.max()


def test_seven_taps_along_one_axis_and_tiles_in_rounds_along_the_other():
    weight, x = noise(8, 4, 3, 7), noise(2, 4, 300, 17)
    expected = conv2d(x.double(), weight.double(), padding=(1, 3)).relu()
    found = Convolution(weight, torch.zeros(8), (1, 3), 17)(x.contiguous(memory_format=torch.channels_last))
    assert (found - expected).abs().max() < 2e-5 * expected.max()


@pytest.mark.parametrize(("axis", "most"), [(_tile(4, 3, 1), 6), (_tile(4, 5, 2), 8), (_whole_line(17, 7), 29)])
def test_products_are_few_and_the_identity_exact(axis, most):
    products, taps = axis.weigh.shape
    assert products == most < len(axis.restore) * taps
    x, w = noise(1, axis.spread.shape[1])[0].double(), noise(1, taps)[0].double()
    found = axis.restore @ ((axis.spread @ x) * (axis.weigh @ w))
    reach = (len(axis.restore) + taps - 1 - len(x)) // 2  # zeros that a whole line brings along
    assert torch.allclose(found, conv2d(x[None, None, None], w[None, None, None], padding=(0, reach))[0, 0, 0])
