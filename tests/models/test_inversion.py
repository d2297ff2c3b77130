"""Finding the latent of a picture: a generated face is found again, nearer than any seed."""

import pytest
import torch
from torch import nn

from ganopt.models.latents import inversion, latents
from ganopt.models.networks import build_generator
from ganopt.models.networks.folding import SigmoidTanh
from ganopt.models.sampling import draw, inference_copy

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(inversion, "ROUNDS", ((4, 8), (2, 8), (1, 32)))


@pytest.fixture(scope="module")
def generator():
    """A tiny generator whose faces differ much."""
    torch.manual_seed(3)
    network = build_generator("big/32@32")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight *= 3
    return inference_copy(network.eval(), CPU)


def test_a_generated_face_is_found_nearer_than_the_nearest_seed(generator):
    photograph = draw(generator, latents([1000]))[0]
    *before, last = inversion.search(generator, photograph, float("inf"))
    assert last.progress == 1 and not last.is_cut_off and 0 <= last.distance < 0.5 * last.nearest < last.typical
    drawn = draw(generator, last.latent[None])[0]
    assert (drawn.int() - last.picture.int()).abs().max() <= 1
    distances = [each.distance for each in before]
    assert distances == sorted(distances, reverse=True) and len(distances) > 8
    assert 0.3 < last.latent.square().mean() < 3  # it stays where latents lie
    *_, again = inversion.search(generator, photograph, float("inf"))
    assert torch.equal(again.latent, last.latent)


def test_a_seed_of_the_start_is_at_no_distance(generator):
    photograph = draw(generator, latents([5]))[0]
    *_, last = inversion.search(generator, photograph, float("inf"))
    assert last.nearest_seed == 5 and last.nearest < 0.01


def test_the_time_is_limited(generator):
    photograph = draw(generator, latents([1000]))[0]
    *_, last = inversion.search(generator, photograph, 0.0)
    assert last.progress == 1 and last.is_cut_off and last.distance == pytest.approx(last.nearest, abs=0.02)


def test_gradients_pass_through_the_tanh_of_inference():
    x = torch.linspace(-2, 2, 9, requires_grad=True)
    (found,) = torch.autograd.grad(SigmoidTanh()(x).sum(), x)
    torch.testing.assert_close(found, 1 - x.detach().tanh().square())
