"""Losses against their papers' formulas, written out by hand, and against derivatives taken in another way."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from ganopt.models.networks import build_critic
from ganopt.training import losses, methods
from ganopt.training import step as training
from ganopt.training.losses import LOSSES
from ganopt.training.methods import new_state
from ganopt.training.methods.distillation import feature_loss, joint_loss, pixel_loss
from ganopt.training.state import State

REAL, FAKE = [1.5, -0.25, 3.0, 0.0], [-2.0, 0.5, 0.125, 4.0]


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


class Linear(nn.Module):
    """D(x) = w . x: its gradient is w everywhere."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def scores(self, x: Tensor) -> Tensor:
        return (self.weight * x).sum(dim=(1, 2, 3))[:, None] + 7


class Quadratic(nn.Module):
    """D(x) = a |x|^2 / 2: its gradient is a x."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def scores(self, x: Tensor) -> Tensor:
        return self.factor * x.square().sum(dim=(1, 2, 3))[:, None] / 2


class Smooth(nn.Module):
    """A small critic without kinks, so that finite differences converge."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 1))

    def scores(self, x: Tensor) -> Tensor:
        return self.layers(x)


FORMULAS = {
    "wgan-gp": (mean(FAKE) - mean(REAL), -mean(FAKE)),
    "dcgan": (
        -mean(math.log(sigmoid(r)) for r in REAL) - mean(math.log(1 - sigmoid(f)) for f in FAKE),
        -mean(math.log(sigmoid(f)) for f in FAKE),
    ),
    "r3": (
        -mean(math.log(sigmoid(r - f)) for r, f in zip(REAL, FAKE, strict=True)),
        -mean(math.log(sigmoid(f - r)) for r, f in zip(REAL, FAKE, strict=True)),
    ),
}
FORMULAS["hinge"] = (mean(max(0, 1 - r) for r in REAL) + mean(max(0, 1 + f) for f in FAKE), -mean(FAKE))
FORMULAS["r1"] = FORMULAS["dcgan"]


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_is_its_formula(name):
    loss, (critic, generator) = LOSSES[name], FORMULAS[name]
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    assert loss.critic(real, fake).item() == pytest.approx(critic, rel=1e-6)
    assert loss.generator(real if loss.compares_with_real else None, fake).item() == pytest.approx(generator, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_pulls_its_own_way(name):
    """The critic wants real scores up and generated ones down, the generator generated ones up."""
    loss = LOSSES[name]
    real, fake = torch.tensor(REAL, requires_grad=True), torch.tensor(FAKE, requires_grad=True)
    on_real, on_fake = torch.autograd.grad(loss.critic(real, fake), (real, fake))
    (pull,) = torch.autograd.grad(loss.generator(real, fake), fake)
    if name == "hinge":  # which asks nothing of what is on the right side of its margin
        on_real, on_fake = on_real[torch.tensor(REAL) < 1], on_fake[torch.tensor(FAKE) > -1]
    assert (on_real < 0).all() and (on_fake > 0).all() and (pull < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name):
    loss = LOSSES[name]
    scores = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in (REAL, FAKE)]
    assert torch.autograd.gradcheck(loss.critic, scores) and torch.autograd.gradcheck(loss.generator, scores)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_very_sure_critics_give_finite_losses(name, size):
    loss, real, fake = LOSSES[name], torch.full((3,), size), torch.full((3,), -size)
    assert loss.critic(real, fake).isfinite() and loss.generator(real, fake).isfinite()


@pytest.mark.parametrize("length", [0.5, 1.0, 4.0])
def test_gradient_penalty_of_a_linear_critic(length):
    direction = nn.functional.normalize(torch.randn(3, 8, 8).flatten(), dim=0).view(3, 8, 8)
    critic = Linear(length * direction)
    penalty = losses.gradient_penalty(critic, torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8), torch.rand(4, 1, 1, 1))
    assert penalty.item() == pytest.approx((length - 1) ** 2, abs=1e-6)
    penalty.backward()
    torch.testing.assert_close(critic.weight.grad, 2 * (length - 1) * direction, atol=1e-5, rtol=1e-5)


