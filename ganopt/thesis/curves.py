"""Curves of FID during training: when they fall below a value, extrapolation, and recipes compared by them.

A curve is a list of points in the order of training; a point is a dict of step, images, minutes and fid.
"""

import math
from collections.abc import Sequence

import numpy as np

from ganopt.thesis.results import Records

Point = dict[str, float]
RACE = {  # runs from scratch, with their critics
    "race-ours": "pixels and features",
    "race-plain": "pixels",
    "race-features": "features",
    "race-thesis": "pixels, the thesis's recipe",
}
MINUTES = (2, 4, 8, 16, 30, 60)


def first_below(points: Sequence[Point], fid: float) -> Point | None:
    """The first point below a FID."""
    return next((point for point in points if point["fid"] < fid), None)


def at_minutes(points: Sequence[Point], minutes: float) -> Point | None:
    """The last point within some minutes of training, to a second."""
    reached = (point for point in points if point["minutes"] <= minutes + 1 / 60)
    return max(reached, key=lambda point: point["minutes"], default=None)


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


def race_curves(records: Records) -> dict[str, list[tuple[float, float]]]:
    """FID against minutes for each recipe from scratch, by its critics."""
    known = {critics: records[key] for name, critics in RACE.items() if (key := ("curve", name)) in records}
    return {critics: [(each["minutes"], each["fid"]) for each in record["points"]] for critics, record in known.items()}


def race_rows(records: Records) -> list[list[str]]:
    """FID of the recipes from scratch after the same minutes, and the last recall."""
    rows = []
    for name, recipe in RACE.items():
        if points := records.get(("curve", name), {}).get("points", []):
            last = points[-1]
            network = records.get(("cost", name), {}).get("generator", "")
            reached = [minutes <= last["minutes"] + 1 and at_minutes(points, minutes) for minutes in MINUTES]
            fids = [f"{point['fid']:.2f}" if point else "" for point in reached]
            recall = f"{last['recall']:.2f}" if "recall" in last else ""
            rows.append([name, recipe, network, *fids, recall])
    return rows
