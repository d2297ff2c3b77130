"""Diffusion: the exact moments of the forward process, the ways back, and the distance of samples to the data."""

import itertools
import math

import pytest
import torch

from ganopt.lab import diffusion
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("diffusion-2d")


@pytest.mark.parametrize("steps", [10, 1000])
@pytest.mark.parametrize("name", diffusion.SCHEDULES)
def test_the_recursion_of_the_moments_is_the_closed_form(name, steps):
    schedule = diffusion.SCHEDULES[name](steps)
    means, variances = diffusion.recursion(schedule)
    assert (means - schedule.kept.sqrt()).abs().max() < 1e-6
    assert (variances - (1 - schedule.kept)).abs().max() < 1e-6


def test_the_linear_schedule_ends_where_it_is_known_to():
    assert diffusion.linear(1000).kept[-1].sqrt().item() == pytest.approx(0.0064, abs=1e-4)


def test_noised_points_have_these_moments_and_so_have_noise_steps():
    schedule, chance = diffusion.linear(50), torch.Generator().manual_seed(0)
    x, walked = torch.full((40_000, 1), 0.8), torch.full((40_000, 1), 0.8)
    for t, beta in enumerate(schedule.betas.tolist(), 1):
        walked = math.sqrt(1 - beta) * walked + math.sqrt(beta) * torch.randn(walked.shape, generator=chance)
        if t % 25 == 0:
            direct = schedule.noised(x, torch.full((len(x),), t), torch.randn(x.shape, generator=chance))
            factor, deviation = schedule.moments(torch.tensor([t]))
            for points in (walked, direct):
                assert points.mean().item() == pytest.approx(0.8 * factor.item(), abs=0.02)
                assert points.std().item() == pytest.approx(deviation.item(), abs=0.02)


@pytest.mark.parametrize(("fresh", "steps"), [(1.0, 200), (0.0, 200), (0.0, 100)])
def test_with_the_exact_noise_both_ways_back_lead_to_the_data(fresh, steps):
    schedule, chance = diffusion.cosine(200), torch.Generator().manual_seed(0)
    centre, spread = torch.tensor([0.6, -0.4]), 0.3

    def exact(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:  # of data N(centre, spread^2)
        factor, deviation = schedule.moments(t)
        return deviation * (x - factor * centre) / (factor**2 * spread**2 + deviation**2)

    *_, (t, points) = diffusion.reverse(exact, schedule, torch.randn(20_000, 2, generator=chance), steps, fresh, chance)
    assert t == 0
    assert points.mean(0).tolist() == pytest.approx(centre.tolist(), abs=0.02)
    assert points.std(0).tolist() == pytest.approx([spread, spread], abs=0.02)


def test_sliced_wasserstein_of_a_shift_is_known():
    points = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    shifted = diffusion.sliced_wasserstein(points, points + torch.tensor([0.3, 0.4]))
    assert shifted == pytest.approx(0.5 * 2 / math.pi, rel=0.01)
    assert diffusion.sliced_wasserstein(points, points.flip(0)) == 0


def test_a_short_run_has_all_frames_and_figures():
    config = EXPERIMENT.parse("iterations=40,width=16,times=20,sampler_steps=10,batch=32")
    frames = [*EXPERIMENT.frames(config)]
    assert all(one.progress <= other.progress for one, other in itertools.pairwise(frames))
    names = [*frames[-1].figures]
    assert frames[-1].progress == 1 and "share of the data near a point, GAN" in names
    [drawing] = frames[-1].pictures.values()
    assert len(drawing.panels) == 16
