"""Drawings of competing units: with the objects in the plane, and two readings of a map."""

from collections.abc import Sequence

import numpy as np

from ganopt.lab.units.competition import squared_distances
from ganopt.viz.drawings import BLUE, INK, ORANGE, Cells, Curve, Dots, Drawing, Mark, Panel

NEAREST = 5  # objects whose mean distance colours a node
WIDTH = 480  # pixels


def in_the_plane(
    objects: np.ndarray, units: np.ndarray, colours: np.ndarray, side: int = 0, classes: np.ndarray | None = None
) -> Drawing:
    """Objects in their first two columns, coloured (N,), with the units: as a net of a side, or with classes (K,)."""
    plane, units = (values[:, [0, min(1, values.shape[1] - 1)]] for values in (objects, units))
    low, high = plane.min(0), plane.max(0)
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    height = float(np.clip(WIDTH * (high - low)[1] / (high - low)[0], 200, WIDTH))
    marks: list[Mark] = [Dots(plane[colours == kind], int(kind) % 7, 1.8) for kind in np.unique(colours)]
    if side:
        net = units.reshape(side, side, 2)
        marks += [Curve(line, INK, 1) for line in (*net, *net.transpose(1, 0, 2))]
        marks.append(Dots(units, INK, 2.5))
    elif classes is not None:
        marks += [Dots(units, INK, 7)]
        marks += [Dots(units[classes == kind], int(kind) % 7, 5) for kind in np.unique(classes)]
    else:
        marks += [Dots(units, INK, 6)]
    box = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    return Drawing("Objects and units", [Panel("", box, marks, (WIDTH, round(height)))], 1)


def readings(objects: np.ndarray, units: np.ndarray, names: Sequence[str], side: int) -> Drawing:
    """Two readings of a map: how near the objects are to each node, and a map of each feature with a name."""
    near = np.sort(np.sqrt(squared_distances(units, objects)), 1)[:, :NEAREST].mean(1)
    maps = [("distance to the nearest objects", near, ORANGE)]
    maps += [(name[:24], units[:, index], BLUE) for index, name in enumerate(names[:8])]
    panels = []
    for title, values, colour in maps:
        scaled = (values - values.min()) / (np.ptp(values) or 1)
        panels.append(Panel(title, (0, side, 0, side), [Cells(0.9 * scaled.reshape(side, side), colour)], (200, 200)))
    return Drawing("Maps of distance and features", panels, 3)
