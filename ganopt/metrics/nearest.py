"""The training pictures nearest to generated ones, to check whether a model copies them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.data import image_folder
from ganopt.errors import UserError
from ganopt.metrics import features
from ganopt.metrics.features import Extractor
from ganopt.metrics.samples import KEPT, Sample

FOUND = 3  # training pictures for each generated one


@dataclass(frozen=True)
class Nearest:
    """The nearest training pictures of each generated picture, the nearest first."""

    indices: Tensor  # (N, FOUND) into the training pictures
    distances: Tensor  # (N, FOUND), Euclidean, between Inception features
    typical: float | None  # the median of that distance for held-out photographs, if there are any
    drawn: str  # how many of the training pictures were compared, unless all were


def nearest(pictures: Tensor, training: Tensor, held_out: Sample | None, extractor: Extractor) -> Nearest:
    """Compare pictures, uint8 (N, 3, side, side), with the training pictures: at most 5,000, evenly drawn.

    Raises UserError if there are fewer than three training pictures.
    """
    if len(training) < FOUND:
        raise UserError(f"{len(training)} training pictures are too few; at least {FOUND} are needed.")
    chosen = torch.tensor(image_folder.drawn(len(training), KEPT, 0))
    known = features.finish(features.of_pictures("training", training[chosen], extractor)).rows
    rows = features.rows_of(pictures, extractor)
    distances, indices = torch.cdist(rows, known).topk(FOUND, largest=False)
    typical = None
    if held_out is not None and len(held_out.rows):
        typical = float(torch.cdist(held_out.rows, known).amin(dim=1).median())
    return Nearest(chosen[indices], distances, typical, features.choice(len(chosen), len(training), 0))
