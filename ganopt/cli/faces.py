"""Commands for models and faces. They import what they need when they run, to keep `--help` fast."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganopt.cli.models import model
from ganopt.cli.output import print_json
from ganopt.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from ganopt.models.catalogue import Named

MAX_SEEDS = 5000  # faces in one `generate`
MAX_CORNERS = 1000  # seeds in a page
ENLARGED = 4  # pixels for each one of a digit on a sheet


def generate(options: argparse.Namespace) -> None:
    """Write faces of seeds as PNG files, and a labelled sheet of them."""
    from ganopt.lab.digits import shipped
    from ganopt.metrics import eyes
    from ganopt.models import zoo
    from ganopt.models.devices import pick_device
    from ganopt.models.latents import format_seeds, latents, parse_faces, say_repeats
    from ganopt.models.sampling import draw, inference_copy

    seeds = parse_faces(options.seeds, MAX_SEEDS)
    if not 0 <= options.scale <= 4:
        raise UserError(f"--scale is {options.scale:.15g}; it must be a number from 0 to 4.")
    if options.best is not None and not 1 <= options.best <= len(seeds):
        raise UserError(f"--best is {options.best}; it must be a number from 1 to {len(seeds)}, that of the seeds.")
    if options.model == shipped.NAME:
        _draw_digits(options, seeds)
        return
    device = pick_device(options.device)
    generator = inference_copy(zoo.load(options.model), device)
    repeats = say_repeats(options.seeds, seeds)
    judge = eyes.of_model(options.model) if options.best else None
    if options.dry_run:
        plan = {"seeds": format_seeds(seeds), "best": options.best, "scale": options.scale}
        print_json(model=options.model, **plan, out=options.out)
        return
    pictures = draw(generator, latents(seeds) * options.scale)
    if judge:
        best = judge.best(pictures, options.best)
        seeds, pictures = [seeds[index] for index in best], pictures[best]
    said = _write(seeds, pictures, pictures, "face", Path(options.out))
    print(said + repeats + (f" The seeds with the best eyes: {format_seeds(seeds)}." if judge else ""))


def _draw_digits(options: argparse.Namespace, seeds: list) -> None:
    """`generate` with the generator of digits."""
    from ganopt.lab.digits import shipped
    from ganopt.models.devices import pick_device
    from ganopt.models.latents import format_seeds, latents, say_repeats

    if options.best:
        raise UserError("--best chooses faces by their eyes, which digits do not have; leave it out.")
    generator = shipped.load_generator().to(pick_device(options.device))
    if options.dry_run:
        print_json(model=options.model, seeds=format_seeds(seeds), scale=options.scale, out=options.out)
        return
    digits = shipped.digits_of(generator, latents(seeds) * options.scale)
    enlarged = digits.repeat_interleave(ENLARGED, 2).repeat_interleave(ENLARGED, 3)
    print(_write(seeds, digits, enlarged, "digit", Path(options.out)) + say_repeats(options.seeds, seeds))


def _write(seeds: list, pictures: "Tensor", on_sheet: "Tensor", kind: str, folder: Path) -> str:
    """Write pictures, uint8 (N, 3, H, W), as PNG files, and those on a labelled sheet; returns what was done."""
    from tqdm import tqdm

    from ganopt.models.latents import file_stem, label
    from ganopt.models.sampling import save_png, to_image
    from ganopt.viz.sheets import sheet

    for seed, picture in zip(seeds, tqdm(pictures, "Writing", unit=f" {kind}s", leave=False), strict=True):
        save_png(to_image(picture), folder / f"{file_stem(seed)}.png")
    save_png(sheet(on_sheet, [label(seed) for seed in seeds]), folder / "sheet.png")
    return f"{len(seeds)} {kind}{'s' * (len(seeds) > 1)} and sheet.png are in {folder}."


def models(options: argparse.Namespace) -> None:
    """List the models in the catalogue, with their sizes as float16, which compare them, and on disk."""
    from ganopt.models.catalogue import catalogue, lab_catalogue

    entries, lab = catalogue(), lab_catalogue()
    if options.json:
        print_json(**{name: dataclasses.asdict(entry) for name, entry in {**entries, **lab}.items()})
        return
    rows: list[tuple[str, Named]] = [(entry.role, entry) for entry in entries.values()]
    for role, entry in (*rows, *(("lab", entry) for entry in lab.values())):
        sizes = f"{_megabytes(entry):4.1f} MB as float16 {entry.bytes / 1e6:4.1f} MB on disk"
        print(f"{entry.name:18} {role:9} {entry.architecture:10} {sizes}   {entry.title}")


def _megabytes(entry: "Named") -> float:
    """The size of a model as float16, in MB."""
    import torch

    from ganopt.lab.digits.networks import DigitGenerator
    from ganopt.models.catalogue import Entry
    from ganopt.models.networks import count_parameters
    from ganopt.thesis.model_facts import megabytes

    if isinstance(entry, Entry):
        return megabytes(entry)
    return 2 * count_parameters(DigitGenerator(torch.Generator())) / 1e6  # the only one of the Lab


def export_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options of `export`."""
    command.add_argument("model", type=model, help="model: a name, a file, a run folder or user/repo")
    command.add_argument("--html", default="", metavar="FILE", help="web page that contains the whole model")
    command.add_argument("--seeds", default="0-63", help="seeds between whose faces the page walks")
    command.add_argument("--onnx", default="", metavar="FILE", help="ONNX file; needs the package onnx")


def export(options: argparse.Namespace) -> None:
    """Write a model as one web page that draws faces without a network, or as ONNX."""
    from ganopt.models import zoo
    from ganopt.models.catalogue import catalogue
    from ganopt.models.latents import format_seeds, parse_seeds
    from ganopt.portable.onnx import check_installed, save_onnx
    from ganopt.portable.page import page, save_page

    if not (options.html or options.onnx):
        raise UserError("There is nothing to write; give --html FILE, --onnx FILE or both.")
    seeds = parse_seeds(options.seeds, MAX_CORNERS)
    generator = zoo.load(options.model)
    entry = catalogue().get(options.model)
    name = entry.name if entry else Path(options.model).stem
    text = page(generator, name, entry.title if entry else name, seeds) if options.html else ""
    if options.onnx:
        check_installed()
    if options.dry_run:
        print_json(model=options.model, html=options.html, onnx=options.onnx, seeds=format_seeds(seeds))
        return
    if options.html:
        save_page(text, Path(options.html))
        size = Path(options.html).stat().st_size / 1e6
        print(f"{options.html} has {size:.2f} MB and draws faces in any browser, without a network.")
    if options.onnx:
        save_onnx(generator, Path(options.onnx))
        print(f"{options.onnx} has {Path(options.onnx).stat().st_size / 1e6:.2f} MB.")
