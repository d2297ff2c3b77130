"""The training loop of all recipes: `for step in train(recipe): ...`.

To stop, close the iterator. With a folder, a run writes `config.json`, `metrics.jsonl`, `previews/`,
`generator.safetensors` (the moving average), `critic.safetensors`, `state.safetensors` and, if requested, `snapshots/`,
and can be resumed. On the CPU in float32, a resumed run is bit-identical to an uninterrupted one.
"""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from ganopt.data import image_folder, synthetic
from ganopt.errors import UserError
from ganopt.files import atomic_write, remove_leftovers
from ganopt.models import weights
from ganopt.models.devices import peak_memory
from ganopt.models.latents import FIXED_SEEDS, latents
from ganopt.models.sampling import draw, save_png, strip
from ganopt.models.zoo import FILES
from ganopt.training import live_fid
from ganopt.training.methods import method_of, new_state, resolved
from ganopt.training.recipe_text import shareable
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import CONFIG, STATE, read_counters, read_saved, write_recipe
from ganopt.training.run_metrics import Losses, cut_metrics, open_metrics
from ganopt.training.state import State
from ganopt.training.step import train_step

LOW_RATE = 0.01  # a share of the learning rates with which little more is learned


@dataclass(frozen=True)
class Step:
    """The result of one step: the critic updates and one generator update."""

    step: int
    epoch: float  # as the thesis defines epochs for the recipe
    images: int  # real pictures seen by the critic
    seconds: float  # of training, over all sessions of the run
    losses: Mapping[str, float]  # on a GPU, reading them waits for the device
    memory: int  # peak so far, bytes
    progress: float  # share of the budget that is spent
    preview: Tensor | None  # in some steps: the faces of the six fixed latents, uint8 (6, 3, side, side)
    fid: float | None  # in some steps: fid100 against the training pictures
    saved: bool


def train(recipe: Recipe, folder: Path | None = None, pictures: Tensor | None = None) -> Generator[Step]:
    """Train from step 0. Pictures, uint8 (N, 3, side, side), are read from `recipe.data` unless given.

    Raises UserError before the first step if the recipe and the pictures do not fit, and later if the run diverges or
    the folder cannot be written.
    """
    if folder is not None and (folder / CONFIG).exists():
        raise UserError(f"{folder} already contains a run; resume it or choose another folder.")
    recipe = resolved(recipe)
    state = new_state(recipe, _pictures(recipe, pictures))
    if folder is not None:
        write_recipe(folder, state.recipe)
    return _loop(state, folder)


def resume(
    folder: Path, pictures: Tensor | None = None, budget: dict[str, int | float | None] | None = None
) -> Generator[Step]:
    """Resume the run in a folder from its last save, up to its budget or a new one.

    A larger budget does not raise learning rates that have begun to fall: they stay until the new schedule is below
    them. `lr_decay` in `budget` asks for a new schedule, from the full rates.
    Raises UserError as `train` does, and if there is no run or its pictures have changed.
    """
    recipe, notes = read_saved(folder)
    before, saved = recipe, (folder / STATE).exists()
    for note in notes:
        tqdm.write(note, file=sys.stderr)
    if budget:
        whole: dict[str, Any] = dict.fromkeys(("steps", "images", "minutes")) if set(budget) - {"lr_decay"} else {}
        recipe = dataclasses.replace(recipe, **whole | budget)
    state = new_state(recipe, _pictures(recipe, pictures), saved)
    if saved:
        counters = read_counters(folder)
        spent = before.progress(counters["step"], counters["images"], counters["seconds"])
        counters.setdefault("rate", before.rate(spent))  # version 0.1 did not save it
        if budget and "lr_decay" in budget:
            counters["rate"] = 1.0
        elif budget and counters["rate"] < LOW_RATE:
            tqdm.write("The learning rates have fallen to almost 0; give --lr-decay to start again.", file=sys.stderr)
        with safe_open(folder / STATE, framework="pt") as file:
            state.restore({name: file.get_tensor(name) for name in file.keys()}, counters)
        _save_weights(state, folder)  # the run may have been killed between saving the state and the weights
    write_recipe(folder, state.recipe)
    _cut(folder, state.step)
    remove_leftovers(folder)
    return _loop(state, folder)


