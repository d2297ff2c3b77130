"""The command that finds a pet. It imports what it needs when it runs, to keep `--help` fast."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganopt.cli.models import add_model
from ganopt.cli.output import print_json
from ganopt.errors import UserError

if TYPE_CHECKING:
    from ganopt.models.networks import Generator


def add_find_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options of `find`."""
    command.add_argument("photo", nargs="?", help="photograph; its central square is used")
    add_model(command)
    command.add_argument("--out", default="found.png", help="PNG file with the photograph and the face side by side")
    command.add_argument(
        "--measure", metavar="FOLDER", help="instead, find held-out photographs, and record their distances"
    )
    command.add_argument("--classes", default="", help="of that folder, use only folders of this name")
    command.add_argument("--n", type=int, default=32, help="photographs of that folder, evenly drawn")
    command.add_argument("--record", default="reach.json", help="file for these distances, as in checkpoints/")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")


def find(options: argparse.Namespace) -> None:
    """Find the face of a model that is most like a photograph, and say how near it is."""
    import torch

    from ganopt.data.decode import decode
    from ganopt.models import zoo
    from ganopt.models.devices import pick_device
    from ganopt.models.latents import encode_latent, reach
    from ganopt.models.latents.inversion import SECONDS, search
    from ganopt.models.sampling import inference_copy, save_png
    from ganopt.viz.sheets import sheet

    if bool(options.photo) == bool(options.measure):
        raise UserError("Give one photograph, or --measure with a folder of held-out ones.")
    generator = inference_copy(zoo.load(options.model), pick_device(options.device))
    if options.measure:
        _measure(options, generator)
        return
    photo = decode(options.photo, generator.architecture.side)
    if isinstance(photo, str):
        raise UserError(f"{options.photo} cannot be used: {photo}; choose another photograph.")
    if options.dry_run:
        print_json(model=options.model, photo=options.photo, out=options.out)
        return
    photograph = torch.from_numpy(photo)
    *_, result = search(generator, photograph, SECONDS)
    captions = ["the photograph", "the face found"]
    save_png(sheet(torch.stack([photograph, result.picture]), captions, 2), Path(options.out))
    print(*reach.say(result, options.model))
    print(f"Both are in {options.out}. The face can be drawn by the option --seeds of generate with its name:")
    print(encode_latent(result.latent))


def _measure(options: argparse.Namespace, generator: "Generator") -> None:
    import torch
    from tqdm import tqdm

    from ganopt.data import image_folder
    from ganopt.models.latents import reach

    if options.dry_run:
        image_folder.check(Path(options.measure), options.classes, minimum=1)
        print_json(model=options.model, photo=options.measure, out=options.record)
        return
    loaded = image_folder.load(Path(options.measure), generator.architecture.side, options.classes, minimum=1)
    chosen = image_folder.drawn(len(loaded.pictures), options.n, 0)
    photographs = torch.from_numpy(loaded.pictures[chosen])
    record: reach.Record = {}
    for record in tqdm(reach.measure(generator, photographs), "Finding", len(chosen), leave=False):
        reach.write(Path(options.record), options.model, record)  # immediately, so nothing is lost
    distances = record["distances"]
    print(
        f"{len(distances)} photographs: distance {sum(distances) / len(distances):.3f} on average "
        f"({distances[0]:.3f} to {distances[-1]:.3f}), of seeds {record['seeds']:.3f}; recorded in {options.record}."
    )
