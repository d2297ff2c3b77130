"""What the commands of the command line do."""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from ganopt.data import download, image_folder
from ganopt.errors import UserError
from ganopt.files import cache_folder, runs_folder
from ganopt.models import zoo
from ganopt.models.latents import format_seeds, latents, parse_seeds
from ganopt.models.sampling import draw, fused, save_png, to_image
from ganopt.runs import manager, timelapse
from ganopt.training import loop, run_folder
from ganopt.training.loop import Step
from ganopt.training.recipes import RECIPES, describe, parse
from ganopt.training.state import pick_device
from ganopt.viz.sheets import sheet

MOST_SEEDS = 5000  # faces in one `generate`


def generate(options: argparse.Namespace) -> None:
    """Write the faces of seeds as PNG files, and one labelled sheet."""
    seeds = parse_seeds(options.seeds, MOST_SEEDS)
    if not 0 <= options.scale <= 4:
        raise UserError(f"--scale is {options.scale:g}; take a number from 0 to 4.")
    if options.dry_run:
        print_json(model=options.model, seeds=format_seeds(seeds), scale=options.scale, out=options.out)
        return
    device = pick_device(options.device)
    generator = fused(zoo.load(options.model), device)
    pictures = draw(generator, latents(seeds) * options.scale)
    folder = Path(options.out)
    for seed, picture in zip(seeds, tqdm(pictures, "Writing", unit=" faces", leave=False), strict=True):
        save_png(to_image(picture), folder / f"seed-{seed:04}.png")
    save_png(sheet(pictures, [f"seed {seed}" for seed in seeds]), folder / "sheet.png")
    print(f"{len(seeds)} faces and sheet.png are in {folder}.")


def train(options: argparse.Namespace) -> None:
    """Start or resume a run and follow it. Ctrl-C saves and stops."""
    kind = RECIPES[options.recipe]
    names = {field.name for field in dataclasses.fields(kind)}
    given = {name: value for name, value in vars(options).items() if name in names}
    if getattr(options, "resume", None):
        _resume(Path(options.resume), given, options.dry_run)
        return
    recipe = parse({"recipe": kind.name} | given)
    if options.dry_run:
        print_json(**describe(recipe))
        return
    out = contextlib.nullcontext(Path(options.out)) if options.out else manager.new_folder(runs_folder(), kind.name)
    with out as folder:
        run = loop.train(recipe, folder)
    follow(run, folder)


def _resume(folder: Path, given: dict[str, Any], dry_run: bool) -> None:
    if kept := set(given) - {"steps", "images", "minutes"}:
        raise UserError(
            f"A resumed run keeps its settings but for the budget; leave out --{min(kept).replace('_', '-')}."
        )
    if dry_run:
        print_json(**describe(run_folder.read_recipe(folder)))
    else:
        follow(loop.resume(folder, budget=given), folder)


def make_film(options: argparse.Namespace) -> None:
    """Make a film of a run's six fixed latents, and a sheet of them if asked."""
    folder = Path(options.run)
    if options.dry_run:
        steps, _ = timelapse.previews(folder, timelapse.MOST_FRAMES)
        print_json(frames=len(steps), out=options.out, sheet=options.sheet)
        return
    timelapse.save_film(folder, Path(options.out))
    print(f"The film is {options.out}.")
    if options.sheet:
        save_png(timelapse.history(folder), Path(options.sheet))
        print(f"The sheet is {options.sheet}.")


def inspect_data(options: argparse.Namespace) -> None:
    """Read a folder of pictures into the cache and say what is in it."""
    if options.dry_run:
        files = image_folder.find(Path(options.folder), options.classes)
        print(f"{len(files)} pictures in {options.folder}.")
        return
    found = image_folder.load(Path(options.folder), options.side, options.classes)
    count, size = len(found.files), found.pictures.nbytes / 1e6
    print(f"{count} pictures of {options.side}x{options.side}, {size:.0f} MB in memory; {len(found.skipped)} skipped.")
    print(f"Kept for next time in {cache_folder()}.")


def fetch_data(options: argparse.Namespace) -> None:
    """Download a public set of pictures, after saying what it is, its size and its licence."""
    print(download.describe(download.SOURCES[options.name]), flush=True)
    if options.dry_run:
        return
    folder = Path(options.out or f"pictures/{options.name}")
    counts, skipped = download.fetch(options.name, folder, options.most)
    print(f"{sum(counts.values())} pictures are in {folder}; {skipped} could not be read.")
    print("Classes: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def models(options: argparse.Namespace) -> None:
    """List the models of the catalogue."""
    entries = zoo.catalogue()
    if options.json:
        print_json(**{name: dataclasses.asdict(entry) for name, entry in entries.items()})
        return
    for name, entry in entries.items():
        print(f"{name:18} {entry.role:9} {entry.architecture:10} {entry.bytes / 1e6:6.1f} MB   {entry.title}")


def publish(options: argparse.Namespace) -> None:
    """Upload a model and its card to the Hub."""
    if options.dry_run:
        print_json(model=options.model, repository=options.repository, private=options.private)
        return
    from huggingface_hub import get_token

    print(zoo.publish(options.model, options.repository, options.token or get_token() or "", private=options.private))


def follow(run: Generator[Step], folder: Path) -> None:
    """Show a run's progress until it ends or is interrupted; either way its last step is saved."""
    interrupted: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        interrupted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    step = None
    bar_format = "{percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, bar_format=bar_format) as bar:
        for step in run:
            bar.set_postfix_str(_summary(step), refresh=False)
            bar.update(min(step.progress, 1) - bar.n)
            if interrupted:
                break
    run.close()
    if step is None:
        print(f"The run in {folder} has spent its budget already; give it a larger one to go on.")
        return
    done = "Stopped" if interrupted else "Done"
    print(f"{done} at step {step.step} after {step.images} pictures and {step.seconds / 60:.1f} minutes, in {folder}.")
    if interrupted:
        print(f"Go on with: python -m ganopt train --resume {folder}")
        sys.exit(130)


def _summary(step: Step) -> str:
    losses = " ".join(f"{name} {value:.3g}" for name, value in step.losses.items())
    return f"step {step.step} epoch {step.epoch:.1f} {losses} {step.memory / 1e9:.2f} GB"


def print_json(**values: Any) -> None:
    print(json.dumps(values, indent=1, ensure_ascii=False))
