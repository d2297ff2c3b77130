"""Seeds, latents and walks between them. Latents are drawn on the CPU: a seed is the same face on every machine."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models.latents.points import BEGINNINGS, Point, decode_latent, parse_point
from ganopt.models.networks import LATENT_SIZE

Face = int | Point  # a seed or another point of a map

FIXED_SEEDS = tuple(range(6))  # the six latents of a run's previews
MAX_SEED = 2**32 - 1
DASH = r"\s*[-\u2010-\u2015\u2212]\s*(?=\d)"  # in a range, also as a text editor writes it


def latent(face: Face) -> Tensor:
    """The latent of a seed or a point: (100, 1, 1), float32. That of a seed is standard normal."""
    if isinstance(face, Point):
        return map_latent(face.x, face.y, decode_latent(face.origin) if face.origin else None)
    draw = np.random.RandomState(face).standard_normal(LATENT_SIZE)
    return torch.from_numpy(draw.astype(np.float32)).reshape(LATENT_SIZE, 1, 1)


def latents(faces: Sequence[Face]) -> Tensor:
    """The latents of many seeds or points: (N, 100, 1, 1), float32."""
    return torch.stack([latent(face) for face in faces])


def parse_seeds(text: str, limit: int) -> list[int]:
    """Parse a list of seeds such as `0-8, 42, 100-103`, each once, in the order written, at most `limit` of them.

    Raises UserError for any other text.
    """
    return _parse(text, limit, _seeds)


def parse_faces(text: str, limit: int) -> list[Face]:
    """Parse a list like that of `parse_seeds`, which may also contain points, as in `0-8, x6.25y0.5`.

    Raises UserError for any other text.
    """
    return _parse(text, limit, _faces)


def say_repeats(text: str, faces: Sequence[Face]) -> str:
    """A sentence, with a space before it, if some of the faces in a text are written more than once; else ""."""
    written = sum(len(_faces(part)) for part in _parts(text))
    return " Repeated seeds are drawn once." if written > len(faces) else ""


def _parts(text: str) -> Iterator[str]:
    return filter(None, re.split(r"[,;\s]+", re.sub(DASH, "-", text.strip())))


def _parse(text: str, limit: int, parse: Callable[[str], Sequence[Any]]) -> list[Any]:
    faces: dict[Any, None] = {}
    for found in map(parse, _parts(text)):
        if len(found) <= limit:
            faces.update(dict.fromkeys(found))
        if max(len(found), len(faces)) > limit:
            raise UserError(f"These are more than {limit} seeds; use fewer at a time.")
    if not faces:
        raise UserError("There are no seeds; write some, as in 0-8, 42.")
    return [*faces]


def _faces(part: str) -> Sequence[Face]:
    return [parse_point(part)] if part.startswith(BEGINNINGS) else _seeds(part)


def _seeds(part: str) -> range:
    match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
    if not match:
        raise UserError(f"'{part[:40]}' is not a seed; write whole numbers from 0 and ranges, as in 0-8, 42.")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise UserError(f"The range {part} runs backwards; write {last}-{first}.")
    if last > MAX_SEED:
        raise UserError(f"The seed {last} is too large; use at most {MAX_SEED}.")
    return range(first, last + 1)


def format_seeds(faces: Sequence[Face]) -> str:
    """The shortest text for these seeds and points, the inverse of `parse_faces`."""
    runs: list[list[Face]] = []
    for face in faces:
        last = runs[-1][1] if runs else None
        if isinstance(face, int) and isinstance(last, int) and face == last + 1:
            runs[-1][1] = face
        else:
            runs.append([face, face])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def face_at(point: Point) -> Face:
    """The seed at a point of the map of seeds, or the point itself if no seed is there."""
    is_seed = not point.origin and float(point.x).is_integer() and float(point.y).is_integer()
    return int(point.x + 100 * point.y) % (MAX_SEED + 1) if is_seed else point


def label(face: Face) -> str:
    """The caption of a face, such as `seed 6`."""
    return face.label if isinstance(face, Point) else f"seed {face}"


def file_stem(face: Face) -> str:
    """The name of a face's file without its suffix, such as `seed-0006`."""
    return face.label.replace(" ", "-") if isinstance(face, Point) else f"seed-{face:04}"


def point_of(face: Face) -> Point:
    """Where a seed is on the map of seeds; any other point is itself."""
    return face if isinstance(face, Point) else Point(*map_position(face))


def slerp(start: Tensor, end: Tensor, t: float) -> Tensor:
    """Spherical interpolation between two latents of the same shape, t in [0, 1] (Shoemake 1985).

    Direction and length are interpolated separately; t = 0 and t = 1 return the ends exactly.
    """
    if t in (0.0, 1.0):
        return (end if t else start).clone()
    length_start, length_end = start.norm(), end.norm()
    a, b = start / length_start, end / length_end
    angle = torch.arccos((a * b).sum().clamp(-1.0, 1.0))
    length = torch.lerp(length_start, length_end, t)
    if angle.sin() < 1e-4:  # parallel: the straight line is the arc
        return torch.lerp(start, end, t)
    return length * (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / angle.sin()


def interpolate(first: Face, last: Face, frames: int) -> Tensor:
    """Latents (frames, 100, 1, 1) from one seed or point to another, both ends included."""
    start, end = latent(first), latent(last)
    return torch.stack([slerp(start, end, i / max(frames - 1, 1)) for i in range(frames)])


def map_latent(x: float, y: float, origin: Tensor | None = None) -> Tensor:
    """The latent at a point of the endless map of faces: (100, 1, 1). `origin` takes the place of that of seed 0.

    Points with whole coordinates are seeds, `x + 100 y`, as in StyleGAN3's visualiser (Karras et al. 2021). Between
    them, the latent is a bilinear mean divided by the norm of its weights, which keeps it standard normal.
    """
    left, top = math.floor(x), math.floor(y)
    mix, squares = torch.zeros(LATENT_SIZE, 1, 1), 0.0
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (1 - abs(x - left - column)) * (1 - abs(y - top - row))
        if weight > 0:
            x_cell, y_cell = left + column, top + row
            is_seed = origin is None or (x_cell, y_cell) != (0, 0)
            mix += weight * (latent((x_cell + 100 * y_cell) % (MAX_SEED + 1)) if is_seed else origin)  # type: ignore[operator]
            squares += weight**2
    return mix / math.sqrt(squares)


def map_position(seed: int) -> tuple[int, int]:
    """The position of a seed on the map, x from 0 to 99: the inverse of `map_latent` at whole coordinates."""
    return seed % 100, seed // 100