def _loop(state: State, folder: Path | None) -> Generator[Step]:
    recipe = state.recipe
    fixed, measure = latents(FIXED_SEEDS), live_fid.measure(state) if recipe.live_fids else None
    progress = recipe.progress(state.step, state.images, state.seconds)
    clock, on_cpu = _Clock(state), state.device.type == "cpu"
    with open_metrics(folder, state.device) as metrics:
        saved_at = state.step
        try:
            while progress < 1:
                state.decay_rates(progress)
                losses = Losses(train_step(state))
                if on_cpu:
                    losses.numbers  # noqa: B018 - raises UserError if the run has diverged
                state.step += 1
                clock.count()
                before, progress = progress, recipe.progress(state.step, state.images, state.seconds)
                preview = state.step % recipe.preview_every == 0
                measured = measure and _parts(progress, recipe.live_fids) > _parts(before, recipe.live_fids)
                snapshot = _parts(progress, recipe.snapshots) > _parts(before, recipe.snapshots)
                save = state.step % recipe.save_every == 0 or progress >= 1
                stops = on_cpu or preview or measured or snapshot or save
                with clock.stopped(losses) if stops else contextlib.nullcontext():
                    step = Step(
                        step=state.step,
                        epoch=state.step / method_of(recipe).epoch_steps,
                        images=state.images,
                        seconds=state.seconds,
                        losses=losses,
                        memory=peak_memory(state.device),
                        progress=progress,
                        preview=draw(state.average, fixed) if preview else None,
                        fid=measure() if measure and measured else None,
                        saved=save and folder is not None,
                    )
                    metrics.add(_line(step), losses)
                    if save:
                        metrics.flush()  # raises UserError before a run that has diverged is saved
                    if folder is not None:
                        if step.preview is not None:
                            save_png(strip(step.preview), folder / "previews" / f"{step.step:07}.png")
                        if snapshot:
                            _keep_snapshot(state, folder)
                        if save:
                            _save(state, folder)
                            saved_at = state.step
                    yield step
        except GeneratorExit:
            metrics.flush()
            if folder is not None and state.step > saved_at:
                _save(state, folder)
            raise


class _Clock:
    """Counts the wall time of a run as `state.seconds`, without what is done in the blocks of `stopped`."""

    def __init__(self, state: State):
        self.state, self.start = state, time.perf_counter()

    def count(self) -> None:
        """Count the time since the last call."""
        start, self.start = self.start, time.perf_counter()
        self.state.seconds += self.start - start

    @contextlib.contextmanager
    def stopped(self, losses: Losses) -> Iterator[None]:
        """Stop the clock in the block. It first waits for the losses, because a GPU may still be working on them."""
        losses.numbers  # noqa: B018 - raises UserError if the run has diverged
        self.count()
        yield
        self.start = time.perf_counter()


def _line(step: Step) -> dict[str, Any]:
    """The values of a step that are written to the metrics, without its losses."""
    values = {name: value for name, value in vars(step).items() if name not in ("losses", "preview", "fid", "saved")}
    return values if step.fid is None else values | {"fid": step.fid}


def _pictures(recipe: Recipe, pictures: Tensor | None) -> Tensor | None:
    if not recipe.needs_pictures:
        return None
    if pictures is not None:
        return pictures
    if not recipe.data:
        raise UserError("The run needs pictures; give their folder, as in --data pictures/cats.")
    if recipe.data.startswith(synthetic.PREFIX):
        return synthetic.load(recipe.data.removeprefix(synthetic.PREFIX), recipe.side)
    return torch.from_numpy(image_folder.load(Path(recipe.data), recipe.side, recipe.classes).pictures)


def _save(state: State, folder: Path) -> None:
    """Save the state first: if the process is killed before the weights, they are one save old, but not damaged."""
    with atomic_write(folder / STATE) as temporary:
        save_file(state.tensors(), temporary, {"counters": json.dumps(state.counters())})
    _save_weights(state, folder)


def _save_weights(state: State, folder: Path) -> None:
    recipe = shareable(state.recipe)
    weights.save(state.average, folder / FILES["generator"], recipe)
    if state.critics:
        weights.save(state.critics[0].network, folder / FILES["critic"], recipe)


def _parts(progress: float, count: int) -> int:
    """How many of the equal parts of a budget are done. The epsilon is for 15 / 22 * 22 = 14.999999999999998."""
    return int(progress * count + 1e-9)


def _keep_snapshot(state: State, folder: Path) -> None:
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


def _cut(folder: Path, last_step: int) -> None:
    """Remove the metrics, previews and snapshots that a killed run wrote after its last save."""
    for later in (*folder.glob("snapshots/*.safetensors"), *folder.glob("previews/*.png")):
        if later.stem.isdigit() and int(later.stem) > last_step:
            later.unlink()
    cut_metrics(folder, last_step)
