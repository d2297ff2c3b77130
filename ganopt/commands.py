"""What the commands of the command line do."""

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from ganopt import data, evaluation, experiments, features, results, tables, training, zoo
from ganopt.draw import draw, save_png, to_image
from ganopt.errors import UserError
from ganopt.evaluation import Plan, Score
from ganopt.experiments import Setting
from ganopt.files import atomic_write, cache_folder
from ganopt.latents import format_seeds, latents, parse_seeds
from ganopt.recipes import RECIPES, describe, parse
from ganopt.report import sheet
from ganopt.state import pick_device
from ganopt.training import Step

MOST_SEEDS = 5000  # faces in one `generate`


def generate(options: argparse.Namespace) -> None:
    """Write the faces of seeds as PNG files, and one labelled sheet."""
    seeds = parse_seeds(options.seeds, MOST_SEEDS)
    if not 0 <= options.scale <= 4:
        raise UserError(f"--scale is {options.scale:g}; take a number from 0 to 4.")
    if options.dry_run:
        _print_json(model=options.model, seeds=format_seeds(seeds), scale=options.scale, out=options.out)
        return
    device = pick_device(options.device)
    generator = zoo.load(options.model).to(device)
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
        _print_json(**describe(recipe))
        return
    folder = Path(options.out) if options.out else _new_folder(Path("runs"), kind.name)
    _follow(training.train(recipe, folder), folder)


def _resume(folder: Path, given: dict[str, Any], dry_run: bool) -> None:
    if kept := set(given) - {"steps", "images", "minutes"}:
        raise UserError(
            f"A resumed run keeps its settings but for the budget; leave out --{min(kept).replace('_', '-')}."
        )
    if dry_run:
        _print_json(**describe(training.read_recipe(folder)))
    else:
        _follow(training.resume(folder, budget=given), folder)


def fid(options: argparse.Namespace) -> None:
    """Measure FID of models or folders, with the floor, KID, precision and recall beside it."""
    models, paths, reference = tuple(options.model or ()), tuple(map(Path, options.paths)), options.reference
    if len(paths) == 2 and not reference and not models:  # as in pytorch-fid
        paths, reference = paths[:1], str(paths[1])
    plan = Plan(
        models=models,
        paths=paths,
        reference=reference or "cats",
        against=options.against,
        count=options.n,
        repeats=options.repeats,
        seed=options.seed,
    )
    if options.dry_run:
        _print_json(**dataclasses.asdict(plan) | {"paths": [str(path) for path in paths]})
        return
    eye = features.extractor(pick_device(options.device), options.precision, options.inception)
    if options.save:
        seeing = features.of_path(paths[0], eye) if paths else features.of_model(models[0], plan.seeds(0), eye)
        features.write_statistics(features.finish(seeing), Path(options.save))
        print(f"Mean and covariance of {paths[0] if paths else models[0]} are in {options.save}.")
        return
    records = []
    with tqdm(desc="Pictures", unit="", leave=False) as bar:
        for update in evaluation.evaluate(plan, eye):
            bar.total = update.total
            bar.update(update.done - bar.n)
            if update.score:
                records.append(evaluation.record(update.score, eye))
                if options.results:  # at once, so that nothing is lost
                    results.append(Path(options.results), records[-1:])
                if not options.json:
                    tqdm.write(_score_line(update.score))
    if options.json:
        _print_json(records=records)


def _score_line(score: Score) -> str:
    line = f"{score.name:20} fid{score.count or ''} {score.fid:7.2f}"
    if len(score.fids) > 1:
        line += f" ({min(score.fids):.2f} to {max(score.fids):.2f})"
    if score.kid is not None:
        line += f"   KID {1000 * score.kid:.2f} +- {1000 * score.kid_deviation:.2f} e-3"
        line += f"   precision {score.precision:.2f}   recall {score.recall:.2f}"
    return line + (f"   to {score.against} {score.fid_to_model:.2f}" if score.against else "")


def run_experiments(options: argparse.Namespace) -> None:
    """Train and measure what the thesis's tables need, in a budget of minutes; go on where it was stopped."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(Setting)}
    setting = Setting(**values | {"data": Path(options.data), "folder": Path(options.folder)})
    names = options.only.split(",") if options.only else None
    if options.dry_run:
        planned = experiments.recipes(setting, experiments.choose(names))
        _print_json(**{experiment.name: describe(recipe) for experiment, recipe in planned})
        return
    if setting.minutes > 0:
        for experiment, steps in experiments.runs(setting, names):
            print(f"Training {experiment.name}.")
            _follow(steps, setting.folder / experiment.name)
    eye = features.extractor(pick_device(options.device), "float32", options.inception)
    for record in experiments.measure(setting, eye, Path(options.results), names, options.n):
        if record["kind"] == "fid":
            print(f"{record['name']:24} fid{record['count']} {record['fid']:.2f}")
    print("\n" + tables.page(tables.tables(tables.read(Path(options.results)))), end="")


def show_tables(options: argparse.Namespace) -> None:
    """Print the thesis's tables with our figures, from the results file, as Markdown, or write them."""
    built = tables.tables(tables.read(Path(options.results) if options.results else zoo.checkpoints() / "results.json"))
    targets = [Path(options.csv, f"{table.name}.csv") for table in built] if options.csv else []
    if options.dry_run:
        _print_json(tables=[table.title for table in built], readme=options.readme, csv=list(map(str, targets)))
        return
    text = tables.insert(_read_text(Path(options.readme)), built) if options.readme else ""
    for table, path in zip(built, targets, strict=False):
        with atomic_write(path) as temporary:
            temporary.write_text(tables.as_csv(table), encoding="utf-8")
    if options.readme:
        with atomic_write(Path(options.readme)) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if not (options.csv or options.readme):
        print(tables.page(built), end="")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as text; name a Markdown file.") from error


def inspect_data(options: argparse.Namespace) -> None:
    """Read a folder of pictures into the cache and say what is in it."""
    if options.dry_run:
        files = data.find(Path(options.folder), options.classes)
        print(f"{len(files)} pictures in {options.folder}.")
        return
    found = data.load(Path(options.folder), options.side, options.classes)
    count, size = len(found.files), found.pictures.nbytes / 1e6
    print(f"{count} pictures of {options.side}x{options.side}, {size:.0f} MB in memory; {len(found.skipped)} skipped.")
    print(f"Kept for next time in {cache_folder()}.")


def models(options: argparse.Namespace) -> None:
    """List the models of the catalogue."""
    entries = zoo.catalogue()
    if options.json:
        _print_json(**{name: dataclasses.asdict(entry) for name, entry in entries.items()})
        return
    for name, entry in entries.items():
        print(f"{name:18} {entry.role:9} {entry.architecture:8} {entry.bytes / 1e6:6.1f} MB   {entry.title}")


def publish(options: argparse.Namespace) -> None:
    """Upload a model and its card to the Hub."""
    if options.dry_run:
        _print_json(model=options.model, repository=options.repository, private=options.private)
        return
    from huggingface_hub import get_token

    print(zoo.publish(options.model, options.repository, options.token or get_token() or "", private=options.private))


def _follow(run: Iterator[Step], folder: Path) -> None:
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


def _new_folder(parent: Path, name: str) -> Path:
    number = 1
    while (folder := parent / f"{name}-{number}").exists():
        number += 1
    return folder


def _print_json(**values: Any) -> None:
    print(json.dumps(values, indent=1, ensure_ascii=False))
