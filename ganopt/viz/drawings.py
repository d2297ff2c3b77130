"""Drawings of panels with curves, dots, arrows, cells and pictures: as SVG for the page, as pixels for PNG files.

The SVG takes the page's colours, in light and dark mode; the pixels are those of light mode.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFont

from ganopt.viz.pens import PixelPen, SvgPen

GAP, HEAD, FOOT, SIDE = 10, 22, 18, 34  # around the panels, for a title, and for the numbers below and beside
INK, TEAL, ORANGE, VIOLET, PINK, BLUE, GREEN, RED = range(-1, 7)  # colours of marks; INK is that of the text
Points = np.ndarray  # (N, 2), in the coordinates of a panel


@dataclass(frozen=True)
class Curve:
    """A line through points; `dash` as in SVG, such as "2 3"."""

    points: Points
    colour: int = INK
    width: float = 2
    dash: str = ""


@dataclass(frozen=True)
class Dots:
    """Dots of one colour, those within the panel; the radius is in pixels."""

    points: Points
    colour: int = INK
    radius: float = 1.5


@dataclass(frozen=True)
class Arrows:
    """Arrows from each start to its end; those that are shorter than a pixel are left out."""

    starts: Points
    ends: Points
    colour: int = INK
    width: float = 1


@dataclass(frozen=True)
class Cells:
    """A grid of rectangles that fills the panel; a value from 0 to 1 (rows, columns), the first row on top, is ink."""

    values: np.ndarray
    colour: int = TEAL


@dataclass(frozen=True)
class Label:
    """A short text in the middle of a place."""

    place: tuple[float, float]
    text: str
    size: float = 12


@dataclass(frozen=True)
class Pixels:
    """A picture, uint8 (H, W, 3), that fills a box (left, right, bottom, top), by default the panel."""

    picture: np.ndarray
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Area:
    """A box (left, right, bottom, top) that can be clicked on the page, with a name for screen readers.

    It opens a `link`, the query of a page's address such as tab=generate&seeds=7, or adds its `choice` to those in the
    form, or takes it from them.
    """

    box: tuple[float, float, float, float]
    name: str
    link: str = ""
    choice: str = ""


Mark = Curve | Dots | Arrows | Cells | Label | Pixels | Area


@dataclass(frozen=True)
class Panel:
    """Marks in a box (left, right, bottom, top) of coordinates, the later ones on top.

    `shape` is the width and height in pixels. With `numbers`, the ends of both axes are written.
    """

    title: str
    box: tuple[float, float, float, float]
    marks: Sequence[Mark]
    shape: tuple[int, int] = (220, 160)
    numbers: bool = False


@dataclass(frozen=True)
class Drawing:
    """Panels of one shape in a grid. `legend` explains colours as (colour, text); the title is for screen readers."""

    title: str
    panels: Sequence[Panel]
    columns: int = 3
    legend: Sequence[tuple[int, str]] = field(default=())

    def svg(self) -> str:
        """The drawing as an SVG element."""
        pen = SvgPen()
        self._draw(pen)
        width, height = self._size()
        label = html.escape(self.title, quote=True)
        has_areas = any(isinstance(mark, Area) for panel in self.panels for mark in panel.marks)
        role = "group" if has_areas else "img"
        return f"<svg viewBox='0 0 {width} {height}' role='{role}' aria-label='{label}'>{''.join(pen.parts)}</svg>"

    def image(self, scale: int = 2) -> Image.Image:
        """The drawing as pixels on white, `scale` times as large."""
        pen = PixelPen(self._size(), scale)
        self._draw(pen)
        return pen.image()

    def _step(self) -> tuple[int, int]:
        numbers = any(panel.numbers for panel in self.panels)
        titles = any(panel.title for panel in self.panels)
        width, height = self.panels[0].shape
        return width + GAP + (SIDE if numbers else 0), height + GAP + HEAD * titles + (FOOT if numbers else 0)

    def _size(self) -> tuple[int, int]:
        (across, down), columns = self._step(), min(self.columns, len(self.panels))
        rows = math.ceil(len(self.panels) / columns)
        return columns * across + GAP, rows * down + GAP + self._legend_rows(columns * across) * HEAD

    def _legend_rows(self, width: float) -> int:
        return 1 + max((row for _, row, *_ in self._legend_entries(width)), default=-1)

    def _legend_entries(self, width: float) -> list[tuple[float, int, int, str]]:
        """For each entry of the legend: left edge, row, colour and text."""
        entries, left, row, font = [], float(GAP), 0, ImageFont.load_default(12)
        for colour, text in self.legend:
            wide = 18 + 1.1 * font.getlength(text) + 14
            if left > GAP and left + wide > width:
                left, row = GAP, row + 1
            entries.append((left, row, colour, text))
            left += wide
        return entries

    def _draw(self, pen: SvgPen | PixelPen) -> None:
        (across, down), columns = self._step(), min(self.columns, len(self.panels))
        for left, row, colour, text in self._legend_entries(columns * across):
            middle = GAP + HEAD * row + 6.0
            pen.rectangle(left, middle - 5, 10, 10, colour, 1)
            pen.text(left + 16, middle, text, 12, "start")
        top = GAP + HEAD * self._legend_rows(columns * across)
        for index, panel in enumerate(self.panels):
            x = GAP + index % columns * across + (SIDE if panel.numbers else 0)
            y = top + index // columns * down + (HEAD if any(each.title for each in self.panels) else 0)
            _draw_panel(pen, panel, x, y)


def _draw_panel(pen: SvgPen | PixelPen, panel: Panel, x: float, y: float) -> None:
    """Draw a panel whose upper left corner is at (x, y)."""
    left, right, bottom, top = panel.box
    width, height = panel.shape

    def place(points: Points) -> Points:
        scaled = (np.asarray(points, float).reshape(-1, 2) - (left, top)) / (right - left, bottom - top)
        return np.clip(scaled, -0.02, 1.02) * (width, height) + (x, y)

    pen.rectangle(x, y, width, height, INK, 0.05)
    if panel.title:
        pen.text(x, y - HEAD / 2, panel.title, 12, "start")
    if panel.numbers:
        for value, across, anchor in ((left, x, "start"), (right, x + width, "end")):
            pen.text(across, y + height + 9, f"{value:.3g}", 11, anchor)
        for value, down in ((bottom, y + height - 6), (top, y + 6)):
            pen.text(x - 4, down, f"{value:.3g}", 11, "end")
    for mark in panel.marks:
        match mark:
            case Curve():
                pen.line(place(mark.points), mark.colour, mark.width, mark.dash)
            case Dots():
                inside = (
                    (mark.points >= (min(left, right), min(bottom, top)))
                    & (mark.points <= (max(left, right), max(bottom, top)))
                ).all(1)
                pen.dots(place(mark.points[inside]), mark.colour, mark.radius)
            case Arrows():
                _draw_arrows(pen, place(mark.starts), place(mark.ends), mark)
            case Cells():
                rows, columns = mark.values.shape
                for (row, column), value in np.ndenumerate(np.clip(mark.values, 0, 1)):
                    box = (x + width * column / columns, y + height * row / rows, width / columns, height / rows)
                    if value > 0.004:
                        pen.rectangle(*box, mark.colour, float(value))
            case Label():
                [(across, down)] = place(np.array(mark.place))
                pen.text(across, down, mark.text, mark.size, "middle")
            case Pixels():
                first, last, low, high = mark.box or panel.box
                (x0, y0), (x1, y1) = place(np.array([(first, high), (last, low)]))
                pen.picture(mark.picture, x0, y0, x1 - x0, y1 - y0)
            case Area():
                first, last, low, high = mark.box
                (x0, y0), (x1, y1) = place(np.array([(first, high), (last, low)]))
                pen.area(x0, y0, x1 - x0, y1 - y0, mark.name, mark.link, mark.choice)


def _draw_arrows(pen: SvgPen | PixelPen, starts: Points, ends: Points, mark: Arrows) -> None:
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        length = math.dist(start, end)
        if length < 1:
            continue
        head = min(4.0, length / 2) * (end - start) / length
        across = np.array((-head[1], head[0])) * 0.6
        pieces += [np.stack((start, end)), np.stack((end - head + across, end, end - head - across))]
    if pieces:
        pen.lines(pieces, mark.colour, mark.width)
