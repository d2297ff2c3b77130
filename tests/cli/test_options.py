"""A recipe as a command, and back."""

import json
import shlex

import pytest

from ganopt.cli.parser import _parser
from ganopt.training import methods
from ganopt.training.recipe_text import argv, parse
from ganopt.training.recipes import CriticSettings

NAME = "cats-teacher"


@pytest.mark.parametrize(
    "recipe",
    [
        methods.recipe("r1", data="my pictures", minutes=2.5, flip=False, augment=()),
        methods.recipe("r1", critic="plain-critic/2:0.25:lr-d=0.001,projected:0.5,critic", loss="r3", minutes=1),
        methods.recipe("dcgan", critics=(CriticSettings(architecture="critic", weight=1 / 3, beta1=0.25),), minutes=1),
        methods.recipe("wgan-gp", critic="projected", lr_d=1e-3, minutes=1),
        methods.recipe("transfer", source="cats-teacher", data="dogs", steps=5, channels_last=True),
        methods.recipe(
            "distill", teacher="cats-teacher", alpha=0.0, minutes=1, inherit=True, augment=("color", "cutout")
        ),
    ],
)
def test_the_command_says_the_recipe(recipe):
    options = vars(_parser().parse_args(argv(recipe)))
    known = methods.method_of(recipe).settings
    fields = json.loads(json.dumps({key: value for key, value in options.items() if key in known}))
    assert parse({"method": options["recipe"]} | fields) == recipe
    assert shlex.split(shlex.join(argv(recipe))) == argv(recipe)


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "--model", NAME],
        ["fid", "--model", NAME],
        ["fid", "--model", "x", "--against", NAME],
        ["find", "cat.png", "--model", NAME],
        ["export", NAME],
        ["publish", NAME, "me/cats"],
        ["transfer", "--source", NAME],
        ["distill", "--teacher", NAME],
    ],
)
def test_a_model_that_is_also_a_path_is_the_path_and_that_is_said(arguments, tmp_path, source, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).symlink_to(source)
    assert f"./{NAME}" in str(_parser().parse_args(arguments))
    assert capsys.readouterr().err == f"{NAME} is both a path and a shipped model; the path is used.\n"
    assert _parser().parse_args(["generate"]).model == NAME and not capsys.readouterr().err
