"""Recipes describe a run, survive a JSON file, and refuse in one sentence what makes no sense."""

import dataclasses
import json

import pytest

from ganopt.training import methods
from ganopt.training.methods import METHODS
from ganopt.training.recipe_text import describe, parse
from ganopt.training.recipes import CriticSettings, Recipe
from ganopt.training.recipes.critics import OPTIONS
from ganopt.training.recipes.settings import option_type, settings_of

REQUIRED = {"transfer": {"source": "cats"}, "distill": {"teacher": "cats"}}


def make(name: str, **settings) -> Recipe:
    return methods.recipe(name, **{"steps": 10, **REQUIRED.get(name, {}), **settings})


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_survives_json(name):
    recipe = make(name, data="pictures/ü", augment=("cutout", "color"), ema=0.998, minutes=2.5, seed=3, flip=False)
    written = json.loads(json.dumps(describe(recipe)))
    assert written["method"] == name
    read = parse(written)
    assert read == recipe and type(read) is type(recipe) and describe(read) == describe(recipe)


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_says_what_it_is_and_of_what_type(name):
    for kind in (METHODS[name].recipe, CriticSettings):
        for option, field in settings_of(kind).items():
            assert METHODS[name].settings[option] == field.metadata["help"] and "\n" not in field.metadata["help"]
            hint, default = option_type(kind, field.name), METHODS[name].default(option)
            assert hint in (int, float, str, bool) or hint == tuple[str, ...]
            if default is not None and hint in (int, str, bool):
                assert type(default) is hint


def test_recipes_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make("r1").batch = 3


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("wgan-gp", {"loss": "wgan-gp", "penalty": 10, "penalty_every": 1, "n_critic": 8, "lr_g": 5e-4, "lr_d": 5e-4}),
        ("wgan-gp", {"beta1": 0, "beta2": 0.999, "generator": "big", "critic": "critic", "epoch_steps": 25}),
        ("transfer", {"loss": "wgan-gp", "penalty": 10, "n_critic": 8, "freeze_g": 2, "freeze_d": 4}),
        ("distill", {"loss": "dcgan", "generator": "kd", "critic": "kd-critic", "batch": 8, "n_critic": 1}),
        ("distill", {"lr_g": 5e-4, "lr_d": 5e-4, "beta1": 0, "beta2": 0.999, "alpha": 0.05, "pixel": "mse"}),
        ("distill", {"epoch_steps": 100, "penalty": 0, "feature": 0}),
        ("dcgan", {"loss": "dcgan", "penalty": 0, "beta1": 0.5, "critic": "kd-critic"}),
        ("r1", {"loss": "r1", "critic": "plain-critic", "penalty": 0.4, "penalty_every": 8}),
        ("r1", {"lr_g": 5e-4, "lr_d": 5e-4, "beta1": 0, "beta2": 0.99}),
        ("r3", {"loss": "r3", "critic": "plain-critic", "penalty_every": 1, "lr_g": 2e-4, "lr_d": 2e-4}),
    ],
)
def test_defaults_are_those_of_the_thesis_and_the_papers(name, settings):
    recipe, method = make(name), METHODS[name]
    found = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    found |= {option: getattr(recipe.critics[0], field.name) for option, field in OPTIONS.items()}
    found |= {"critic": recipe.critics[0].architecture, "epoch_steps": method.epoch_steps}
    assert {key: found[key] for key in settings} == settings


@pytest.mark.parametrize(
    ("generator", "critic", "expected"),
    [("big@32", "critic", "critic@32"), ("kd@64", "plain-critic/2", "plain-critic/2@64"), ("big", "critic", "critic")],
)
def test_the_critic_judges_what_the_generator_draws(generator, critic, expected):
    recipe = methods.recipe("r1", generator=generator, critic=critic, steps=1)
    assert recipe.critics[0].architecture == expected
    assert parse(describe(recipe)) == recipe


def test_the_side_is_the_generators():
    assert [methods.recipe("r1", generator=name, steps=1).side for name in ("big", "big/4@64", "kd@32")] == [
        128,
        64,
        32,
    ]


