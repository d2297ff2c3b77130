"""Commands for models and faces. They import what they need when they run, to keep `--help` fast."""

import argparse
import dataclasses
from pathlib import Path

from ganopt.cli.output import print_json
from ganopt.errors import UserError

MOST_SEEDS = 5000  # faces in one `generate`


def generate(options: argparse.Namespace) -> None:
    """Write faces of seeds as PNG files, and a labelled sheet of them."""
    from tqdm import tqdm

    from ganopt.models import zoo
    from ganopt.models.devices import pick_device
    from ganopt.models.latents import format_seeds, latents, parse_seeds
    from ganopt.models.sampling import draw, inference_copy, save_png, to_image
    from ganopt.viz.sheets import sheet

    seeds = parse_seeds(options.seeds, MOST_SEEDS)
    if not 0 <= options.scale <= 4:
        raise UserError(f"--scale is {options.scale:g}; it must be a number from 0 to 4.")
    device = pick_device(options.device)
    generator = inference_copy(zoo.load(options.model), device)
    if options.dry_run:
        print_json(model=options.model, seeds=format_seeds(seeds), scale=options.scale, out=options.out)
        return
    pictures = draw(generator, latents(seeds) * options.scale)
    folder = Path(options.out)
    for seed, picture in zip(seeds, tqdm(pictures, "Writing", unit=" faces", leave=False), strict=True):
        save_png(to_image(picture), folder / f"seed-{seed:04}.png")
    save_png(sheet(pictures, [f"seed {seed}" for seed in seeds]), folder / "sheet.png")
    print(f"{len(seeds)} faces and sheet.png are in {folder}.")


def models(options: argparse.Namespace) -> None:
    """List the models in the catalogue."""
    from ganopt.models.catalogue import catalogue

    entries = catalogue()
    if options.json:
        print_json(**{name: dataclasses.asdict(entry) for name, entry in entries.items()})
        return
    for name, entry in entries.items():
        print(f"{name:18} {entry.role:9} {entry.architecture:10} {entry.bytes / 1e6:6.1f} MB   {entry.title}")


def publish(options: argparse.Namespace) -> None:
    """Upload a model and a model card to the Hub."""
    from huggingface_hub import get_token

    from ganopt.models import zoo

    if options.dry_run:
        zoo.load(options.model)
        print_json(model=options.model, repository=options.repository, private=options.private)
        return
    print(zoo.publish(options.model, options.repository, options.token or get_token() or "", private=options.private))
