"""The command line: `python -m ganopt generate | train | distill | transfer | fid | data | models | publish`."""

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from ganopt import __version__, data, evaluation, features, training, zoo
from ganopt.draw import draw, save_png, to_image
from ganopt.errors import UserError
from ganopt.evaluation import Plan, Score
from ganopt.files import cache_folder
from ganopt.latents import format_seeds, latents, parse_seeds
from ganopt.options import SCRATCH_RECIPES, HelpFormatter, add_settings
from ganopt.recipes import RECIPES, Recipe, describe, parse
from ganopt.report import sheet
from ganopt.state import pick_device
from ganopt.training import Step

MOST_SEEDS = 5000  # faces in one `generate`


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Ends the process: 0 done, 1 a mistake of the user's, 2 wrong options, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except UserError as error:
        sys.exit(f"ganopt: {error}")
    except KeyboardInterrupt:
        print("ganopt: interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    records = []
    with tqdm(desc="Pictures", unit="", leave=False) as bar:
        for update in evaluation.evaluate(plan, eye):
            bar.total = update.total
            bar.update(update.done - bar.n)
            if update.score:
                records.append(evaluation.record(update.score, eye))
                if options.results:  # at once, so that nothing is lost
                    evaluation.append(Path(options.results), records[-1:])
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m ganopt", description="GANs of animal faces, made cheaper.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, generate, "generate", "python -m ganopt generate --seeds 0-15 --out faces")
    command.add_argument("--model", default="cats-teacher", help="a name, a file, a run folder or user/repo")
    command.add_argument("--seeds", default="0-15", help="as in 0-8, 42")
    command.add_argument("--scale", type=float, default=1.0, help="factor on the latents; below 1 is safer and duller")
    command.add_argument("--out", default="faces", help="folder for the PNG files")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")

    example = "python -m ganopt train --data pictures/cats --generator big/4 --minutes 30"
    command = _command(commands, train, "train", example)
    command.add_argument("--recipe", choices=SCRATCH_RECIPES, default="r1", help="the loss and its settings")
    command.add_argument("--resume", metavar="FOLDER", help="go on with a run, to its budget or to the one given")
    add_settings(command, Recipe)
    for name, example in (
        ("distill", "python -m ganopt distill --teacher cats-teacher --data pictures/cats --minutes 30"),
        ("transfer", "python -m ganopt transfer --source cats-teacher --data pictures/dogs --minutes 30"),
    ):
        command = _command(commands, train, name, example, RECIPES[name].__doc__)
        command.set_defaults(recipe=name)
        add_settings(command, RECIPES[name])

    command = _command(commands, fid, "fid", "python -m ganopt fid --model cats-teacher --reference cats --n 500")
    command.add_argument(
        "paths", nargs="*", help="folders, zip or .npz files; of two alone, the second is the reference"
    )
    command.add_argument("--model", action="append", help="a model to draw from; may be given more than once")
    command.add_argument("--reference", default="", help="cats, dogs, a folder, a zip or an .npz file (default: cats)")
    command.add_argument("--against", default="", help="a model, the teacher say, whose faces are compared with, too")
    command.add_argument("--n", type=int, default=500, help="pictures of each sample")
    command.add_argument("--repeats", type=int, default=3, help="samples of each model, for the spread")
    command.add_argument("--seed", type=int, default=0, help="the first seed")
    command.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of Inception; the references that come with the project are float32, which bfloat16 misses by a percent",
    )
    command.add_argument(
        "--inception", default="", help="file of pytorch-fid's weights, or 'official' for their download; else ours"
    )
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    command.add_argument("--results", default="results.json", help="file to append to, with the protocol; '' for none")
    command.add_argument("--json", action="store_true", help="print the records as JSON")

    command = _command(commands, inspect_data, "data", "python -m ganopt data pictures --classes cat")
    command.add_argument("folder", help="folder of pictures, nested or not")
    command.add_argument("--side", type=int, choices=(32, 64, 128), default=128, help="pixels")
    command.add_argument("--classes", default="", help="use only the folders of this name")

    command = _command(commands, models, "models", "python -m ganopt models")
    command.add_argument("--json", action="store_true", help="everything in the catalogue, as JSON")

    command = _command(commands, publish, "publish", "python -m ganopt publish runs/r1-1 me/cats")
    command.add_argument("model", help="a name, a file or a run folder")
    command.add_argument("repository", help="user/repo on the Hub, made if it is not there")
    command.add_argument("--token", help="of the Hub; else that of `hf auth login` or $HF_TOKEN")
    command.add_argument("--private", action="store_true", help="make the repository private")
    return parser


def _command(commands: Any, function: Any, name: str, example: str, text: str | None = None) -> argparse.ArgumentParser:
    text = text or function.__doc__
    command = commands.add_parser(
        name,
        help=text.splitlines()[0],
        description=f"{text}\n\nexample: {example}",
        formatter_class=HelpFormatter,
    )
    command.set_defaults(command=function)
    command.add_argument("--dry-run", action="store_true", help="say what would be done and stop")
    return command
