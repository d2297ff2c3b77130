"""A GAN on the line: the critic that is known, and what training comes to."""

import math

import numpy as np
import pytest
import torch

from ganopt.lab import line
from ganopt.lab.experiments.gan_1d import critic_loss, generator_loss
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("gan-1d")


def last(text: str):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    return frame


def test_the_losses_are_those_of_the_paper():
    real, fake = torch.tensor([[0.3], [-2.0]]), torch.tensor([[1.0], [0.5]])
    by_hand = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())
    assert critic_loss(real, fake).item() == pytest.approx(by_hand.item())
    assert generator_loss(fake, "minimax").item() == pytest.approx((1 - fake.sigmoid()).log().mean().item())
    assert generator_loss(fake, "non-saturating").item() == pytest.approx(-fake.sigmoid().log().mean().item())


@pytest.mark.parametrize("kind", line.DATA)
def test_density_draws_and_quantiles_of_data_agree(kind):
    data, grid = line.DATA[kind], np.linspace(-8, 8, 160_001)
    assert (data.density(grid).mean() * 16) == pytest.approx(1, abs=1e-3)
    drawn, quantiles = data.draw(100_000, torch.Generator().manual_seed(0)).numpy()[:, 0], data.quantiles(100_000)
    for points in (drawn, quantiles):
        assert points.mean() == pytest.approx(data.mean, abs=0.02)
        assert points.std() == pytest.approx(data.deviation, abs=0.02)
    assert line.wasserstein(quantiles + 0.25, data) == pytest.approx(0.25, abs=1e-3)


def test_the_density_of_an_affine_generator_is_the_noise_s_over_its_slope():
    affine = torch.nn.Linear(1, 1)
    with torch.no_grad():
        affine.weight.fill_(-0.5)
        affine.bias.fill_(1.0)
    edges = np.linspace(-1, 3, 41)
    middles = (edges[1:] + edges[:-1]) / 2
    exact = np.exp(-(((middles - 1) / 0.5) ** 2) / 2) / (0.5 * math.sqrt(2 * math.pi))
    assert line.density_of(line.generated(affine, "Gaussian", 100_000), edges) == pytest.approx(exact, abs=0.01)


def test_a_critic_alone_becomes_p_over_p_plus_q():
    frame = last("train=critic only,noise=uniform,batch=1024,iterations=200")
    figure = frame.figures["largest |D - p/(p+q)|"]
    assert figure.measured < 0.05 and figure.is_right


def test_both_networks_come_to_equilibrium():
    figures = last("").figures
    distance, gap = figures["Wasserstein distance / standard deviation"], figures["mean |D - 1/2|"]
    assert distance.measured < 0.1 and distance.is_right
    assert gap.measured < 0.05 and gap.is_right


def test_where_one_network_wins_training_is_ruined():
    figures = last("loss=minimax,critic_steps=1,lr_g=0.05,falling=0,iterations=300").figures
    assert figures["Wasserstein distance / standard deviation"].measured > 0.5
