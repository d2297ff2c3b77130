"""A recipe as a command, and back."""

import json
import shlex

import pytest

from ganopt.cli.parser import _parser
from ganopt.training import methods
from ganopt.training.methods import check_given
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
            "distill", teacher="cats-teacher", alpha=0.3, minutes=1, inherit=True, augment=("color", "cutout")
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


def given_in(arguments: list[str]) -> tuple:
    """The recipe of a command, and the settings that are given in it."""
    options = vars(_parser().parse_args(arguments))
    given = {name: value for name, value in options.items() if name in methods.find_method(options["recipe"]).settings}
    return methods.recipe(options["recipe"], **given), given


STUDENT = "distill --teacher cats-teacher --generator kd/4 --steps 1"
WITHOUT_EFFECT = {  # commands, and the setting in them that has no effect
    f"{STUDENT} --alpha 1 --feature 0.5": "--feature has no effect at --alpha 1",
    f"{STUDENT} --alpha 1 --pixel mse": "--pixel has no effect at --alpha 1",
    f"{STUDENT} --inherit --start cats-kd-0.05": "--inherit has no effect beside --start",
    **{
        f"{STUDENT} --alpha 0 {setting}": f"{setting.split()[0]} has no effect at --alpha 0"
        for setting in ("--lr-d 1e-3", "--critic critic", "--inherit-critic", "--n-critic 2", "--data cats", "--flip")
    },
    "train --steps 1 --loss hinge --penalty 1 --data cats": "--penalty has no effect",
    "train --steps 1 --penalty 0 --penalty-every 4 --data cats": "--penalty-every has no effect",
    "train --steps 1 --classes cat --data sample:cats-teacher": "--classes has no effect",
    "transfer --source cats-teacher --steps 1 --critic kd-critic/8": "not a kd-critic/8; name that one first",
    f"{STUDENT} --inherit-critic --critic kd-critic/8": "not a kd-critic/8; name that one first",
}


@pytest.mark.parametrize("command", WITHOUT_EFFECT)
def test_a_given_setting_without_effect_is_refused(command, refuses):
    with refuses(WITHOUT_EFFECT[command]):
        check_given(*given_in(command.split()))


@pytest.mark.parametrize(
    "command",
    [
        f"{STUDENT} --alpha 0 --no-inherit-critic --lr-g 1e-3 --beta1 0.5",
        f"{STUDENT} --alpha 1 --feature 0 --lr-d 1e-3",
        f"{STUDENT} --inherit-critic --critic plain-critic/2,projected:0.5",
        "transfer --source cats-teacher --steps 1 --critic plain-critic/2,projected:0.5",
        "train --steps 1 --penalty 0 --critic plain-critic/2",
    ],
)
def test_a_given_setting_with_an_effect_and_one_switched_off_are_not(command):
    check_given(*given_in(command.split()))


def test_a_recipe_with_such_settings_is_a_command_without_them():
    settings = {"teacher": "cats-teacher", "generator": "kd/4", "steps": 1, "alpha": 0.0}
    idle = {"lr_d": 1e-3, "inherit_critic": True, "augment": ("color",), "data": "cats", "critic": "critic/2"}
    recipe = methods.recipe("distill", **settings, **idle)
    assert argv(recipe) == argv(methods.recipe("distill", **settings))
    check_given(*given_in(argv(recipe)))
