"""The generator with skip-layer excitation: its build, its gates, and drawing without BatchNorm."""

import pytest
import torch

from ganopt.models.networks import build_generator, parameters_of

NAMES = ["sle/16", "sle-thin/16", "sle/16@64", "sle-thin/16@32"]


@pytest.fixture(params=NAMES)
def generator(request):
    """A generator whose BatchNorm has seen some latents."""
    torch.manual_seed(1)
    network = build_generator(request.param).train()
    with torch.no_grad():
        network(torch.randn(8, 100, 1, 1))
    return network.eval()


@torch.no_grad()
def test_its_faces_have_the_side_of_its_name_and_are_in_range(generator):
    faces = generator(torch.randn(3, 100, 1, 1))
    assert faces.shape == (3, 3, generator.architecture.side, generator.architecture.side)
    assert faces.abs().max() <= 1 and faces.std() > 0


@torch.no_grad()
def test_folded_it_draws_the_same_faces(generator):
    z = torch.randn(3, 100, 1, 1)
    folded = generator.folded()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert torch.allclose(folded(z), generator(z), atol=1e-5)


@torch.no_grad()
def test_a_coarse_map_scales_the_fine_one_of_sixteen_times_its_side():
    network = build_generator("sle/16").train()  # with the statistics of the batch
    assert set(network.gates) == {"64", "128"}
    z = torch.randn(4, 100, 1, 1)
    before = network(z)
    network.gates["128"][-2].bias -= 50  # a sigmoid of 0: the last map is empty
    bias = torch.tanh(network.layers[-1][0].bias)
    assert torch.allclose(network(z), bias.view(1, 3, 1, 1).expand_as(before), atol=1e-6)
    assert not torch.allclose(before, network(z))


def test_a_generator_for_few_pixels_has_no_gates():
    assert not build_generator("sle/16@32").gates


def test_its_parameters_are_fewer_than_those_of_the_thesis():
    assert parameters_of("sle") == 6_086_371 < parameters_of("big") / 7
    assert parameters_of("sle-thin/4") < parameters_of("sle") / 10
