"""What a run's folder says of the run: its recipe, and the counters of its last save."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.training.recipe_text import describe, parse_saved
from ganopt.training.recipes import Recipe

CONFIG, STATE = "config.json", "state.safetensors"


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in a folder. Raises UserError if there is none."""
    return read_saved(folder)[0]


def read_saved(folder: Path) -> tuple[Recipe, list[str]]:
    """The recipe, and sentences on what is read otherwise than an older version wrote it. Raises UserError likewise."""
    try:
        return parse_saved(json.loads((folder / CONFIG).read_text()))
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} holds no run that can be read; give the folder of a run.") from error


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a run where `read_recipe` reads it. Raises UserError where the folder cannot be written."""
    with atomic_write(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(describe(recipe), indent=1) + "\n")


def read_counters(folder: Path) -> dict:
    """Step, images, seconds and so on of the last save in a folder. Raises UserError if there is none."""
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            return json.loads(file.metadata()["counters"])
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{folder} holds no saved state that can be read; give the folder of a run.") from error
