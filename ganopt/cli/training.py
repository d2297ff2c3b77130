"""Commands for training. They import what they need when they run, to keep `--help` fast."""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ganopt.cli.output import print_json
from ganopt.errors import UserError, shell_command
from ganopt.files import runs_folder
from ganopt.locks import STOP

if TYPE_CHECKING:
    from ganopt.training.loop import Step

SPENT = "has already spent its budget; set a larger one to continue."
SHOWN = 0.1  # seconds between reads of the losses, which wait for a GPU


def train(options: argparse.Namespace) -> None:
    """Start or resume a run and show its progress. Ctrl-C saves and stops."""
    from ganopt import distributed
    from ganopt.runs import manager
    from ganopt.training import loop
    from ganopt.training.methods import check_given, find_method, recipe
    from ganopt.training.recipe_text import describe

    names = find_method(options.recipe).settings
    given = {name: value for name, value in vars(options).items() if name in names}
    if getattr(options, "resume", None):
        _resume(Path(options.resume), given, options.dry_run)
        return
    made = recipe(options.recipe, **given)
    check_given(made, given)
    if options.dry_run:
        print_json(**describe(loop.prepare(made, Path(options.out) if options.out else None).recipe))
        return
    named: Any = contextlib.nullcontext(Path(options.out) if options.out else None)
    with named if options.out or distributed.rank() else manager.new_folder(runs_folder(), made.method) as folder:
        run = loop.train(made, folder)
    follow(run, distributed.first(folder))


def distill(options: argparse.Namespace) -> None:
    """Train a student to imitate a frozen teacher, by alpha * adversarial + (1 - alpha) * (pixel + feature)."""
    train(options)


def transfer(options: argparse.Namespace) -> None:
    """Fine-tune a trained model on other pictures with its first layers frozen; the networks are the source's."""
    train(options)


def make_film(options: argparse.Namespace) -> None:
    """Make a film of a run's previews, the faces of six fixed latents, and optionally a sheet."""
    from ganopt.models.sampling import save_png
    from ganopt.runs import timelapse

    folder = Path(options.run)
    if options.dry_run:
        steps, _ = timelapse.previews(folder, timelapse.MAX_FRAMES)
        print_json(frames=len(steps), out=options.out, sheet=options.sheet)
        return
    timelapse.save_film(folder, Path(options.out))
    print(f"The film is {options.out}.")
    if options.sheet:
        save_png(timelapse.history(folder), Path(options.sheet))
        print(f"The sheet is {options.sheet}.")


def follow(run: Generator["Step"], folder: Path) -> None:
    """Show a run's progress until it ends or is interrupted. Its last step is saved in either case."""
    from tqdm import tqdm

    from ganopt import distributed

    interrupted: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        interrupted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C stops immediately

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    step, shown = None, time.monotonic()
    bar_format = "{percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, bar_format=bar_format) as bar:
        for step in run:
            if step.step == 1 or step.saved or time.monotonic() > shown + SHOWN:
                shown = time.monotonic()
                bar.set_postfix_str(_summary(step), refresh=False)
                bar.update(min(step.progress, 1) - bar.n)
            if distributed.in_any(bool(interrupted) or (folder / STOP).exists()):
                interrupted.append(0)
                break
    run.close()
    if not distributed.rank():
        (folder / STOP).unlink(missing_ok=True)  # or the run would stop again when it is resumed
    distributed.wait_for_others()  # until the first process has saved
    if step is None:
        print(f"The run in {folder} {SPENT}")
        return
    done = "Stopped" if interrupted else "Done"
    print(f"{done} at step {step.step} after {step.images} pictures and {step.seconds / 60:.1f} minutes, in {folder}.")
    if interrupted:
        print(f"Resume with: {shell_command('train', '--resume', str(folder))}")
        sys.exit(130)


def _resume(folder: Path, given: dict[str, Any], dry_run: bool) -> None:
    from ganopt import distributed
    from ganopt.locks import lock_run
    from ganopt.training import loop
    from ganopt.training.recipe_text import describe
    from ganopt.training.recipes.settings import option

    if kept := set(given) - {"steps", "images", "minutes", "lr_decay", "data", "device"}:
        raise UserError(
            "A resumed run keeps its settings but for budget, --lr-decay, data and device; "
            f"leave out {option(min(kept))}."
        )
    overrides = {name: given.pop(name) for name in ("data", "device") if name in given}
    if not dry_run:
        follow(loop.resume(folder, budget=given, **overrides), folder)
        return
    with contextlib.nullcontext() if distributed.rank() else lock_run(folder):
        state = loop.prepare_resume(folder, budget=given, **overrides)
    if state.recipe.progress(state.step, state.images, state.seconds) < 1:
        print_json(**describe(state.recipe))
    else:
        print(f"The run in {folder} {SPENT}")


def _summary(step: "Step") -> str:
    losses = " ".join(f"{name} {value:.3g}" for name, value in step.losses.items())
    return f"step {step.step} epoch {step.epoch:.1f} {losses} {step.memory / 1e9:.2f} GB"
