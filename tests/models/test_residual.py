"""Generators with residual blocks: growing a trained one exactly, and storing it."""

import pytest
import torch

from ganopt.models import weights
from ganopt.models.growing import grown
from ganopt.models.latents import latents
from ganopt.models.networks import build_generator, count_parameters

PLAIN = ["big/16@32", "kd/8@64", "big/32"]


def trained(name):
    """A generator whose norms have scales and statistics of their own, and whose pictures vary."""
    torch.manual_seed(5)
    network = build_generator(name)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.2, 2)
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.mark.parametrize("name", PLAIN)
def test_a_grown_generator_draws_exactly_the_same_pictures(name):
    plain, z = trained(name), latents(range(5))
    deep = grown(plain)
    kind = plain.architecture.kind
    assert str(deep.architecture) == name.replace(kind, f"{kind}-res")
    assert count_parameters(deep) > count_parameters(plain)
    assert plain(z).std() > 0.01
    assert torch.equal(deep(z), plain(z))
    assert torch.equal(deep.train()(z), plain.train()(z))  # also with the statistics of a batch


def test_all_that_was_added_can_learn():
    deep, z = grown(trained("big/16@32")).train(), latents(range(4))
    optimiser = torch.optim.SGD(deep.parameters(), 0.1)
    for _ in range(2):  # the second time, gradients pass the layers that were zero
        optimiser.zero_grad()
        (deep(z) - torch.rand(4, 3, 32, 32)).square().mean().backward()
        optimiser.step()
    assert all(parameter.grad.abs().max() > 0 for name, parameter in deep.named_parameters() if "bias" not in name)


def test_the_seed_decides_the_blocks():
    first, same, other = (grown(trained("big/16@32"), seed).stages[2].block[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_stored_in_8_bits_it_draws_nearly_the_same(tmp_path):
    network, z = trained("big-res/16"), latents(range(3))
    weights.save(network, tmp_path / "model.safetensors", dtype=torch.int8)
    assert (weights.load(tmp_path / "model.safetensors")(z) - network(z)).abs().mean() < 0.02


@pytest.mark.parametrize("name", ["sle/16@32", "shuffle/4@32", "big-res/16@32"])
def test_what_cannot_be_grown_is_refused(name, refuses):
    with refuses(f"{name} cannot be grown; use big or kd"):
        grown(build_generator(name))


@torch.no_grad()
@pytest.mark.parametrize("name", ["big-res/16", "kd-res/8@64"])
def test_folded_it_draws_the_same_also_where_blocks_and_modulation_matter(name):
    network, z = trained(name), latents(range(3))
    assert torch.allclose(network.folded()(z), network(z), atol=1e-5)
