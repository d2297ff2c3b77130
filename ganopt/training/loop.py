"""The training loop of all recipes: `for step in train(recipe): ...`.

To stop, close the iterator. With a folder, a run writes `config.json`, `metrics.jsonl`, `previews/`, `verdicts/`,
`generator.safetensors` (the moving average), `critic.safetensors`, `state.safetensors` and, if requested, `snapshots/`,
and can be resumed. On the CPU in float32, a resumed run is bit-identical to an uninterrupted one.
"""

import contextlib
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from ganopt import distributed
from ganopt.data.real_pictures import Source, read_pictures
from ganopt.errors import UserError
from ganopt.files import remove_leftovers, writing
from ganopt.locks import lock_run
from ganopt.models.devices import peak_memory
from ganopt.models.latents import FIXED_SEEDS, latents
from ganopt.models.sampling import draw
from ganopt.training import live_fid, run_folder
from ganopt.training.methods import borrowed_critic, method_of, new_state, resolved
from ganopt.training.recipes import Recipe
from ganopt.training.run_metrics import Clock, Losses, open_metrics
from ganopt.training.state import State
from ganopt.training.step import train_step


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
    folder = None if distributed.rank() else folder
    state = prepare(recipe, folder, pictures)
    if folder is None:
        return _loop(state, None, contextlib.ExitStack())
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(lock_run(folder))
        _check_new(folder)  # again, as another process may have been faster
        run_folder.write_recipe(folder, state.recipe)
        return _loop(state, folder, stack.pop_all())


def prepare(recipe: Recipe, folder: Path | None = None, pictures: Tensor | None = None) -> State:
    """A run before its first step, for `train` and dry runs, with all that can be checked; `folder` stays as it is.

    Raises UserError as `train` does before the first step.
    """
    _check_new(folder)
    distributed.check_batch(recipe.batch)
    recipe = resolved(recipe)
    return _checked(new_state(recipe, _pictures(recipe, pictures)))


def resume(
    folder: Path, pictures: Tensor | None = None, budget: dict[str, int | float | None] | None = None, **overrides: str
) -> Generator[Step]:
    """Resume the run in a folder from its last save, up to its budget or a new one; if that is spent, no step is left.

    A larger budget does not raise learning rates that have begun to fall: they stay until the new schedule is below
    them. `lr_decay` in `budget` asks for a new schedule, from the full rates. `overrides` are new values for the
    settings `data` and `device`. Raises UserError as `train` does, and if there is no run, it is at work, or its
    pictures have changed.
    """
    with contextlib.ExitStack() as stack:
        if not distributed.rank():
            stack.enter_context(lock_run(folder))
        state = prepare_resume(folder, pictures, budget, **overrides)
        distributed.wait_for_others()  # before the first process writes to the folder, all must have read it
        if distributed.rank():
            return _loop(state, None, stack.pop_all())
        if _progress(state) < 1:
            run_folder.write_recipe(folder, state.recipe)
        # the run may have been killed between saving the state and the weights
        if (folder / run_folder.STATE).exists():
            run_folder.save_weights(state, folder, run_folder.read_recipe(folder))
        run_folder.cut(folder, state.step)
        remove_leftovers(folder)
        return _loop(state, folder, stack.pop_all())


def prepare_resume(
    folder: Path, pictures: Tensor | None = None, budget: dict[str, int | float | None] | None = None, **overrides: str
) -> State:
    """The run in a folder as of its last save, for `resume` and dry runs; nothing is written to the folder.

    Raises UserError as `resume` does before the first step.
    """
    budget = budget or {}
    whole = dict.fromkeys(("steps", "images", "minutes")) if set(budget) - {"lr_decay"} else {}
    recipe, notes, values = run_folder.read_saved(folder, **(whole | budget | overrides))
    for note in notes:
        tqdm.write(note, file=sys.stderr)
    distributed.check_batch(recipe.batch)
    saved = run_folder.read_state(folder) if (folder / run_folder.STATE).exists() else None
    state = new_state(recipe, _pictures(recipe, pictures), saved=saved is not None)
    if saved:
        tensors, counters = saved
        state.restore(tensors, counters | {"rate": run_folder.saved_rate(values, counters, budget)})
    return _checked(state)


def _check_new(folder: Path | None) -> None:
    if folder and (folder / run_folder.CONFIG).exists():
        raise UserError(f"{folder} already contains a run; resume it or choose another folder.")


def _checked(state: State) -> State:
    """The state; says at step 0 whose critic is borrowed. Raises UserError if fid100 cannot be measured as asked."""
    if not state.step and (note := borrowed_critic(state.recipe)):
        tqdm.write(note, file=sys.stderr)
    if state.recipe.live_fids:
        live_fid.measure(state)
    return state


def _progress(state: State) -> float:
    return state.recipe.progress(state.step, state.images, state.seconds)


def _loop(state: State, folder: Path | None, lock: contextlib.ExitStack) -> Generator[Step]:
    recipe, progress = state.recipe, _progress(state)
    fixed, measure = latents(FIXED_SEEDS), live_fid.measure(state) if recipe.live_fids else None
    with lock, open_metrics(folder, state.device) as metrics:
        if folder and not state.step:
            run_folder.save_preview(state, draw(state.average, fixed), folder)
        clock, on_cpu, saved_at = Clock(state), state.device.type == "cpu", state.step
        try:
            while progress < 1:
                state.decay_rates(progress)
                losses = Losses(train_step(state))
                if on_cpu:
                    losses.numbers  # noqa: B018 - raises UserError if the run has diverged
                state.step += 1
                clock.count()
                state.seconds = distributed.first(state.seconds)  # so that all stop at the same step
                before, progress = progress, _progress(state)
                preview = state.step % recipe.preview_every == 0
                measured = measure and _parts(progress, recipe.live_fids) > _parts(before, recipe.live_fids)
                snapshot = _parts(progress, recipe.snapshots) > _parts(before, recipe.snapshots)
                saved = state.step % recipe.save_every == 0 or progress >= 1
                stops = on_cpu or preview or measured or snapshot or saved
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
                        saved=saved and folder is not None,
                    )
                    metrics.add(_line(step), losses)
                    if saved:
                        metrics.flush()  # raises UserError before a run that has diverged is saved
                    if folder is not None:
                        if step.preview is not None:
                            run_folder.save_preview(state, step.preview, folder)
                        if snapshot:
                            run_folder.keep_snapshot(state, folder)
                        if saved:
                            run_folder.save(state, folder)
                            saved_at = state.step
                    yield step
        except GeneratorExit:
            metrics.flush()
            if folder is not None and state.step > saved_at:
                run_folder.save(state, folder)
            raise


def _line(step: Step) -> dict[str, Any]:
    """The values of a step that are written to the metrics, without its losses."""
    values = {name: value for name, value in vars(step).items() if name not in ("losses", "preview", "fid", "saved")}
    return values if step.fid is None else values | {"fid": step.fid}


def _pictures(recipe: Recipe, pictures: Tensor | None) -> Source | None:
    if not recipe.needs_pictures:
        return None
    if pictures is not None:
        return pictures
    if not recipe.data:
        raise UserError("The run needs pictures; give their folder, as in --data pictures/cats.")
    return read_pictures(recipe.data, recipe.side, recipe.classes)


def _parts(progress: float, count: int) -> int:
    """How many of the equal parts of a budget are done. The epsilon is for 15 / 22 * 22 = 14.999999999999998."""
    return int(progress * count + 1e-9)
