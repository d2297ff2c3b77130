"""Recipes as JSON, those that older versions wrote too, and as arguments of the command line."""

import json
from pathlib import Path

import pytest

from ganopt.training import methods
from ganopt.training.methods import METHODS
from ganopt.training.recipe_text import describe, models, parse_saved, shareable
from ganopt.training.recipes.critics import OPTIONS
from ganopt.training.run_folder import read_recipe, read_saved

SAVED = Path(__file__).parent / "saved"  # config.json of runs of version 0.1, as it left them


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.json")), ids=lambda path: path.stem)
def test_a_recipe_of_version_0_1_is_read_as_it_was(path):
    values = json.loads(path.read_text())
    recipe, notes = parse_saved(values)
    described = json.loads(json.dumps(describe(recipe)))
    critics = described.pop("critics")
    assert described.pop("method") == values.pop("recipe")
    critic = {name: critics[0][field.name] for name, field in OPTIONS.items()}
    assert {"critic": critics[0]["architecture"]} | critic | described == values | {
        name: value for name, value in described.items() if name not in values
    }
    assert len(critics) == 1 and all("was not saved; it is" in note for note in notes)


def test_settings_that_came_and_went_are_told_of(tmp_path):
    values = json.loads((SAVED / "r1.json").read_text())
    del values["flip"]
    recipe, notes = parse_saved({**values, "blur": 3})
    assert recipe.flip is None and recipe.lr_g == 5e-4
    assert "The setting 'blur' is unknown to this version and is ignored." in notes
    assert "The setting 'flip' was not saved; it is None, the default." in notes
    (tmp_path / "config.json").write_text(json.dumps({**values, "blur": 3}))
    assert read_recipe(tmp_path) == recipe


def test_a_setting_of_a_critic_that_went_is_told_of_too(tmp_path):
    recipe = methods.recipe("r1", critic="plain-critic/2,projected:0.5", steps=1)
    values = json.loads(json.dumps(describe(recipe)))
    values["critics"][1]["patience"] = 3
    (tmp_path / "config.json").write_text(json.dumps(values))
    found, notes, _ = read_saved(tmp_path)
    assert found == recipe
    assert notes == ["The setting 'patience' of a critic is unknown to this version and is ignored."]


def test_a_saved_setting_must_still_make_sense(refuses):
    values = json.loads((SAVED / "r1.json").read_text())
    with refuses("--batch is 0"):
        parse_saved({**values, "batch": 0})
    with refuses("Unknown method", *METHODS):
        parse_saved({**values, "recipe": "stylegan"})


def test_each_setting_that_names_a_model_is_shared_without_its_path():
    paths = {"teacher": "/home/me/teacher", "start": "/home/me/trained.safetensors", "data": "/home/me/cats"}
    recipe = methods.recipe("distill", steps=1, **paths)
    assert models(recipe) == {"teacher": "/home/me/teacher", "start": "/home/me/trained.safetensors"}
    values = shareable(recipe)
    assert (values["teacher"], values["start"], values["data"]) == ("teacher", "trained.safetensors", "cats")


@pytest.mark.parametrize(
    ("data", "shared"),
    [
        ("/home/me/sample:cats", "./sample:cats"),
        ("old/hub:me/cats", "cats"),
        ("old/hub:cats", "./hub:cats"),
        ("hub:me/cats", "hub:me/cats"),
        ("sample:me/cats", "sample:me/cats"),
        ("sample:run:cats", "sample:run:cats"),
        ("sample:/home/me/cats.safetensors", "sample:cats.safetensors"),
    ],
)
def test_shared_pictures_are_of_the_same_kind(data, shared):
    assert shareable(methods.recipe("r1", steps=1, data=data))["data"] == shared
