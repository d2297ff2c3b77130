"""Several critics: how a recipe names them, and that a run with them is exact."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from ganopt import R1, resume, train
from ganopt.training.adversarial import updates
from ganopt.training.adversarial.games import RULES
from ganopt.training.methods import new_state

BOTH = "plain-critic/16,projected:0.5"


def recipe(critic: str = BOTH, **settings) -> R1:
    small = {"generator": "big/32@32", "batch": 4, "steps": 4, "save_every": 2, "device": "cpu", "flip": True}
    return R1(critic=critic, **small | settings)


@pytest.fixture
def few(pictures) -> torch.Tensor:
    return pictures[:12]


def test_a_recipe_names_critics_with_their_weights():
    found = recipe()
    assert found.critic == "plain-critic/16@32,projected@32:0.5"
    assert found.critics == [("plain-critic/16@32", 1.0), ("projected@32", 0.5)]
    assert recipe("critic:2").critics == [("critic@32", 2.0)]


@pytest.mark.parametrize(
    ("critic", "fragments"),
    [
        ("plain-critic,", ["Unknown network ''"]),
        ("plain-critic,projected:much", ["The weight of projected is 'much'"]),
        ("plain-critic,projected:", ["The weight of projected is ''"]),
        ("plain-critic,projected:0", ["above 0"]),
        ("plain-critic:nan", ["is 'nan'"]),
        ("projected,projected", ["contains projected twice"]),
        ("projected,critic", ["critic can only be the first", "projected"]),
        ("plain-critic,projected@64", ["is for 32 pixels", "projected@64 for 64"]),
    ],
)
def test_what_names_no_critics_is_refused(critic, fragments, refuses):
    with refuses(*fragments):
        recipe(critic)


def test_a_run_with_both_is_resumed_to_the_bit(few, tmp_path):
    steps = list(train(recipe(), tmp_path / "straight", few))
    assert {"critic", "penalty", "critic_projected", "real_projected"} <= steps[0].losses.keys()
    assert "penalty_projected" not in steps[0].losses
    list(train(recipe(steps=2), tmp_path / "halved", few))
    list(resume(tmp_path / "halved", few, {"steps": 4}))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("straight", "halved"))
    assert one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
    assert any(name.startswith("critic_projected.heads") for name in one)
    assert not any("backbone" in name for name in one)


def test_without_the_second_critic_a_run_is_that_of_the_first_alone(few, tmp_path):
    """Bit for bit: what a second critic adds is drawn behind what the first one draws."""
    list(train(recipe("plain-critic/16"), tmp_path / "alone", few))
    both = dataclasses.replace(recipe(), critic=recipe().critic.split(",")[0])
    list(train(both, tmp_path / "taken", few))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("alone", "taken"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_generator_minimises_the_weighted_sum(few):
    state = new_state(recipe(), few)
    fake = state.generator(state.latents())
    state.random.manual_seed(7)
    whole = updates.adversarial_loss(state, fake)
    state.random.manual_seed(7)
    parts = [updates._generator_loss(state, opponent, None, fake) for opponent in state.opponents]
    assert whole.item() == pytest.approx((parts[0] + 0.5 * parts[1]).item(), rel=1e-5)


def test_each_critic_has_its_own_rules(few):
    first, second = new_state(recipe(lr_d=3e-4), few).opponents
    rules = RULES["projected"]
    assert first.optimiser.param_groups[0]["lr"] == 3e-4 and first.penalty > 0
    assert second.optimiser.param_groups[0]["lr"] == rules.rate and second.augment == rules.augment
    assert (first.weight, second.weight, second.penalty) == (1, 0.5, 0)


def test_a_changed_frozen_network_is_refused(few, tmp_path, monkeypatch, refuses):
    list(train(recipe(steps=1), tmp_path / "run", few))
    monkeypatch.setattr("ganopt.models.networks.projected.backbone_digest", lambda: "another")
    with refuses("another frozen network"):
        resume(tmp_path / "run", few, {"steps": 2})
