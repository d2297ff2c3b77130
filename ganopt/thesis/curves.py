"""Curves of FID during training: when they fall below a value, and extrapolation.

A curve is a list of points in the order of training; a point is a dict of step, images, minutes and fid.
"""

import math
from collections.abc import Sequence

import numpy as np

Point = dict[str, float]


def first_below(points: Sequence[Point], fid: float) -> Point | None:
    """The first point below a FID."""
    return next((point for point in points if point["fid"] < fid), None)


def at_minutes(points: Sequence[Point], minutes: float) -> Point | None:
    """The last point within some minutes of training, to a second."""
    return max((point for point in points if point["minutes"] <= minutes + 1 / 60), key=_minutes, default=None)


def predict(points: Sequence[Point], floor: float, images: float) -> float | None:
    """The FID after some pictures, by a power law above the floor that is fitted to the second half of the points.

    None if that half has fewer than three points above the floor, or FID does not fall in it.
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
