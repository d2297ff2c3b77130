"""The recipe and the counters in a run folder."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.training.recipe_text import describe, parse_saved
from ganopt.training.recipes import Recipe

CONFIG, STATE = "config.json", "state.safetensors"
LARGEST_COUNT = 1e15  # no run counts as far


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in a folder. Raises UserError if there is none."""
    return read_saved(folder)[0]


def read_saved(folder: Path) -> tuple[Recipe, list[str]]:
    """The recipe, and a note for each setting that differs in this version. Raises UserError as `read_recipe` does."""
    try:
        return parse_saved(json.loads((folder / CONFIG).read_text()))
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} contains no readable run; choose a run folder.") from error


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a run for `read_recipe`. Raises UserError if the folder cannot be written."""
    with atomic_write(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(describe(recipe), indent=1) + "\n")


def read_counters(folder: Path) -> dict[str, Any]:
    """The counters (step, images, seconds, ...) of a run's last save. Raises UserError if there is none."""
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            counters = json.loads(file.metadata()["counters"])
        if not all(is_count(counters[name]) for name in ("step", "images", "seconds")):
            raise TypeError("a counter has the wrong type")
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{folder} contains no readable saved state; choose a run folder.") from error
    return counters


def is_count(value: Any) -> bool:
    """Whether a value is a usable number that is not negative."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LARGEST_COUNT
