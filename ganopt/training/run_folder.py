"""The files of a run folder: the recipe, the state with its counters, the weights, the previews, the snapshots."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
from PIL.PngImagePlugin import PngInfo
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from ganopt.errors import UserError, shell_command
from ganopt.files import atomic_write, open_tensors, read_tensors, write_text
from ganopt.models import weights
from ganopt.models.sampling import save_png, strip
from ganopt.models.zoo import FILES
from ganopt.training.recipe_text import describe, parse_saved, shareable
from ganopt.training.recipes import Recipe
from ganopt.training.run_metrics import cut_metrics
from ganopt.training.state import State
from ganopt.training.step import judge, last_pictures

CONFIG, STATE = "config.json", "state.safetensors"
VERDICTS = "verdicts"  # the folder of the strips of judged real pictures, and the name of the PNG text in each
LARGEST_COUNT = 1e15  # no run counts as far
LOW_RATE = 0.01  # a share of the learning rates with which little more is learned


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in a folder. Raises UserError if there is none."""
    return read_saved(folder)[0]


def read_saved(folder: Path, **changes: Any) -> tuple[Recipe, list[str], dict[str, Any]]:
    """The recipe with some settings changed, a note for each setting that this version does not know or adds, and what
    was saved.

    Raises UserError as `read_recipe` does.
    """
    try:
        values = json.loads((folder / CONFIG).read_text())
        return *parse_saved({**values, **changes}), values
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} contains no readable run; choose a run folder.") from error


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a run for `read_recipe`. Raises UserError if the folder cannot be written."""
    write_text(folder / CONFIG, json.dumps(describe(recipe), indent=1) + "\n")


def write_state(folder: Path, counters: dict[str, Any], tensors: dict[str, Tensor] | None = None) -> None:
    """Write the counters and tensors of a run's state; without tensors, the run cannot be resumed.

    Raises UserError if the folder cannot be written.
    """
    with atomic_write(folder / STATE) as temporary:
        save_file(tensors or {}, temporary, {"counters": json.dumps(counters)})


def read_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and counters of a run's last save. Raises UserError if there is none that can be resumed."""
    counters = read_counters(folder)
    tensors = read_tensors(folder / STATE)
    if not tensors:
        raise UserError(
            f"The saved state in {folder} has no optimisers, so it cannot be resumed; "
            f"train on from its model with {shell_command('transfer', '--source', str(folder))}."
        )
    return tensors, counters


def read_counters(folder: Path) -> dict[str, Any]:
    """The counters (step, images, seconds, ...) of a run's last save. Raises UserError if there is none."""
    try:
        with open_tensors(folder / STATE) as file:
            counters = json.loads(file.metadata()["counters"])
        if not all(is_count(counters[name]) for name in ("step", "images", "seconds")):
            raise TypeError("a counter has the wrong type")
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{folder} contains no readable saved state; choose a run folder.") from error
    return counters


def saved_rate(values: dict[str, Any], counters: dict[str, Any], budget: dict[str, int | float | None]) -> float:
    """The share of the learning rates from which a run that was saved with these settings goes on."""
    if "lr_decay" in budget:
        return 1.0
    rate = counters.get("rate")
    if rate is None:  # of version 0.1
        before, _ = parse_saved(values)
        rate = before.rate(before.progress(counters["step"], counters["images"], counters["seconds"]))
    if budget and rate < LOW_RATE:
        tqdm.write("The learning rates have fallen to almost 0; give --lr-decay to start again.", file=sys.stderr)
    return rate


def is_count(value: Any) -> bool:
    """Whether a value is a usable number that is not negative."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LARGEST_COUNT


def save(state: State, folder: Path) -> None:
    """Save the state first: if the process is killed before the weights, they are one save old, but not damaged."""
    write_state(folder, state.counters(), state.tensors())
    save_weights(state, folder, state.recipe)


def save_weights(state: State, folder: Path, recipe: Recipe) -> None:
    """Save the moving average and the first critic, with the recipe in their metadata."""
    weights.save(state.average, folder / FILES["generator"], shareable(recipe))
    if state.critics:
        weights.save(state.critics[0].network, folder / FILES["critic"], shareable(recipe))


def save_preview(state: State, faces: Tensor, folder: Path) -> None:
    """Write the faces of the fixed latents, uint8 (6, 3, side, side), as the preview of the state's step.

    As many real pictures are written beside it, with what the critics say of both, as a text in the PNG file.
    """
    name = f"{state.step:07}.png"
    if state.critics and state.pictures:
        real, text = last_pictures(state, len(faces)), PngInfo()
        verdicts = [dataclasses.asdict(each) for each in judge(state, faces, real)]
        text.add_text(VERDICTS, json.dumps(verdicts))
        save_png(strip(real), folder / VERDICTS / name, text)  # first, as pages wait for the preview
    save_png(strip(faces), folder / "previews" / name)


def keep_snapshot(state: State, folder: Path) -> None:
    """Save a copy of the moving average as float16, named by its step.

    If there are then too many, as after a larger budget, those are removed that leave the others most evenly spaced.
    """
    path = folder / "snapshots" / f"{state.step:07}.safetensors"
    weights.save(state.average, path, shareable(state.recipe), torch.float16)
    kept = sorted(path.parent.glob("*.safetensors"))
    while len(kept) > state.recipe.snapshots:
        steps = [0, *(int(each.stem) for each in kept)]
        closest = min(range(len(kept) - 1), key=lambda index: steps[index + 2] - steps[index], default=0)
        kept.pop(closest).unlink()


def cut(folder: Path, last_step: int) -> None:
    """Remove the metrics, previews and snapshots that a killed run wrote after its last save, at a step."""
    patterns = ("snapshots/*.safetensors", "previews/*.png", f"{VERDICTS}/*.png")
    for later in (path for pattern in patterns for path in folder.glob(pattern)):
        if later.stem.isdigit() and int(later.stem) > last_step:
            later.unlink()
    cut_metrics(folder, last_step)
