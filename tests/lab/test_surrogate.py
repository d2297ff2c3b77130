"""Surrogates: a known function that is learned better from more calls, and verdicts on faces."""

import math

import numpy as np
import pytest
import torch

from ganopt.lab import costly
from ganopt.lab.experiments.surrogate import call_counts, linear_prediction, r_squared
from ganopt.lab.registry import find_experiment
from ganopt.metrics import eyes
from ganopt.models import zoo
from ganopt.models.sampling import draw

EXPERIMENT = find_experiment("surrogate")


def last(text: str):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    return frame


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", costly.COSTLY)
def test_components_of_the_objects_have_mean_0_and_variance_1(name):
    objects = costly.COSTLY[name].objects(20_000, seeded())
    assert objects.mean(0).abs().max() < 0.04 and (objects.var(0) - 1).abs().max() < 0.05


def test_the_known_function_is_friedman_s():
    u = np.array([[0.5, 1.0, 0.0, 0.25, 0.2], [1.0, 1.0, 0.5, 0.0, 1.0], [0.25, 2 / 3, 1.0, 0.5, 0.0]])
    x = torch.from_numpy(np.concatenate((u, np.full((3, 5), 0.7)), 1) - 0.5).float() * math.sqrt(12)
    assert costly.friedman(x).tolist() == pytest.approx([10 + 5 + 2.5 + 1, 5, 5 + 5 + 5], abs=1e-4)


def test_r_squared():
    right = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert r_squared(right, right) == 1 and r_squared(right.mean().expand(4), right) == pytest.approx(0)
    assert r_squared(right + torch.tensor([1.0, 0, 0, 0]), right) == pytest.approx(1 - 1 / 14)


def test_a_linear_model_finds_a_linear_function():
    x, new = torch.randn(50, 3, generator=seeded()), torch.randn(20, 3, generator=seeded(1))
    slopes = torch.tensor([1.0, -2.0, 0.5])
    assert torch.allclose(linear_prediction(x, x @ slopes + 4, new), new @ slopes + 4, atol=1e-4)


@pytest.mark.parametrize(("most", "counts"), [(800, [50, 100, 200, 400, 800]), (70, [70]), (301, [75, 150, 301])])
def test_numbers_of_calls_are_halves_of_the_most(most, counts):
    assert call_counts(most) == counts


def test_r_squared_rises_with_the_calls_to_above_0_99():
    frame = last("")
    curve = frame.series["R^2 on new objects"]["surrogate"]
    values = [value for _, value in curve]
    assert [count for count, _ in curve] == [50, 100, 200, 400, 800]
    assert values == sorted(values) and values[0] < 0.9 and values[-1] > 0.99
    assert frame.figures["R^2 of the surrogate"].is_right
    assert frame.figures["smallest rise of R^2 with twice the calls"].is_right
    assert frame.figures["R^2 of a linear model of all calls"].measured < 0.8


def test_the_surrogate_is_judged_on_other_objects_than_it_learned_from():
    """Of 50 calls, those with the test's seed are known to it by heart; new ones are not."""
    assert last("calls=50,steps=300").figures["R^2 of the surrogate"].measured < 0.9


class TestFaces:
    def test_verdicts_are_those_on_the_drawn_faces(self):
        latents = costly.COSTLY["colour of a face"].objects(3, seeded())
        faces = draw(zoo.load(costly.MODEL), latents[..., None, None])
        levels = faces.double().mean((2, 3))
        assert torch.allclose(costly.warmth(latents).double(), levels[:, 0] - levels[:, 2], atol=0.1)
        assert torch.allclose(costly.mismatch(latents), eyes.load("cat").mismatch(faces), rtol=0.02)

    def test_the_colour_of_a_face_can_be_told_from_its_latent_in_less_time(self):
        figures = last("costly=colour of a face,calls=600,tested=150,steps=200").figures
        assert figures["R^2 of the surrogate"].measured > 0.8
        assert figures["time of a costly call / of the surrogate"].measured > 5
