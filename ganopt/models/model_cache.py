"""Drawing faces by model name and seed, with the last models kept in memory."""

import functools
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.models import zoo
from ganopt.models.latents import Face, Point, interpolate, latents
from ganopt.models.networks import Generator
from ganopt.models.sampling import draw, inference_copy

MAP_CELLS = 5  # columns and rows of the visible part of the map


@dataclass(frozen=True)
class Faces:
    """Pictures, uint8 (N, 3, side, side), and the seconds it took to draw them."""

    pictures: Tensor
    seconds: float


def generator(model: str, device: torch.device) -> Generator:
    """A model of the catalogue, a run or the Hub, ready on a device; the last few are kept in memory."""
    saved = zoo.locate(model, local=False).stat().st_mtime_ns if model.startswith(zoo.RUN) else 0
    return _generator(model, device, saved)


@functools.lru_cache(maxsize=6)  # more than can be compared at once
def _generator(model: str, device: torch.device, saved: int) -> Generator:
    """`saved` is part of the cache's key: it changes when a run saves again."""
    return inference_copy(zoo.load(model, local=False), device)


def faces(model: str, device: torch.device, seeds: list[Face], scale: float) -> Faces:
    """The faces of seeds or points, with latents multiplied by `scale`."""
    return _draw(model, device, latents(seeds) * scale)


def walk(model: str, device: torch.device, first: Face, last: Face, frames: int, scale: float) -> Faces:
    """The faces of a walk from one seed or point to another, both ends included."""
    return _draw(model, device, interpolate(first, last, frames) * scale)


def face_map(model: str, device: torch.device, centre: Point, spacing: float, scale: float) -> Faces:
    """The MAP_CELLS x MAP_CELLS faces around a point of the map, row by row."""
    return _draw(model, device, latents(map_points(centre, spacing)) * scale)


def map_points(centre: Point, spacing: float) -> list[Point]:
    """The points of the map's cells, row by row; the middle one is the centre."""
    offsets = [spacing * (index - MAP_CELLS // 2) for index in range(MAP_CELLS)]
    return [centre.moved(right, down) for down in offsets for right in offsets]


def _draw(model: str, device: torch.device, z: Tensor) -> Faces:
    network = generator(model, device)
    start = time.perf_counter()
    return Faces(draw(network, z), time.perf_counter() - start)