@pytest.mark.parametrize(
    ("settings", "fragments"),
    [
        ({"generator": "small"}, ["Unknown network 'small'"]),
        ({"generator": "critic"}, ["Unknown network 'critic'"]),
        ({"critic": "big"}, ["Unknown network 'big'"]),
        ({"critic": "critic@64"}, ["is for 128 pixels", "for 64"]),
        ({"loss": "lsgan"}, ["--loss is 'lsgan'", "wgan-gp, dcgan, r1, hinge, r3"]),
        ({"precision": "float64"}, ["--precision", "'float64'"]),
        ({"augment": ("color", "blur")}, ["Unknown augmentation 'blur'", "cutout"]),
        ({"batch": 1}, ["--batch is 1", "from 2 to 4096"]),
        ({"batch": 5000}, ["--batch is 5000"]),
        ({"n_critic": 0}, ["--n-critic is 0", "from 1 to 100"]),
        ({"n_critic": 101}, ["--n-critic is 101"]),
        ({"penalty": -1.0}, ["--penalty is -1", "at least 0"]),
        ({"penalty_every": 0}, ["--penalty-every is 0"]),
        ({"lr_g": -1e-4}, ["--lr-g is -0.0001"]),
        ({"lr_d": float("nan")}, ["--lr-d is nan"]),
        ({"lr_d": float("inf")}, ["--lr-d is inf"]),
        ({"beta1": 1.0}, ["--beta1 is 1"]),
        ({"beta2": 1.0}, ["--beta2 is 1"]),
        ({"ema": 1.0}, ["--ema is 1"]),
        ({"seed": -1}, ["--seed is -1"]),
        ({"seed": 2**32}, ["--seed is 4294967296"]),
        ({"steps": 0}, ["--steps is 0", "from 1"]),
        ({"images": 0}, ["--images is 0"]),
        ({"minutes": -1.0}, ["--minutes is -1"]),
        ({"preview_every": 0}, ["--preview-every is 0"]),
        ({"save_every": 0}, ["--save-every is 0"]),
        ({"steps": None}, ["needs a budget"]),
        ({"steps": None, "minutes": 0.0}, ["--minutes is 0"]),
    ],
)
def test_a_senseless_setting_is_refused(settings, fragments, refuses):
    with refuses(*fragments):
        make("r1", **settings)


@pytest.mark.parametrize(
    ("name", "settings", "fragment"),
    [
        ("transfer", {"source": ""}, "needs a source"),
        ("transfer", {"freeze_g": 6}, "--freeze-g is 6"),
        ("transfer", {"freeze_d": -1}, "--freeze-d is -1"),
        ("distill", {"teacher": ""}, "needs a teacher"),
        ("distill", {"alpha": 1.5}, "--alpha is 1.5"),
        ("distill", {"alpha": -0.1}, "--alpha is -0.1"),
        ("distill", {"pixel": "ssim"}, "--pixel is 'ssim'; use one of mse, l1"),
        ("distill", {"feature": -1.0}, "--feature is -1"),
        ("distill", {"alpha": 0.0, "steps": None, "images": 500}, "no real pictures, so that --images is no budget"),
    ],
)
def test_a_senseless_setting_of_one_recipe_is_refused(name, settings, fragment, refuses):
    with refuses(fragment):
        make(name, **settings)


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        ({}, "Unknown method"),
        ({"recipe": "stylegan"}, "r1, r3, wgan-gp, dcgan, distill, transfer"),
        ({"recipe": ["r1"]}, "Unknown method"),
        ({"recipe": "r1", "steps": 5, "teacher": "cats"}, "no setting 'teacher'"),
        ({"recipe": "r1", "steps": 5, "batch": 0}, "--batch is 0"),
        ({"recipe": "r1"}, "needs a budget"),
    ],
)
def test_what_describe_did_not_write_is_refused(values, fragment, refuses):
    with refuses(fragment):
        parse(values)


@pytest.mark.parametrize(
    "setting", [{"generator": 5}, {"augment": None}, {"batch": "8"}, {"batch": 4.5}, {"flip": "no"}, {"steps": [3]}]
)
def test_a_setting_of_another_type_is_refused(setting, refuses):
    with refuses():
        parse({"recipe": "r1", "steps": 5, **setting})


@pytest.mark.parametrize(
    ("budget", "spent", "share"),
    [
        ({"steps": 10}, (5, 10**6, 10**6), 0.5),
        ({"images": 400}, (1, 100, 10**6), 0.25),
        ({"minutes": 2.0}, (1, 1, 60), 0.5),
        ({"steps": 10, "images": 400, "minutes": 2.0}, (2, 360, 12), 0.9),
        ({"steps": 10}, (12, 0, 0), 1.2),
    ],
)
def test_progress_is_the_share_of_the_budget_that_runs_out_first(budget, spent, share):
    assert methods.recipe("dcgan", **budget).progress(*spent) == pytest.approx(share)


def test_without_real_pictures_steps_or_minutes_end_a_run():
    for budget in ({"steps": 10}, {"minutes": 2.0}, {"images": 400, "steps": 10}):
        assert methods.recipe("distill", teacher="cats", alpha=0.0, **budget).progress(10, 0, 120.0) == 1
    assert methods.recipe("distill", teacher="cats", alpha=0.1, images=400).progress(10, 400, 0) == 1
