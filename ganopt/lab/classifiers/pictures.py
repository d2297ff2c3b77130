"""Pictures with classes, in parts for training, validation and test: faces that our models draw, or a user's folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganopt.data import image_folder
from ganopt.data.decode import decode_whole
from ganopt.errors import UserError
from ganopt.lab.encoders.objects import CHUNK, drawn

PARTS = ("train", "validation", "test")
DRAWN = {"cat": "cats-fast", "dog": "dogs-transfer"}  # the model that draws each class
DRAWN_PARTS, FOR_TEACHER = (80, 48, 128), 256  # faces; more of them for the teacher that is trained here
DRAWN_SIDE = 64
FIRST_SEED = 5_000_000  # far from the seeds that are shown and measured elsewhere
MINIMUM = 2  # pictures of a part, as one has no spread
HELD_OUT = 0.2  # of a folder's pictures for validation, and as many for the test


@dataclass(frozen=True)
class Pictures:
    """Pictures by number; each is read again when it is needed, so that any number of them fits into memory."""

    read: Callable[[int], np.ndarray]  # uint8 (3, H, W); raises UserError if it cannot be read
    labels: Tensor  # numbers of classes
    classes: tuple[str, ...]
    parts: tuple[Tensor, Tensor, Tensor]  # numbers of pictures, as in PARTS
    taught: Tensor  # numbers of those from which a teacher learns that is trained here


def drawn_faces(seed: int) -> Pictures:
    """Faces of two animals, as many of each; the seed says which of them are in which part."""
    models = [*DRAWN.values()]

    def read(number: int) -> np.ndarray:
        start = number - number % CHUNK
        model = models[number // CHUNK % len(models)]
        return drawn(model, FIRST_SEED + start, DRAWN_SIDE)[number % CHUNK].numpy()

    numbers = torch.arange(sum(DRAWN_PARTS) + FOR_TEACHER)
    train, validation, test, more = _shuffled(len(numbers), seed).split((*DRAWN_PARTS, FOR_TEACHER))
    labels = numbers // CHUNK % len(models)
    return Pictures(read, labels, (*DRAWN,), (train, validation, test), torch.cat((train, more)))


def draw_all(faces: Pictures) -> Iterator[None]:
    """Draw the faces chunk by chunk: those of a batch in random order are of many chunks, which would take a second."""
    for number in range(0, len(faces.labels), CHUNK):
        faces.read(number)
        yield None


def in_folder(folder: str, seed: int) -> Pictures:
    """The pictures in FOLDER/CLASS, or in FOLDER/train/CLASS, FOLDER/validation/CLASS and FOLDER/test/CLASS.

    Without such parts, the seed draws them. Raises UserError if the folder is missing or laid out otherwise.
    """
    root = Path(folder)
    image_folder.check(root)
    files = [Path(name) for name in image_folder.find(root)]
    names = {file.parts[0] for file in files}
    has_parts = names == {*PARTS}
    if "train" in names and not has_parts and names <= {*PARTS, "val", "valid"}:
        raise UserError(f"{folder} has the parts {', '.join(sorted(names))}; give it {', '.join(PARTS)}.")
    depth = 1 if has_parts else 0
    kinds = [file.parts[depth] if len(file.parts) > depth + 1 else "" for file in files]
    if "" in kinds:
        raise UserError(f"{root / files[kinds.index('')]} is in no class; give a folder with a folder for each class.")
    classes = tuple(sorted({*kinds}))
    if len(classes) < 2:
        raise UserError(f"All pictures in {folder} are of one class; give a folder with a folder for each class.")

    def read(number: int) -> np.ndarray:
        path = root / files[number]
        if isinstance(found := decode_whole(str(path)), str):
            raise UserError(f"{path} cannot be used, because {found}; remove it from the folder.")
        return found

    if has_parts:
        train, validation, test = (_numbers_of(part, files) for part in PARTS)
        if min(map(len, (train, validation, test))) < MINIMUM:
            raise UserError(f"A part of {folder} has a single picture; put at least {MINIMUM} in each.")
    else:
        held_out = round(HELD_OUT * len(files))
        train, validation, test = _shuffled(len(files), seed).split([len(files) - 2 * held_out, held_out, held_out])
    labels = torch.tensor([classes.index(kind) for kind in kinds])
    return Pictures(read, labels, classes, (train, validation, test), train)


def _numbers_of(part: str, files: list[Path]) -> Tensor:
    return torch.tensor([number for number, file in enumerate(files) if file.parts[0] == part])


def _shuffled(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
