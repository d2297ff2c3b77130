"""What a curve of FID against the pictures seen in training says: when it passed a value, and where it leads.

A point of a curve is a dict of step, images, minutes and fid; a curve is a list of them in the order of training.
"""

import math
from collections.abc import Sequence

import numpy as np

Point = dict[str, float]


def first_below(points: Sequence[Point], fid: float) -> Point | None:
    """The first point under a FID."""
    return next((point for point in points if point["fid"] < fid), None)


def at_minutes(points: Sequence[Point], minutes: float) -> Point | None:
    """The last point that took no longer than some minutes, to a second."""
    return max((point for point in points if point["minutes"] <= minutes + 1 / 60), key=_minutes, default=None)


def predict(points: Sequence[Point], floor: float, images: float) -> float | None:
    """The FID after some pictures if it goes on to near its floor by a power law, as over the later half of the points.

    None where fewer than three points are left, or they do not fall.
    """
    late = [point for point in points[len(points) // 2 :] if point["fid"] > floor]
    if len(late) < 3:
        return None
    x = [math.log(point["images"]) for point in late]
    y = [math.log(point["fid"] - floor) for point in late]
    slope, intercept = np.polyfit(x, y, 1)
    return floor + math.exp(intercept + slope * math.log(images)) if slope < 0 else None


def _minutes(point: Point) -> float:
    return point["minutes"]
