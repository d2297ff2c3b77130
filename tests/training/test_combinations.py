"""Every method with every loss, and critics that take turns: it trains, or one sentence says why not."""

import math
from pathlib import Path

import pytest
import torch

from ganopt import recipe, train
from ganopt.models import weights
from ganopt.models.networks import build_critic, build_generator, kinds
from ganopt.training.losses import LOSSES
from ganopt.training.methods import METHODS, resolved
from ganopt.training.recipes.critics import format_critics
from ganopt.training.run_folder import read_recipe

CRITICS = kinds("critic")
NORMALISED = ("projected", "projected-fine")  # by BatchNorm
TINY = {"generator": "big/64@32", "batch": 2, "n_critic": 1, "steps": 1, "device": "cpu", "flip": False}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """By kind of critic, a folder with a generator and such a critic."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in CRITICS}
    for kind, folder in folders.items():
        weights.save(build_generator("big/64@32"), folder / "generator.safetensors")
        weights.save(build_critic(f"{kind}/64@32"), folder / "critic.safetensors")
    return folders


@pytest.fixture
def two(pictures) -> torch.Tensor:
    return pictures[:2]


def make(method: str, origin: Path, **settings):
    """A tiny recipe of a method, whose source or teacher is `origin` if it has one."""
    own = {"transfer": {"source": str(origin), "freeze_d": 0}, "distill": {"teacher": str(origin), "alpha": 0.3}}
    values = TINY | own.get(method, {}) | settings
    if METHODS[method].recipe.generator_from_origin:
        del values["generator"]
    return recipe(method, **values)


def assert_trains(made, folder: Path, pictures: torch.Tensor) -> None:
    (step,) = list(train(made, folder, pictures))
    assert all(math.isfinite(value) for value in step.losses.values())
    assert read_recipe(folder) == resolved(made)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", METHODS)
def test_each_critic_trains_first_and_second(method, loss, models, two, tmp_path):
    turn = [*METHODS].index(method) + [*LOSSES].index(loss)  # each kind meets each method and each loss
    first, second = (CRITICS[(turn + step) % len(CRITICS)] for step in (0, 1))
    made = make(method, models[first], critic=f"{first}/64:loss={loss},{second}/64:0.5:loss={loss}")
    assert [critic.loss for critic in made.critics] == [loss, loss]
    assert_trains(made, tmp_path / "run", two)


@pytest.mark.parametrize("kind", CRITICS)
def test_a_student_can_learn_from_each_critic_of_its_teacher(kind, models, two, tmp_path):
    critic = f"{kind}/64:0.25,projected/64:0.5"
    made = make("distill", models[kind], critic=critic, feature=0.5, inherit_critic=True)
    assert_trains(made, tmp_path / "run", two)
    assert format_critics(read_recipe(tmp_path / "run").critics) == f"{kind}/64@32:0.25,projected/64@32:0.5"
    other = resolved(make("distill", models[kind], critic="kd-critic:0.25", inherit_critic=True)).critics[0]
    assert (other.architecture, other.weight) == (f"{kind}/64@32", 0.25)
    assert other.loss == ("hinge" if kind in NORMALISED else "dcgan")


@pytest.mark.parametrize("kind", CRITICS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_penalty_through_batch_norm_is_refused(method, loss, kind, tmp_path, refuses):
    def made():
        return make(method, tmp_path / "nowhere", critic=f"{kind}/64", loss=loss, penalty=1.0)

    if kind in NORMALISED and LOSSES[loss].penalty:
        with refuses(f"scores of {kind}/64 depend on the other pictures", "use --penalty 0"):
            made()
    else:
        assert made().critics[0].penalty == 1


def test_a_transfer_keeps_the_weight_of_the_sources_critic_and_names_no_other_network(models, two, tmp_path, refuses):
    source = models["plain-critic"]
    made = make("transfer", source, critic="plain-critic/64:0.25,projected/64:0.5")
    assert format_critics(resolved(made).critics) == "plain-critic/64@32:0.25,projected/64@32:0.5"
    assert_trains(make("transfer", source, critic="plain-critic/64@32"), tmp_path / "run", two)
    with refuses("big/64@32 is for 32 pixels", "projected@64 for 64"):
        train(make("transfer", source, critic="plain-critic,projected@64"), tmp_path / "none", two)
    with refuses("The generator of this transfer is a big/64@32, not a big/2; do not name one"):
        resolved(recipe("transfer", source=str(source), generator="big/2", steps=1))
    assert not (tmp_path / "none").exists()


def test_a_critic_without_stages_cannot_be_frozen_but_transferred(models, two, tmp_path, refuses):
    with refuses("projected/64@32 has 0 layers, of which at most 0 can be frozen; use --freeze-d 0"):
        train(make("transfer", models["projected"], critic="projected", freeze_d=1), tmp_path / "run", two)
    assert not (tmp_path / "run").exists()