def test_gradient_penalty_is_taken_at_the_mixed_points():
    real, fake = torch.randn(3, 3, 8, 8), torch.randn(3, 3, 8, 8)
    mix = torch.tensor([0.0, 1.0, 0.3]).view(3, 1, 1, 1)
    points = torch.stack([fake[0], real[1], 0.3 * real[2] + 0.7 * fake[2]])
    expected = mean((2 * point.norm().item() - 1) ** 2 for point in points)
    assert losses.gradient_penalty(Quadratic(2.0), real, fake, mix).item() == pytest.approx(expected, rel=1e-5)


def test_zero_centred_penalty_of_a_linear_critic():
    critic = Linear(torch.randn(3, 8, 8))
    penalty = losses.zero_centred_penalty(critic, torch.randn(4, 3, 8, 8))
    assert penalty.item() == pytest.approx(critic.weight.square().sum().item() / 2, rel=1e-6)
    penalty.backward()
    torch.testing.assert_close(critic.weight.grad, critic.weight.detach())


def test_zero_centred_penalty_of_a_quadratic_critic():
    critic, x = Quadratic(3.0), torch.randn(5, 3, 8, 8)
    penalty = losses.zero_centred_penalty(critic, x)
    expected = mean(9 * picture.square().sum().item() / 2 for picture in x)
    assert penalty.item() == pytest.approx(expected, rel=1e-5)
    penalty.backward()
    assert critic.factor.grad.item() == pytest.approx(2 * expected / 3, rel=1e-5)


@pytest.mark.parametrize("name", ["critic/16@32", "kd-critic/16@32", "plain-critic/16@32"])
def test_squared_gradient_norm_is_that_of_the_jacobian(name):
    critic, x = build_critic(name), torch.randn(3, 3, 32, 32)
    jacobian = torch.autograd.functional.jacobian(critic.scores, x)  # (3, 1, 3, 3, 32, 32)
    expected = torch.stack([jacobian[index, 0, index].square().sum() for index in range(3)])
    torch.testing.assert_close(losses.squared_gradient_norm(critic, x), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", ["gradient_penalty", "zero_centred_penalty"])
def test_penalties_teach_the_critic_along_their_slope(name):
    torch.manual_seed(0)
    critic, real, fake, mix = Smooth(), torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8), torch.rand(4, 1, 1, 1)
    arguments = (real, fake, mix) if name == "gradient_penalty" else (real,)

    def value() -> Tensor:
        return getattr(losses, name)(critic, *arguments)

    value().backward()
    weight = critic.layers[0].weight
    direction, size = torch.randn_like(weight), 1e-2
    slope = (weight.grad * direction).sum().item()
    with torch.no_grad():
        weight.add_(size * direction)
    above = value().item()
    with torch.no_grad():
        weight.sub_(2 * size * direction)
    assert (above - value().item()) / (2 * size) == pytest.approx(slope, rel=1e-2)


def test_penalties_leave_pictures_as_they_are():
    critic, real, fake = Quadratic(2.0), torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8, requires_grad=True)
    losses.gradient_penalty(critic, real, fake, torch.rand(2, 1, 1, 1)).backward()
    (losses.zero_centred_penalty(critic, fake) + losses.zero_centred_penalty(critic, real)).backward()
    assert critic.factor.grad is not None and fake.grad is None
    assert not real.requires_grad


@pytest.mark.parametrize(("kind", "expected"), [("mse", 2.5), ("l1", 1.5)])
def test_pixel_losses(kind, expected):
    student = torch.zeros(2, 3, 4, 4)
    teacher = torch.ones(2, 3, 4, 4)
    teacher[1] = -2
    assert pixel_loss(student, teacher, kind).item() == expected


def test_feature_loss_compares_activations_and_asks_nothing_of_the_teacher():
    critic = build_critic("critic/16@32").requires_grad_(False)
    student, teacher = (torch.randn(2, 3, 32, 32, requires_grad=True) for _ in range(2))
    loss = feature_loss(critic, student, teacher)
    expected = (critic.layers[:-1](student) - critic.layers[:-1](teacher)).abs().mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert student.grad.abs().sum() > 0 and teacher.grad is None
    assert feature_loss(critic, teacher, teacher).item() == 0


