"""Points between seeds, and latents that are no seed's, as short texts for links, such as `x6.25y0.5`.

* `x6.25y0.5` is a point of the map of seeds, where whole coordinates are the seeds x + 100 y;
* `z` and 267 letters are a latent itself: its 100 numbers as float16 in base64url;
* `z...x0.25y0` is a point of a map that has this latent in the place of seed 0.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models.networks import LATENT_SIZE

BEGINNINGS = ("x-", *(f"x{digit}" for digit in range(10)), "z")  # of the text of a point
LETTERS = -(-16 * LATENT_SIZE // 6)  # of base64url for a latent
LARGEST = 8.0  # of the numbers of a latent; a standard normal one exceeds it once in 10^15
DIGITS = 4  # after the point, of coordinates
NUMBER = r"-?[0-9]{1,8}(?:\.[0-9]{1,4})?"
PLACE = re.compile(f"x({NUMBER})y({NUMBER})")


@dataclass(frozen=True)
class Point:
    """A point of an endless map of faces; `origin` is the text of the latent at (0, 0), "" on the map of seeds."""

    x: float = 0.0
    y: float = 0.0
    origin: str = ""

    def moved(self, right: float, down: float) -> "Point":
        """The point that is so far away, in seeds."""
        return Point(round(self.x + right, DIGITS), round(self.y + down, DIGITS), self.origin)

    def __str__(self) -> str:
        place = f"x{_number(self.x)}y{_number(self.y)}"
        return self.origin if self.origin and place == "x0y0" else self.origin + place

    @property
    def label(self) -> str:
        """A name to show: `x6.25y0.5`, `found 1a2b` or `found 1a2b x0.25y0`."""
        if not self.origin:
            return str(self)
        return f"found {hashlib.sha256(self.origin.encode()).hexdigest()[:4]} {str(self)[len(self.origin) :]}".strip()


def parse_point(text: str) -> Point:
    """The inverse of `str`. Raises UserError for any other text."""
    origin, place = (text[: LETTERS + 1], text[LETTERS + 1 :]) if text[:1] == "z" else ("", text)
    if origin:
        decode_latent(origin)
    found = PLACE.fullmatch(place)
    if not found and (place or not origin):
        raise UserError(f"'{place[:40]}' is not a point of the map; write one as in x6.25y0.5.")
    return Point(float(found[1]), float(found[2]), origin) if found else Point(origin=origin)


def encode_latent(z: Tensor) -> str:
    """The text of a latent (100, 1, 1), `z` and 267 letters; the numbers are rounded to float16."""
    values = z.detach().cpu().flatten().clamp(-LARGEST, LARGEST).numpy().astype("<f2")
    return "z" + base64.urlsafe_b64encode(values.tobytes()).decode().rstrip("=")


def decode_latent(text: str) -> Tensor:
    """The latent (100, 1, 1) of such a text, float32. Raises UserError for any other text."""
    letters = text[1:]
    if len(letters) != LETTERS or not re.fullmatch("[A-Za-z0-9_-]+", letters):
        raise UserError(f"A face that begins with z has {LETTERS} letters after it, not these; copy the whole link.")
    values = np.frombuffer(base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4)), "<f2").astype(np.float32)
    if not (np.abs(values) <= LARGEST).all():
        raise UserError("A face that begins with z has numbers that no latent has; copy the whole link.")
    return torch.from_numpy(values.copy()).reshape(LATENT_SIZE, 1, 1)


def _number(value: float) -> str:
    return f"{round(value, DIGITS) + 0.0:.{DIGITS}f}".rstrip("0").rstrip(".")
