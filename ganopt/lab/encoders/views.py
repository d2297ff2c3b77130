"""Drawings of autoencoders: networks, rows of pictures, and points in the plane of the strongest components."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ganopt.lab.encoders import pca
from ganopt.lab.encoders.objects import Objects
from ganopt.viz.drawings import BLUE, INK, ORANGE, Arrows, Curve, Dots, Drawing, Label, Mark, Panel, Pixels

ACROSS, DOTS = 6, 150  # pictures in a row, and most dots


def funnel(sizes: Sequence[int]) -> Drawing:
    """Encoder and decoder, from the sizes of the encoder's layers; a layer's height is the logarithm of its size."""
    layers = (*sizes, *sizes[-2::-1])
    heights, positions = np.log10(np.add(layers, 1)), np.arange(len(layers))
    outline = np.concatenate((np.stack((positions, heights), 1), np.stack((positions, -heights), 1)[::-1]))
    bars = [Curve(np.array([(x, -y), (x, y)]), BLUE, 5) for x, y in zip(positions, heights, strict=True)]
    low = -float(heights.max()) - 0.4
    words = [Label((float(x), low), f"{size:,}") for x, size in zip(positions, layers, strict=True)]
    box = (-0.6, len(layers) - 0.4, low - 0.4, -low)
    panel = Panel("encoder, code, decoder", box, [Curve(outline, INK, 1), *bars, *words], (420, 200))
    return Drawing("Layers of the networks", [panel], 1)


def rows(objects: Objects, shown: Mapping[str, Tensor]) -> Drawing:
    """Objects, six or fewer a row: pictures in rows, or vectors as dots that arrows lead from the first ones to."""
    if not objects.side:
        return _arrows(objects, shown)
    panels = []
    for title, x in shown.items():
        strip = torch.cat(list(objects.pictures(x[:ACROSS])), 2).permute(1, 2, 0).contiguous().numpy()
        panels.append(Panel(title, (0, 1, 0, 1), [Pixels(strip)], (76 * ACROSS, 76)))
    return Drawing(", ".join(shown), panels, 1)


def _arrows(objects: Objects, shown: Mapping[str, Tensor]) -> Drawing:
    axes = pca.components(objects.x, 2)
    (_, first), *others = shown.items()
    start = (first[:DOTS] @ axes.T).numpy()
    reach = float(np.abs(start).max()) * 1.1
    panels = []
    for title, x in others:
        end = (x[:DOTS] @ axes.T).numpy()
        marks: list[Mark] = [Arrows(start, end, INK, 0.7), Dots(start, BLUE, 1.8), Dots(end, ORANGE, 1.8)]
        panels.append(Panel(title, (-reach, reach, -reach, reach), marks, (240, 200)))
    return Drawing("Objects and reconstructions", panels, 2, [(BLUE, "objects"), (ORANGE, "reconstructions")])


def codes(shown: Mapping[str, Tensor], labels: Tensor) -> Drawing:
    """Codes in the plane of their two strongest components, coloured by class."""
    panels = []
    for title, values in shown.items():
        values = values - values.mean(0)
        plane = (values @ pca.components(values, 2).T).numpy()
        if plane.shape[1] == 1:
            plane = np.stack((plane[:, 0], np.zeros(len(plane))), 1)
        (left, low), (right, high) = plane.min(0) - 1e-3, plane.max(0) + 1e-3
        marks = [Dots(plane[labels == kind], int(kind) % 7, 2.2) for kind in labels.unique()]
        panels.append(Panel(title, (float(left), float(right), float(low), float(high)), marks, (240, 200)))
    return Drawing("Codes by class", panels, 2)
