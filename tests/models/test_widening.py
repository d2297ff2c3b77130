"""Widening: the same pictures from a wider generator, whose copies can become different."""

import pytest
import torch

from ganopt.models import widening
from ganopt.models.latents import latents
from ganopt.models.networks import build_generator
from ganopt.models.widening import UNEVENNESS, widened


@pytest.fixture(params=["big/16@32", "kd/8@64", "big/32"])
def narrow(request):
    """A generator whose norms have scales and statistics of their own."""
    torch.manual_seed(5)
    network = build_generator(request.param)
    for stage in network.layers[:-1]:
        torch.nn.init.uniform_(stage[1].weight, 0.2, 2)
        stage[1].running_mean.uniform_(-0.1, 0.1)
    network.layers[-1][0].weight.data *= 10
    return network.eval()


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_wider_generator_draws_the_same_pictures(narrow, factor):
    wide = widened(narrow, factor)
    assert wide.architecture.divisor == narrow.architecture.divisor // factor
    assert wide.stages[0][0].out_channels == factor * narrow.stages[0][0].out_channels
    z = latents(range(5))
    assert narrow(z).std() > 0.01
    assert torch.allclose(wide(z), narrow(z), atol=1e-5)
    assert torch.allclose(wide.train()(z), narrow.train()(z), atol=1e-5)  # also with the statistics of a batch


def test_copies_of_a_channel_get_different_gradients(narrow):
    wide = widened(narrow, 2)
    wide(latents(range(3))).square().sum().backward()
    first, second = wide.stages[0][0].weight.grad.chunk(2, dim=1)
    assert (first - second).abs().max() > 0.1 * first.abs().max() > 0


@pytest.mark.parametrize("copies", [2, 64])
def test_no_share_of_a_copy_is_far_from_the_mean_share(copies):
    weight = torch.ones(4_000_000 // copies, 1)
    shares = widening._divided(weight, copies, torch.Generator().manual_seed(3)).view(copies, -1)
    assert torch.allclose(shares.sum(dim=0), torch.ones(()), atol=1e-5)
    most = (1 + UNEVENNESS) / (1 - UNEVENNESS)
    assert 1 / most <= copies * shares.min() < 0.7 and 1.3 < copies * shares.max() <= most
    if copies == 2:
        assert shares.max() <= 0.7 + 1e-6


def test_its_weights_come_from_a_seed(narrow):
    weights = [widened(narrow, 2, seed).stages[1][0].weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(("name", "factor"), [("big/4@32", 3), ("big/4@32", 8), ("shuffle/4@32", 2), ("sle/4@32", 2)])
def test_what_cannot_be_widened_is_refused(name, factor, refuses):
    with refuses(f"{name} cannot be widened {factor} times"):
        widened(build_generator(name), factor)
