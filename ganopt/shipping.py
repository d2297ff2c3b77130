"""Putting the model of a run into `checkpoints/`, with its entry in the catalogue.

python -m ganopt.shipping RUN NAME --title TITLE --role teacher --trained-on TEXT --licence TEXT
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from ganopt import weights, zoo
from ganopt.files import atomic_write, sha256
from ganopt.recipes import describe
from ganopt.training import read_counters, read_recipe


def ship(run: Path, name: str, title: str, role: str, trained_on: str, licence: str) -> zoo.Entry:
    """Store a run's generator and critic as float16 and enter them in the catalogue, in place of their namesakes.

    Raises UserError where the run has saved nothing or checkpoints/ cannot be written.
    """
    folder = zoo.checkpoints()
    recipe = describe(read_recipe(run)) | {"data": ""}  # `trained_on` says it better
    files = {}
    for kind, file in (("generator", f"{name}.safetensors"), ("critic", f"{name}-critic.safetensors")):
        network = weights.load(run / f"{kind}.safetensors")
        weights.save(network, folder / file, recipe, torch.float16)
        files[kind] = zoo.File(
            file=file,
            bytes=(folder / file).stat().st_size,
            sha256=sha256(folder / file),
            architecture=str(network.architecture),
        )
    entry = zoo.Entry(
        **vars(files["generator"]),
        name=name,
        title=title,
        role=role,
        trained_on=trained_on,
        licence=licence,
        images=read_counters(run)["images"],
        critic=files["critic"],
    )
    entries = zoo.catalogue() | {name: entry}
    with atomic_write(folder / "catalogue.json") as temporary:
        models = [dataclasses.asdict(entry) for entry in entries.values()]
        temporary.write_text(json.dumps({"models": models}, indent=1) + "\n")
    return entry


def main() -> None:
    parser = argparse.ArgumentParser("python -m ganopt.shipping", description=ship.__doc__)
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("name", help="name in the catalogue, as in cats-teacher")
    parser.add_argument("--title", required=True, help="what people read")
    parser.add_argument("--role", choices=zoo.ROLES, default="teacher")
    parser.add_argument("--trained-on", required=True, help="the pictures")
    parser.add_argument("--licence", required=True, help="what their licence means for the weights")
    print(ship(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
