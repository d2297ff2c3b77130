"""BatchNorm's statistics measured anew."""

import copy

import pytest
import torch
from torch import nn

from ganopt.models.networks import LATENT_SIZE, build_generator
from ganopt.training.calibration import BATCH, recalibrate_batch_norm


@pytest.fixture
def generator():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_generator("big/64@32").eval()


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def test_the_first_norm_has_the_mean_over_batches_of_what_reaches_it(generator):
    (found, *_), count = norms(recalibrate_batch_norm(generator, 3, 2 * BATCH)), 2 * BATCH
    z = torch.randn(count, LATENT_SIZE, 1, 1, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        batches = [generator.layers[0][0](part) for part in z.split(BATCH)]
    means = torch.stack([x.mean(dim=(0, 2, 3)) for x in batches]).mean(0)
    variances = torch.stack([x.transpose(0, 1).flatten(1).var(dim=1) for x in batches]).mean(0)
    assert torch.allclose(found.running_mean, means, atol=1e-6)
    assert torch.allclose(found.running_var, variances, rtol=1e-5)
    assert found.num_batches_tracked == 2


def test_the_layers_behind_see_what_is_normalised_by_its_own_batch(generator):
    """One batch: in evaluation mode the copy then draws what the network draws in training mode, but for Bessel."""
    z = torch.randn(BATCH, LATENT_SIZE, 1, 1, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found, expected = recalibrate_batch_norm(generator, 3, BATCH)(z), copy.deepcopy(generator).train()(z)
        before = generator(z)
    assert (found - expected).norm() < 0.01 * (before - expected).norm()


def test_it_is_a_copy_that_draws_the_same_from_the_same_seed(generator):
    before, state = copy.deepcopy(generator.state_dict()), torch.get_rng_state()
    first, again, other = (recalibrate_batch_norm(generator, seed, BATCH).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["layers.0.1.running_mean"], other["layers.0.1.running_mean"])
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    changed = {key for key in before if not torch.equal(first[key], before[key])}
    assert changed == {key for key in before if key.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    calibrated = recalibrate_batch_norm(generator, 1, BATCH)
    assert not calibrated.training and {norm.momentum for norm in norms(calibrated)} == {0.1}


def test_frozen_stages_keep_their_statistics(generator):
    before, found = norms(generator), norms(recalibrate_batch_norm(generator, 1, BATCH, frozen=2))
    same = [torch.equal(a.running_var, b.running_var) for a, b in zip(before, found, strict=True)]
    assert same == [True, True] + [False] * (len(before) - 2)
