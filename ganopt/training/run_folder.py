"""The recipe and the counters in a run folder."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.training.recipe_text import describe, parse_saved
from ganopt.training.recipes import Recipe

CONFIG, STATE = "config.json", "state.safetensors"
MOST = 1e15  # no run counts as far


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in a folder. Raises UserError if there is none."""
    return read_saved(folder)[0]


def read_saved(folder: Path, **changes: Any) -> tuple[Recipe, list[str]]:
    """The recipe with some settings changed, and a note for each setting that this version does not know or adds.

    Raises UserError as `read_recipe` does.
    """
    try:
        return parse_saved({**json.loads((folder / CONFIG).read_text()), **changes})
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} contains no readable run; choose a run folder.") from error


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a run for `read_recipe`. Raises UserError if the folder cannot be written."""
    with atomic_write(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(describe(recipe), indent=1) + "\n")


def write_state(folder: Path, counters: dict[str, Any], tensors: dict[str, Tensor] | None = None) -> None:
    """Write the counters and tensors of a run's state; without tensors, the run cannot be resumed.

    Raises UserError if the folder cannot be written.
    """
    with atomic_write(folder / STATE) as temporary:
        save_file(tensors or {}, temporary, {"counters": json.dumps(counters)})


def read_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and counters of a run's last save. Raises UserError if there is none that can be resumed."""
    counters = read_counters(folder)
    with safe_open(folder / STATE, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if not tensors:
        raise UserError(
            f"The saved state in {folder} has no optimisers, so it cannot be resumed; "
            f"train on from its model with the command transfer --source {folder}."
        )
    return tensors, counters


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
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MOST
