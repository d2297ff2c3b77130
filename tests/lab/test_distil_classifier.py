"""Distilling a classifier: the gradient by hand, what soft targets add, and a digit that the student never sees."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ganopt.lab.digits import shipped
from ganopt.lab.experiments.distil_classifier import distillation_loss
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("distil-classifier")


@pytest.fixture(autouse=True, scope="module")
def drawn_once() -> Iterator[None]:
    """The same digits are drawn only once."""
    draw, known = shipped.drawn_digits, dict[tuple, tuple]()

    def drawn_digits(count, chance):
        key = count, chance.get_state().numpy().tobytes()
        if key not in known:
            known[key] = draw(count, chance), chance.get_state()
        digits, state = known[key]
        chance.set_state(state)
        return digits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "drawn_digits", drawn_digits)
        yield


@pytest.mark.parametrize(("mix", "temperature"), [(0.5, 5.0), (0.0, 1.0), (1.0, 20.0)])
def test_the_gradient_by_hand_is_autograd_s(mix, temperature):
    chance = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 6, 10, generator=chance, dtype=torch.float64)
    student.requires_grad_(True)
    labels = torch.arange(6)
    loss = distillation_loss(student, teacher, labels, mix, temperature)
    (gradient,) = torch.autograd.grad(loss, student)
    hard = student.softmax(1) - torch.eye(10)[:6]
    soft = (student / temperature).softmax(1) - (teacher / temperature).softmax(1)
    assert torch.allclose(gradient, ((1 - mix) * hard + mix * temperature * soft) / 6, atol=1e-12)


def test_soft_targets_add_two_points_in_the_mean_of_five_seeds():
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(""))
    gain = frame.figures["gain by soft targets"]
    assert gain.measured >= 0.02 and gain.is_right


def test_a_digit_that_is_left_out_is_read_after_its_bias_is_corrected():
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse("left_out=3,mix=1,temperature=10,students=1"))
    trained, corrected = (frame.figures[f"the digit left out, {name}"] for name in ("as trained", "bias corrected"))
    assert corrected.exact == 0.986 and corrected.is_right is None
    assert corrected.measured >= max(trained.measured, 0.3)


def test_digits_of_a_file_need_labels(tmp_path, refuses):
    np.savez(tmp_path / "digits.npz", images=np.zeros((20, 28, 28), np.uint8))
    with refuses("have no labels"):
        [*EXPERIMENT.frames(EXPERIMENT.configure({"digits": str(tmp_path / "digits.npz")}))]


def test_digits_of_a_file(tmp_path):
    pictures, labels = shipped.drawn_digits(100, torch.Generator().manual_seed(0))
    images = (pictures[:, 0] * 127.5 + 127.5).byte().numpy()
    np.savez(tmp_path / "digits.npz", images=images, labels=labels.numpy())
    settings = {"digits": str(tmp_path / "digits.npz"), "students": 1, "steps": 10}
    first, *_, last = EXPERIMENT.frames(EXPERIMENT.configure(settings))
    assert first.said == "Digits of the file." and last.progress == 1
