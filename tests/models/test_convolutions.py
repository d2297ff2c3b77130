"""Convolutions as matrix products: the values and gradients of torch's, in both memory formats."""

import pytest
import torch
from torch import nn

from ganopt.models.networks import build_critic, build_generator
from ganopt.models.networks.convolutions import (
    ProductConv2d,
    ProductConvTranspose2d,
    convolution,
    transposed_convolution,
)

FORMATS = (torch.contiguous_format, torch.channels_last)
CONVOLUTIONS = ((4, 2, 1, 8), (3, 1, 1, 4), (4, 1, 0, 4), (2, 2, 0, 6))  # kernel, stride, padding, side of the input
TRANSPOSED = ((4, 2, 1, 4), (8, 4, 2, 4), (4, 1, 0, 1), (3, 2, 0, 3))


def gradients(layer: nn.Module, pictures: torch.Tensor) -> list[torch.Tensor]:
    """The output, its gradients, and those of a gradient penalty."""
    found = layer(pictures)
    first = torch.autograd.grad(found.square().sum(), (pictures, *layer.parameters()), create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), (pictures, *layer.parameters()))
    return [found, *first, *second]


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(
    ("ours", "plain", "sizes"),
    [
        *((ProductConv2d, nn.Conv2d, sizes) for sizes in CONVOLUTIONS),
        *((ProductConvTranspose2d, nn.ConvTranspose2d, sizes) for sizes in TRANSPOSED),
    ],
)
def test_values_and_gradients_are_those_of_torch(ours, plain, sizes, memory_format, monkeypatch):
    *sizes, side = sizes
    layer = ours(5, 7, *sizes).double().to(memory_format=memory_format)
    reference = plain(5, 7, *sizes).double()
    reference.load_state_dict(layer.state_dict())
    pictures = torch.randn(3, 5, side, side, dtype=torch.float64)
    given = pictures.to(memory_format=memory_format).requires_grad_()
    expected = gradients(reference, pictures.requires_grad_())
    monkeypatch.setattr(plain, "forward", None)  # ours computes for itself
    torch.testing.assert_close(gradients(layer, given), expected)


@pytest.mark.parametrize(("make", "side"), [(convolution, 32), (transposed_convolution, 8)])
def test_large_pictures_are_left_to_torch(make, side):
    layer = make(512, 1024, 4, 2, 1)
    plain = type(layer).__bases__[0](512, 1024, 4, 2, 1)
    plain.load_state_dict(layer.state_dict())
    pictures = torch.randn(1, 512, side, side)
    assert torch.equal(layer(pictures), plain(pictures))


def test_only_stages_with_many_weights_are_products():
    kinds = (ProductConv2d, ProductConvTranspose2d)
    with torch.device("meta"):  # without memory for the weights
        networks = {name: build_generator(name) for name in ("big", "big/4", "kd")}
        networks |= {name: build_critic(name) for name in ("critic", "plain-critic/2")}
    products = {
        name: [index for index, stage in enumerate(network.layers) if isinstance(stage[0], kinds)]
        for name, network in networks.items()
    }
    assert products == {"big": [1, 2], "big/4": [], "kd": [1], "critic": [4], "plain-critic/2": []}


def test_a_generator_of_the_thesis_draws_the_faces_of_torchs_layers():
    generator = build_generator("kd").eval()
    z = torch.randn(2, 100, 1, 1)
    with torch.no_grad():
        ours = generator(z)
        plain = nn.ConvTranspose2d(512, 256, 8, 4, 2)
        plain.load_state_dict(generator.layers[1][0].state_dict())
        generator.layers[1][0] = plain
        torch.testing.assert_close(ours, generator(z), atol=1e-5, rtol=0)
