"""A square part of a picture, chosen by hand. Torch is not imported, to start fast."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganopt.errors import UserError

MAX_ZOOM = 6.0


@dataclass(frozen=True)
class Crop:
    """A square: at zoom 1 the largest one. Raises UserError for a value out of bounds.

    `x` and `y`, in %, say where it is in the room that it has: 0 is the left or upper edge, 50 the centre.
    """

    x: float = 50.0
    y: float = 50.0
    zoom: float = 1.0

    def __post_init__(self) -> None:
        for name, low, high in (("x", 0, 100), ("y", 0, 100), ("zoom", 1, MAX_ZOOM)):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not low <= value <= high:
                raise UserError(f"The {name} of the crop must be a number from {low} to {high:g}; move its slider.")

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The square in a picture of this size: (left, top, right, bottom), in pixels."""
        side = min(width, height) / self.zoom
        left, top = self.x / 100 * (width - side), self.y / 100 * (height - side)
        return left, top, min(left + side, width), min(top + side, height)


Upload = Path | tuple[Path, Crop]  # an uploaded file, or a picture with the part of it to take


def listed(uploads: Sequence[Upload]) -> list[list]:
    """Uploads as plain values for JSON: [path] or [path, x, y, zoom]."""
    return [[str(each[0]), *astuple(each[1])] if isinstance(each, tuple) else [str(each)] for each in uploads]


def cropped(picture: np.ndarray, crop: Crop, side: int) -> np.ndarray:
    """A part of a picture, uint8 (3, H, W) -> (3, side, side)."""
    image = Image.fromarray(picture.transpose(1, 2, 0))
    resized = image.resize((side, side), Image.Resampling.LANCZOS, box=crop.box(*image.size))
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))
