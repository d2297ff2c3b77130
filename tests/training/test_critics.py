"""Several critics: how a recipe names them, and that a run with them is exact."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ganopt import resume, train
from ganopt.cli.parser import _parser
from ganopt.models import weights
from ganopt.models.networks import build_critic
from ganopt.training import methods, step
from ganopt.training.methods import new_state
from ganopt.training.recipe_text import argv, parse_saved
from ganopt.training.recipes import CriticSettings, Recipe
from ganopt.training.recipes.critics import OWN_DEFAULTS, format_critics
from ganopt.training.run_folder import read_recipe

BOTH = "plain-critic/16,projected:0.5"
SMALL = {"generator": "big/32@32", "batch": 4, "steps": 4, "save_every": 2, "device": "cpu", "flip": True}
LIKE = {"r1": 2e-4, "hinge": 3e-4, "r3": 4e-4}  # learning rates by loss
SAVED = Path(__file__).parent / "saved"


def recipe(critic: str = BOTH, **settings) -> Recipe:
    return methods.recipe("r1", critic=critic, **SMALL | settings)


@pytest.fixture
def few(pictures) -> torch.Tensor:
    return pictures[:12]


def test_a_recipe_names_critics_with_their_weights():
    found = recipe()
    assert format_critics(found.critics) == "plain-critic/16@32,projected@32:0.5"
    assert [(critic.architecture, critic.weight) for critic in found.critics] == [
        ("plain-critic/16@32", 1.0),
        ("projected@32", 0.5),
    ]
    assert format_critics(recipe("critic:2").critics) == "critic@32:2"


@pytest.mark.parametrize(
    ("critic", "fragments"),
    [
        ("plain-critic,", ["Unknown network ''"]),
        ("plain-critic,projected:much", ["The weight of projected is 'much'"]),
        ("plain-critic,projected:", ["The weight of projected is ''"]),
        ("plain-critic,projected:0", ["above 0"]),
        ("plain-critic:nan", ["is 'nan'"]),
        ("plain-critic:1:2", ["'2' after plain-critic is no setting", "lr-d"]),
        ("plain-critic:blur=2", ["plain-critic has no setting 'blur'", "lr-d"]),
        ("plain-critic:lr-d=much", ["lr-d of plain-critic is 'much'"]),
        ("plain-critic:lr-d=-1", ["--lr-d is -1"]),
        ("plain-critic,projected@64", ["is for 32 pixels", "projected@64 for 64"]),
    ],
)
def test_what_names_no_critics_is_refused(critic, fragments, refuses):
    with refuses(*fragments):
        recipe(critic)


def test_a_run_with_both_is_resumed_to_the_bit(few, tmp_path):
    steps = list(train(recipe(steps=2), tmp_path / "straight", few))
    assert {"critic", "penalty", "critic_projected", "real_projected"} <= steps[0].losses.keys()
    assert "penalty_projected" not in steps[0].losses
    list(train(recipe(steps=1), tmp_path / "halved", few))
    list(resume(tmp_path / "halved", few, {"steps": 2}))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("straight", "halved"))
    assert one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
    assert any(name.startswith("critic_projected.heads") for name in one)
    assert not any("backbone" in name for name in one)


def test_without_the_second_critic_a_run_is_that_of_the_first_alone(few, tmp_path):
    """Bit for bit: what a second critic adds is drawn behind what the first one draws."""
    list(train(recipe("plain-critic/16"), tmp_path / "alone", few))
    both = dataclasses.replace(recipe(), critics=recipe().critics[:1])
    list(train(both, tmp_path / "taken", few))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("alone", "taken"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_generator_minimises_the_weighted_sum(few):
    state = new_state(recipe(), few)
    fake = state.generator(state.latents())
    state.random.manual_seed(7)
    whole = step.adversarial_loss(state, fake)
    state.random.manual_seed(7)
    parts = [step._term(state, critic, None, fake) for critic in state.critics]
    assert whole.item() == pytest.approx((parts[0] + 0.5 * parts[1]).item(), rel=1e-5)


def test_a_kind_has_its_own_defaults_wherever_it_stands():
    first, second = recipe(lr_d=3e-4).critics
    own = ("hinge", 2e-4, 0.0, 0.99, ("color", "translation", "cutout"), 0.0, 1)
    assert (first.loss, first.lr, first.penalty) == ("r1", 3e-4, 0.4)
    names = ("loss", "lr", "beta1", "beta2", "augment", "penalty", "penalty_every")
    assert tuple(getattr(second, name) for name in names) == own
    alone = methods.recipe("wgan-gp", critic="projected-fine", steps=1).critics[0]
    assert tuple(getattr(alone, name) for name in names) == own
    assert recipe("projected", lr_d=3e-4).critics[0].lr == 3e-4  # else the option would have no effect
    assert recipe("plain-critic/16,projected:0.5:lr-d=1e-4:augment=color").critics[1] == dataclasses.replace(
        second, lr=1e-4, augment=("color",)
    )


def test_two_of_a_kind_with_different_settings_train_and_are_saved(few, tmp_path):
    critics = tuple(
        CriticSettings(architecture="plain-critic/16", loss=loss, lr=lr, beta2=0.9) for loss, lr in LIKE.items()
    )
    both = methods.recipe("r1", critics=critics, **SMALL)
    (step,) = list(train(dataclasses.replace(both, steps=1), tmp_path / "run", few))
    assert {"critic", "critic_plain-critic", "critic_plain-critic_3"} <= step.losses.keys()
    assert read_recipe(tmp_path / "run").critics == tuple(dataclasses.replace(each) for each in both.critics)
    saved = json.loads(weights.read_metadata(tmp_path / "run" / "critic.safetensors")["recipe"])["critics"]
    assert [(each["loss"], each["lr"]) for each in saved] == list(LIKE.items())
    assert _parser().parse_args(argv(both)).critic == (
        "plain-critic/16@32:beta2=0.9,plain-critic/16@32:loss=hinge:lr-d=0.0003:beta2=0.9,"
        "plain-critic/16@32:loss=r3:lr-d=0.0004:beta2=0.9"
    )


def test_critics_are_given_in_one_way(refuses):
    with refuses("given with all their settings; leave out loss"):
        methods.recipe("r1", critics=(CriticSettings(architecture="critic"),), loss="r3", steps=1)
    with refuses("needs a critic"):
        methods.recipe("r1", critics=(), steps=1)


def test_an_edited_table_does_not_change_a_saved_run(few, tmp_path, monkeypatch):
    list(train(recipe(steps=1), tmp_path / "run", few))
    before = read_recipe(tmp_path / "run").critics
    monkeypatch.setitem(OWN_DEFAULTS["projected"], "lr", 1.0)
    assert recipe().critics[1].lr == 1.0 and read_recipe(tmp_path / "run").critics == before


def test_a_run_of_version_0_1_keeps_the_critics_that_it_had(monkeypatch):
    values = json.loads((SAVED / "r1.json").read_text())
    values["critic"] = "plain-critic/8@32:0.25,projected/2@32:0.5"  # the divisor had no effect
    monkeypatch.setitem(OWN_DEFAULTS["projected"], "lr", 1.0)
    first, second = parse_saved(values)[0].critics
    assert (first.architecture, first.weight, first.loss, first.penalty_every) == ("plain-critic/8@32", 0.25, "r1", 8)
    assert second == CriticSettings(
        architecture="projected@32",
        weight=0.5,
        loss="hinge",
        lr=2e-4,
        beta1=0.0,
        beta2=0.99,
        augment=("color", "translation", "cutout"),
    )


def test_the_divisor_of_a_projected_critic_is_that_of_its_heads():
    widths = [head[0].out_channels for head in build_critic("projected/2@32").heads[:3]]
    assert widths == [32, 64, 128]
    assert [head[0].out_channels for head in build_critic("projected@32").heads[:3]] == [64, 128, 256]


def test_shared_pictures_are_drawn_once_a_step(few, tmp_path, refuses):
    shared = recipe("plain-critic/16", share_fakes=True)
    state, drawn, seen = new_state(shared, few), [], []
    state.generator.register_forward_hook(lambda _, inputs, output: drawn.append((inputs[0], output)))
    update = step.update_critics
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            step, "update_critics", lambda state, fake, number: seen.append(fake) or update(state, fake, number)
        )
        losses = step.train_step(state)
    assert len(drawn) == 1 and torch.equal(seen[0], drawn[0][1]) and not seen[0].requires_grad
    # the generator's loss is that of the updated critic, on the same pictures
    again = new_state(dataclasses.replace(shared), few)
    z, fake = step.draw(again)
    step.update_critics(again, fake.detach(), 0)
    assert torch.equal(fake, drawn[0][1]) and step.adversarial_loss(again, fake).item() == losses["generator"].item()
    list(train(shared, tmp_path / "straight", few))
    list(train(dataclasses.replace(shared, steps=2), tmp_path / "halved", few))
    list(resume(tmp_path / "halved", few, {"steps": 4}))
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("straight", "halved"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    with refuses("--n-critic 1"):
        recipe(share_fakes=True, n_critic=2)


def test_a_changed_frozen_network_is_refused(few, tmp_path, monkeypatch, refuses):
    list(train(recipe(steps=1), tmp_path / "run", few))
    monkeypatch.setattr("ganopt.models.networks.projected.backbone_digest", lambda: "another")
    with refuses("another frozen network"):
        resume(tmp_path / "run", few, {"steps": 2})
