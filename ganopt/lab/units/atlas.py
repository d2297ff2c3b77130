"""Faces as objects that units compete for, and an atlas of them: for each unit the face that is nearest to it."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganopt.lab.contract import Frame
from ganopt.lab.encoders.objects import CHUNK, FACES, FIRST_SEED, drawn
from ganopt.viz.drawings import Area, Drawing, Mark, Panel, Pixels

SHOWN, COMPARED = 32, 16  # pixels at the side of a face in the atlas, and when faces are compared
MAX_WIDE = 640  # pixels of the atlas, unless its faces would be smaller than SMALLEST
LARGEST, SMALLEST, FEW = 48, 20, 12  # pixels of a face on the page; most columns of faces in full
EVERY = 4  # chunks of faces in a frame


@dataclass(frozen=True)
class Faces:
    """Faces by name of the data: pictures uint8 (N, 3, SHOWN, SHOWN), and who has drawn each of them from what seed."""

    data: str
    pictures: Tensor

    @property
    def labels(self) -> np.ndarray:
        """The number of the model that has drawn each face, (N,)."""
        return np.arange(len(self.pictures)) // CHUNK % len(FACES[self.data])

    @property
    def objects(self) -> np.ndarray:
        """The faces as vectors, (N, 3 COMPARED COMPARED), centred, of length 1 in the mean of squares."""
        small = avg_pool2d(self.pictures.float(), SHOWN // COMPARED).flatten(1).double().numpy()
        small = small - small.mean(0)
        return small / (math.sqrt((small**2).sum(1).mean()) or 1)

    def address(self, index: int) -> dict[str, object]:
        """The model and the seed of a face."""
        return {"model": FACES[self.data][self.labels[index]], "seeds": FIRST_SEED + index}


def gather_faces(data: str, count: int) -> Generator[Frame | None, None, Faces]:
    """Faces of one or two models; yields frames with those that are drawn so far, and None in between."""
    models, parts = FACES[data], list[Tensor]()
    for start in range(0, count, CHUNK):
        parts.append(drawn(models[start // CHUNK % len(models)], FIRST_SEED + start, SHOWN))
        faces = Faces(data, torch.cat(parts)[:count])
        if len(parts) % EVERY == 1:
            shown = atlas(faces, np.arange(min(len(faces.pictures), FEW**2)), FEW)
            yield Frame(f"{len(faces.pictures):,} of {count:,} faces are drawn.", 0.0, pictures={"Atlas": shown})
        yield None
    return faces


def atlas(faces: Faces, nearest: np.ndarray, columns: int) -> Drawing:
    """The faces of these numbers in rows; each opens in Generate."""
    rows, chosen = -(-len(nearest) // columns), faces.pictures[torch.from_numpy(nearest)]
    chosen = chosen if columns <= FEW else avg_pool2d(chosen.float(), 2).round().to(torch.uint8)
    side = chosen.shape[-1]
    sheet = np.full((rows * side, columns * side, 3), 255, np.uint8)
    marks: list[Mark] = [Pixels(sheet)]
    for place, (index, face) in enumerate(zip(nearest.tolist(), chosen.permute(0, 2, 3, 1).numpy(), strict=True)):
        row, column = divmod(place, columns)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = face
        address = faces.address(index)
        link = urlencode({"tab": "generate"} | address)
        marks.append(Area((column, column + 1, row + 1, row), f"seed {address['seeds']} of {address['model']}", link))
    size = min(max(MAX_WIDE // columns, SMALLEST), LARGEST)
    return Drawing("Faces", [Panel("", (0, columns, rows, 0), marks, (size * columns, size * rows))], 1)
