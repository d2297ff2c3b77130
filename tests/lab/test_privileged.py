"""A student with a teacher that sees more: accuracies that are known, and learning without a teacher bit for bit."""

import pytest
import torch

from ganopt.lab.privileged import Problems, label_loss, likeness_loss
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("privileged")
PLAIN, STUDENT, TEACHER = (f"accuracy of {name}" for name in ("plain learning", "the student", "the teacher"))


def last(text: str):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    return frame


def test_the_exact_accuracy_is_what_counting_gives():
    chance = torch.Generator().manual_seed(0)
    problems = Problems(3, 2, 5, chance)
    x, extra, y = problems.draw(200_000, chance)
    weights = problems.alpha + torch.randn(3, 5, generator=chance)
    counted = (((x @ weights[..., None])[..., 0] > 0) == (y > 0.5)).float().mean(1)
    assert torch.allclose(problems.accuracy(weights), counted, atol=0.005)
    counted = ((extra[..., 0] > 0) == (y > 0.5)).float().mean(1)
    assert torch.allclose(problems.best(), counted, atol=0.005)
    assert torch.allclose(problems.accuracy(3 * problems.alpha), problems.best(), atol=1e-5)


def test_the_losses_are_those_written_out():
    a, known, y = torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, 0.5]]), torch.tensor([[1.0, 0.0]])
    by_hand = -(a[0, 0].sigmoid().log() + (1 - a[0, 1].sigmoid()).log()) / 2
    assert label_loss(a, y).item() == pytest.approx(by_hand.item())
    assert likeness_loss(a, known, "squares").item() == pytest.approx((0.7**2 + 2.5**2) / 4)
    p = known.sigmoid()
    by_hand = -(p * a.sigmoid().log() + (1 - p) * (1 - a.sigmoid()).log()).mean()
    assert likeness_loss(a, known, "cross-entropy").item() == pytest.approx(by_hand.item())


@pytest.mark.parametrize("text", ["seed=0", "seed=1", "form=joint", "form=joint,seed=1"])
def test_the_student_gains_what_the_paper_says(text):
    figures = last(text).figures
    assert figures[PLAIN].measured == pytest.approx(0.88, abs=0.02)
    assert figures[STUDENT].measured == pytest.approx(0.95, abs=0.01)
    assert figures[TEACHER].measured == pytest.approx(figures[TEACHER].exact, abs=1e-4)
    assert all(figure.is_right for figure in figures.values())


@pytest.mark.parametrize("form", ["separate", "joint"])
@pytest.mark.parametrize("sees", ["x*", "x and x*"])
def test_mu_0_is_plain_learning_bit_for_bit(form, sees):
    frame = last(f"mu=0,form={form},sees={sees},steps=50,problems=5,unlabelled=30")
    apart = frame.figures["largest difference of the student's weights from plain ones"]
    assert apart.measured == 0 and apart.is_right
    curves = frame.series["Accuracy on new objects"]
    assert curves["student"] == curves["plain"] and curves["plain"][0][1] < 0.6 < curves["plain"][-1][1]


def test_plain_learning_does_not_depend_on_the_teacher():
    texts = ("steps=20", "steps=20,form=joint", "steps=20,sees=x and x*", "steps=20,mu=3")
    curves = [last(text).series["Accuracy on new objects"]["plain"] for text in texts]
    assert all(curve == curves[0] for curve in curves)


def test_in_the_joint_form_the_student_s_loss_moves_the_teacher():
    texts = [f"steps=20,mu={mu},form=joint,sees=x and x*" for mu in (1, 10)]
    first, second = (last(text).series["Accuracy on new objects"]["teacher"] for text in texts)
    assert first[0] == second[0] and first[-1] != second[-1]
    known = torch.zeros(1, 2, requires_grad=True)
    [gradient] = torch.autograd.grad(likeness_loss(torch.ones(1, 2), known, "squares"), known)
    assert gradient.tolist() == [[-0.5, -0.5]]


def test_objects_without_labels_help_the_student_alone():
    few, more = (last(f"objects=20,unlabelled={count}").figures for count in (0, 200))
    assert few[PLAIN].measured < 0.7 and more[PLAIN].measured < 0.7
    assert few[STUDENT].measured < 0.75 and more[STUDENT].measured > 0.92


def test_a_teacher_that_sees_x_too_has_little_to_teach():
    figures = last("sees=x and x*").figures
    assert figures[TEACHER].measured < 0.91 and figures[STUDENT].measured < 0.9


def test_with_cross_entropy_both_can_agree_on_wrong_answers():
    figures = last("form=joint,likeness=cross-entropy,mu=100").figures
    assert figures[STUDENT].measured < 0.85 and figures[TEACHER].measured < 0.85