def test_joint_loss_weighs_its_terms():
    adversarial, imitation = torch.tensor(3.0), torch.tensor(5.0)
    assert joint_loss(0.25, adversarial, imitation).item() == 0.25 * 3 + 0.75 * 5
    assert joint_loss(1.0, adversarial, None).item() == 3
    assert joint_loss(0.0, None, imitation).item() == 5


def student_state(source, pictures: Tensor, **settings) -> State:
    recipe = methods.recipe(
        "distill",
        generator="kd/16@32",
        critic="kd-critic/16",
        teacher=str(source),
        steps=1,
        batch=4,
        device="cpu",
        **settings,
    )
    return new_state(recipe, pictures)


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters())))


def all_equal(first: list[Tensor], second: list[Tensor]) -> bool:
    assert any(gradient.any() for gradient in first)
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("pixel", ["mse", "l1"])
def test_alpha_0_is_exactly_the_pixel_term(source, pictures, pixel):
    state = student_state(source, pictures, alpha=0.0, pixel=pixel)
    student, z = copy.deepcopy(state.generator), state.latents()
    loss, terms = state.generator_loss(state, z, state.generator(z))
    difference = student(z) - state.frozen["teacher"](z)
    expected = (difference.square() if pixel == "mse" else difference.abs()).mean()
    assert list(terms) == ["imitation"] and torch.equal(loss, expected)
    assert all_equal(gradients(loss, state.generator), gradients(expected, student))


@pytest.mark.parametrize("pixel", ["mse", "l1"])
@pytest.mark.parametrize("loss_name", ["dcgan", "wgan-gp"])
def test_alpha_1_is_exactly_the_adversarial_term(source, pictures, pixel, loss_name):
    state = student_state(source, pictures, alpha=1.0, pixel=pixel, loss=loss_name)
    student, z = copy.deepcopy(state.generator), state.latents()
    loss, terms = state.generator_loss(state, z, state.generator(z))
    scores = state.critics[0].network.scores(student(z))
    expected = nn.functional.softplus(-scores).mean() if loss_name == "dcgan" else -scores.mean()
    assert list(terms) == ["adversarial"] and torch.equal(loss, expected)
    assert all_equal(gradients(loss, state.generator), gradients(expected, student))


@pytest.mark.parametrize("alpha", [0.3, 0.05])
def test_alpha_between_mixes_the_gradients(source, pictures, alpha):
    found = {}
    for weight in (0.0, alpha, 1.0):
        state = student_state(source, pictures, alpha=weight, feature=0.5)
        z = state.latents()
        found[weight] = gradients(state.generator_loss(state, z, state.generator(z))[0], state.generator)
    mixed, imitation, adversarial = (torch.cat([g.flatten() for g in found[w]]) for w in (alpha, 0.0, 1.0))
    expected = alpha * adversarial + (1 - alpha) * imitation
    assert (mixed - expected).norm() < 1e-4 * expected.norm()
    assert (mixed - imitation).norm() > 1e-2 * mixed.norm()


def test_the_feature_term_is_added_to_the_pixel_term_with_its_weight(source, pictures):
    state = student_state(source, pictures, alpha=0.0, feature=0.5)
    z = state.latents()
    loss, _ = state.generator_loss(state, z, state.generator(z))
    student, teacher = state.generator(z), state.frozen["teacher"](z)
    activations = [state.frozen["teacher_critic"].layers[:-1](x) for x in (student, teacher)]
    expected = (student - teacher).square().mean() + 0.5 * (activations[0] - activations[1]).abs().mean()
    torch.testing.assert_close(loss, expected)


def test_the_generators_update_leaves_the_critic_alone(source, pictures):
    state = student_state(source, pictures, alpha=0.5)
    before = {name: value.clone() for name, value in state.critics[0].network.state_dict().items()}
    drawn = state.generator.layers[0][0].weight.clone()
    training.update_generator(state, *training.draw(state))
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in state.critics[0].network.parameters()
    )
    assert all(torch.equal(before[name], value) for name, value in state.critics[0].network.state_dict().items())
    assert not torch.equal(drawn, state.generator.layers[0][0].weight)
