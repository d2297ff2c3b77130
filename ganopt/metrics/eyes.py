"""How well the two eyes of a face match: the faults that one sees first in generated faces.

The features of one eye, by a frozen EfficientNet-Lite0, are compared with those of the other eye, mirrored. The measure
is the Mahalanobis distance of their difference in a Gaussian that was fitted to such differences of photographs, as in
anomaly detection (PaDiM, Defard et al. 2021). The faces must be aligned, as those of our models are.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganopt.data import synthetic
from ganopt.errors import UserError
from ganopt.models import weights, zoo
from ganopt.models.checkpoint_files import read_checkpoint
from ganopt.models.networks import projected
from ganopt.models.sampling import from_bytes

ANIMALS = {"cat": (0.35, 0.52), "dog": (0.365, 0.385)}  # centre of the left eye, from the left and from the top
HEIGHT, WIDTH = 0.28, 0.30  # of the part around an eye, as shares of the picture's side
ENLARGED = (108, 114)  # its height and width in pixels when it is given to the network
SHRINKAGE = 0.3  # added to the diagonal of the covariance of the standardised differences
BATCH = 16


@dataclass(frozen=True)
class Eyes:
    """The Gaussian of an animal's photographs: `whitening`, (D, D), is the inverse root of its shrunk covariance."""

    animal: str
    whitening: Tensor

    def mismatch(self, pictures: Tensor) -> Tensor:
        """How much the eyes of faces differ: uint8 (N, 3, side, side) -> (N,), small where they match."""
        return (differences(pictures, self.animal) @ self.whitening.T).norm(dim=1)

    def best(self, pictures: Tensor, count: int) -> list[int]:
        """The indices, ascending, of the faces whose eyes match best: uint8 (N, 3, side, side) -> at most `count`."""
        return smallest(self.mismatch(pictures), count)


def smallest(mismatches: Tensor, count: int) -> list[int]:
    """The indices, ascending, of the smallest of some mismatches, (N,): at most `count`."""
    return mismatches.argsort(stable=True)[:count].sort().values.tolist()


def fit(pictures: Tensor, animal: str) -> Eyes:
    """Fit the Gaussian to photographs, uint8 (N, 3, side, side), and to their mirror images."""
    found = differences(pictures, animal)
    scale = found.square().mean(0).sqrt()
    scaled = found / scale
    covariance = scaled.T @ scaled / len(scaled) + SHRINKAGE * torch.eye(len(scale))
    identity = torch.eye(len(scale))
    root = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), identity, upper=False)
    return Eyes(animal, (root / scale).contiguous())


def load(animal: str) -> Eyes:
    """The Gaussian that comes with the project, of cat or dog. Raises UserError if its file is damaged."""
    return Eyes(animal, read_checkpoint(file_name(animal), "whitening")["whitening"].float())


def of_model(name: str) -> Eyes:
    """The Gaussian for the animal of a model. Raises UserError if the model does not say which animal it draws."""
    asked, data = set[str](), f"{synthetic.PREFIX}{name}"
    while data.startswith(synthetic.PREFIX) and data not in asked:  # a file may name itself
        asked.add(data)
        model = data.removeprefix(synthetic.PREFIX)
        recipe = weights.read_recipe(weights.read_metadata(zoo.locate(model), model), model)
        data = str(recipe.get("data", ""))
    if (animal := recipe.get("classes")) not in ANIMALS:
        raise UserError(
            f"It is not known where the eyes of {name}'s faces are; choose a model that was trained on --classes "
            f"{' or '.join(ANIMALS)}."
        )
    return load(animal)


def file_name(animal: str) -> str:
    """The file of `checkpoints/` with an animal's Gaussian."""
    return f"eyes-{animal}.safetensors"


@torch.inference_mode()
def differences(pictures: Tensor, animal: str) -> Tensor:
    """Features of the left eye minus those of the mirrored right one: uint8 (N, 3, side, side) -> (N, 176)."""
    network = projected.backbone()
    found = []
    for batch in pictures.split(BATCH):
        eyes = torch.cat([_left_eye(batch, animal), _left_eye(batch.flip(3), animal)])  # (2N, 3, 108, 114)
        maps = network(eyes)[:3]  # (2N, 24, 27, 29), (2N, 40, 14, 15), (2N, 112, 7, 8)
        left, right = torch.cat([each.mean((2, 3)) for each in maps], dim=1).chunk(2)  # (N, 176) each
        found.append(left - right)
    return torch.cat(found)


def _left_eye(pictures: Tensor, animal: str) -> Tensor:
    side = pictures.shape[-1]
    x, y = ANIMALS[animal]
    rows = slice(round(side * (y - HEIGHT / 2)), round(side * (y + HEIGHT / 2)))
    columns = slice(round(side * (x - WIDTH / 2)), round(side * (x + WIDTH / 2)))
    return interpolate(from_bytes(pictures[:, :, rows, columns]), ENLARGED, mode="bilinear", align_corners=False)
