"""Objects with two classes: vectors of low rank, faces that our models draw, and a folder of pictures."""

import functools
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganopt.data import image_folder
from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.latents import latents
from ganopt.models.sampling import draw, inference_copy

FACES = {"cats": ("cats-fast",), "cats and dogs": ("cats-fast", "dogs-transfer")}  # the models that draw them
DATA = ("vectors", *FACES)
FEATURES, RANK, FALL, NOISE = 20, 10, 0.75, 0.1  # of vectors: each direction has 0.75 times the deviation before
CHUNK = 16  # faces drawn at a time
FIRST_SEED = 3_000_000  # far from the seeds that are shown and measured elsewhere
TESTED = 0.25  # the share of objects that training does not see


@dataclass(frozen=True)
class Objects:
    """Objects, centred and divided by one number so that their variance is 1 a feature, in two parts.

    `side` is that of pictures, or 0; then `x` and `new` are (N, 3 side side), else (N, 20).
    """

    x: Tensor
    labels: Tensor  # 0 or more
    new: Tensor  # which training does not see
    new_labels: Tensor
    mean: Tensor
    scale: float
    side: int

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(torch.cat((self.labels, self.new_labels)).max()) + 1

    def pictures(self, x: Tensor) -> Tensor:
        """Objects as pictures, uint8 (N, 3, side, side)."""
        values = (x * self.scale + self.mean).round().clamp(0, 255).to(torch.uint8)
        return values.view(-1, 3, self.side, self.side)


def features_of(data: str, folder: str, side: int) -> int:
    """The features of an object."""
    return 3 * side**2 if folder or data in FACES else FEATURES


def gather(data: str, folder: str, count: int, side: int, seed: int) -> Generator[None, None, Objects]:
    """Some objects, by the name of the data, or of a folder; yields None while it draws.

    Only vectors depend on the seed. The classes are those of the vectors' two halves, the models that draw, or the
    folders inside the folder. Raises UserError if the folder cannot be read.
    """
    if folder:
        pictures, labels = _read_folder(folder, count, side)
        return split(pictures.flatten(1).float(), labels, side)
    if data not in FACES:
        return split(*_vectors(count, np.random.default_rng(seed)), 0)
    models, parts = FACES[data], []
    for start in range(0, count, CHUNK):
        parts.append(drawn(models[start // CHUNK % len(models)], FIRST_SEED + start, side))
        yield None
    labels = torch.arange(len(parts)).repeat_interleave(CHUNK) % len(models)
    return split(torch.cat(parts)[:count].flatten(1).float(), labels[:count], side)


def split(x: Tensor, labels: Tensor, side: int) -> Objects:
    """Objects of these values, (N, n), and classes, (N,); the parts are chosen always alike."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    new, seen = order.split([round(TESTED * len(x)), len(x) - round(TESTED * len(x))])
    mean = x[seen].mean(0)
    scale = (x[seen] - mean).square().mean().sqrt().item() or 1.0
    values = (x - mean) / scale
    return Objects(values[seen], labels[seen], values[new], labels[new], mean, scale, side)


@functools.lru_cache(512)
def drawn(model: str, start: int, side: int) -> Tensor:
    """Faces of a model for a chunk of seeds from `start` on, uint8 (16, 3, side, side)."""
    generator = _generator(model)
    faces = draw(generator, latents(range(start, start + CHUNK))).float()
    if not (factor := generator.architecture.side // side):
        raise UserError(f"{model} draws pictures of {generator.architecture.side} pixels; choose that side or less.")
    return avg_pool2d(faces, factor).round().to(torch.uint8)


@functools.lru_cache(2)
def _generator(model: str):
    return inference_copy(zoo.load(model), torch.device("cpu"))


def _read_folder(folder: str, count: int, side: int) -> tuple[Tensor, Tensor]:
    """At most `count` pictures of a folder, evenly drawn; the class is the first folder on the way to each."""
    found = image_folder.load(Path(folder), side)
    kinds = sorted({name.partition("/")[0] if "/" in name else "" for name in found.files})
    labels = [kinds.index(name.partition("/")[0] if "/" in name else "") for name in found.files]
    chosen = image_folder.drawn(len(labels), count, 0)
    return torch.from_numpy(found.pictures)[chosen], torch.tensor(labels)[chosen]


def _vectors(count: int, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Vectors of rank 10 with a little noise, (N, 20), and which side of a plane their strongest directions are on."""
    axes = np.linalg.qr(chance.standard_normal((FEATURES, FEATURES)))[0][:RANK]
    hidden = chance.standard_normal((count, RANK)) * FALL ** np.arange(RANK)
    x = hidden @ axes + NOISE * chance.standard_normal((count, FEATURES))
    labels = (hidden[:, 0] + hidden[:, 1] > 0).astype(int)
    return torch.from_numpy(x).float(), torch.from_numpy(labels)
