"""A recipe as a command, and back."""

import json
import shlex

import pytest

from ganopt.cli.parser import _parser
from ganopt.training.methods import Distill, Transfer
from ganopt.training.recipe_text import argv, parse
from ganopt.training.recipes import R1


@pytest.mark.parametrize(
    "recipe",
    [
        R1(data="my pictures", minutes=2.5, flip=False, augment=()),
        Transfer(source="cats-teacher", data="dogs", steps=5, channels_last=True),
        Distill(teacher="cats-teacher", alpha=0.0, minutes=1, inherit=True, augment=("color", "cutout")),
    ],
)
def test_the_command_says_the_recipe(recipe):
    options = vars(_parser().parse_args(argv(recipe)))
    fields = json.loads(json.dumps({key: value for key, value in options.items() if key in vars(recipe)}))
    assert parse({"recipe": recipe.name} | fields) == recipe
    assert shlex.split(shlex.join(argv(recipe))) == argv(recipe)
