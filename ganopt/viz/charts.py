"""Charts as SVG, in the colour of the surrounding text, for light and dark themes."""

import functools
import html
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 448, 32, 258  # edges of the plotting area
SIZE, LINE, LETTER = 13, 14, 6.7  # font size, line height, mean width of a letter
COLOURS = 8  # colours of curves, defined in the page's style sheet; later curves repeat them with another dash pattern
DASHES = ("", "7 3", "2 2", "8 3 2 3")
SAMPLE = 22  # width of the piece of curve before its name in the legend


@dataclass(frozen=True)
class Point:
    """A model: its size as float16 in MB and its FID."""

    name: str
    size: float
    fid: float


@dataclass(frozen=True)
class Plot:
    """Models with comparable FIDs, and their floor."""

    title: str
    points: tuple[Point, ...]
    floor: float | None = None


def pareto(points: Sequence[Point]) -> list[Point]:
    """The Pareto front of size and FID, the smallest first: points that no other one beats in both."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.size, point.fid)):
        if not front or point.fid < front[-1].fid:
            front.append(point)
    return front


def scatter(plot: Plot) -> str:
    """FID against size (logarithmic), with the Pareto front as a step line and the floor as a dashed line."""
    sizes = [point.size for point in plot.points]
    # a range by a factor of 2.56 contains at least one of 1, 2, 5, 10, ...
    least, most = math.log10(min(sizes) / 1.6), math.log10(max(sizes) * 1.6)
    rows = _rows([point.fid for point in plot.points] + ([] if plot.floor is None else [plot.floor]))

    def x(size: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(size) - least) / (most - least)

    y = functools.partial(_height, rows)
    ticks = [m * 10.0**e for e in range(-3, 5) for m in (1, 2, 5)]
    columns = {f"{size:g}": x(size) for size in ticks if least < math.log10(size) < most}
    title = html.escape(plot.title)
    parts = [_text(LEFT, 16, plot.title, "start"), *_axes("size as float16, MB", columns, rows)]
    if plot.floor is not None:
        parts.append(_line(f"M{LEFT},{y(plot.floor):.1f}H{RIGHT}", "stroke-dasharray='4 4' opacity='.6'"))
        parts.append(_text(RIGHT, y(plot.floor) - 5, f"real against real {plot.floor:.2f}", "end"))
    first, *others = front = pareto(plot.points)
    stairs = f"M{x(first.size):.1f},{y(first.fid):.1f}" + "".join(
        f"H{x(point.size):.1f}V{y(point.fid):.1f}" for point in others
    )
    parts.append(_line(f"{stairs}H{RIGHT}", "class='front' stroke-width='2'"))
    positions = [(x(point.size), y(point.fid), point.name) for point in plot.points]
    parts += [f"<circle cx='{across:.1f}' cy='{down:.1f}' r='4' fill='currentColor'/>" for across, down, _ in positions]
    ends = [*(x(point.size) for point in others), RIGHT]
    steps = [(x(point.size), end, y(point.fid) - 1, y(point.fid) + 1) for point, end in zip(front, ends, strict=True)]
    parts += _labels(positions, steps)
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{title}'>{''.join(parts)}</svg>"


def lines(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], axis: str) -> str:
    """Curves by name, each a list of (x, y) from left to right, on an axis from 0. At least one must have a point."""
    points = [point for curve in curves.values() for point in curve]
    rows = _rows([value for _, value in points], 1e-3)
    columns = _rows([0, max(place for place, _ in points)], 1e-3)[:-1]
    end = max(place for place, _ in points) or 1

    def x(place: float) -> float:
        return LEFT + (RIGHT - LEFT) * place / end

    parts = _axes(axis, {_short(place): x(place) for place in columns}, rows)
    for index, curve in enumerate(curves.values()):
        path = "L".join(f"{x(place):.1f},{_height(rows, value):.1f}" for place, value in curve)
        parts.append(_line(f"M{path}" if path else "", _look(index)))
    legend, rows_height = _legend(title, [*curves]) if len(curves) > 1 else ("", 0)
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT + rows_height}' role='img' aria-label='{html.escape(title)}'>"
        f"{_text(LEFT, 16, title, 'start')}{legend}<g transform='translate(0 {rows_height})'>{''.join(parts)}</g></svg>"
    )


def _axes(axis: str, columns: Mapping[str, float], rows: list[float]) -> list[str]:
    """The name of the horizontal axis, a line and a label for each row, and the labels of columns at their places."""
    heights = {f"{value:g}": _height(rows, value) for value in rows}
    parts = [_text((LEFT + RIGHT) / 2, HEIGHT - 8, axis)]
    parts += [_line(f"M{LEFT},{height:.1f}H{RIGHT}", "opacity='.15'") for height in heights.values()]
    parts += [_text(LEFT - 6, height + 4, label, "end") for label, height in heights.items()]
    return parts + [_text(place, BOTTOM + 16, label) for label, place in columns.items()]


def _height(rows: list[float], value: float) -> float:
    """Where a value is drawn, if the first and the last of the rows are the edges."""
    return BOTTOM - (BOTTOM - TOP) * (value - rows[0]) / (rows[-1] - rows[0])


def _look(index: int) -> str:
    """How a curve is drawn: no two of the first 32 alike, and neighbours never in the same dash."""
    dash = DASHES[(index + index // COLOURS) % len(DASHES)]
    return f"class='curve{index % COLOURS}' stroke-width='2' stroke-dasharray='{dash or 'none'}'"


def _legend(title: str, names: Sequence[str]) -> tuple[str, int]:
    """The curves' names, each after a piece of its curve, and the height of their rows.

    They stand beside the title, or in rows below it where that is too short.
    """
    widths = [SAMPLE + LETTER * (len(name) + 2) for name in names]
    across, down = RIGHT + LETTER - sum(widths), 16
    if across < LEFT + LETTER * (len(title) + 1):
        across, down = LEFT, 16 + LINE + 2
    parts = []
    for index, (name, width) in enumerate(zip(names, widths, strict=True)):
        if across > LEFT and across + width > WIDTH + LETTER:  # the space after the name may be left out
            across, down = LEFT, down + LINE + 2
        sample = f"x1='{across:.1f}' x2='{across + SAMPLE - 5:.1f}' y1='{down - 4}' y2='{down - 4}'"
        parts.append(f"<line {sample} stroke='currentColor' {_look(index)}/>")
        parts.append(_text(across + SAMPLE, down, name, "start", f"class='curve{index % COLOURS}'"))
        across += width
    return "".join(parts), down - 16


def _short(value: float) -> str:
    """A count on an axis: 25k for 25000."""
    return f"{value / 1000:.15g}k" if value >= 1000 else f"{value:g}"


def _rows(values: list[float], narrowest: float = 1) -> list[float]:
    """Evenly spaced round values from below the minimum to above the maximum."""
    least, most = min(values), max(values)
    rough = max(most - least, narrowest) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [step * index for index in range(math.floor(least / step), math.floor(most / step) + 2)]


def _labels(positions: list[tuple[float, float, str]], lines: Sequence[tuple[float, ...]]) -> list[str]:
    """The names beside their points, placed so that they cover no point, line or other name if possible.

    Lines are given as boxes (left, right, top, bottom).
    """
    taken = [*lines, *((across - 4, across + 4, down - 4, down + 4) for across, down, _ in positions)]
    # (0 right or 1 left of the point, half lines below the best height); the left counts as much as three half lines
    ways = sorted(itertools.product((0, 1), range(-18, 19)), key=lambda way: 3 * way[0] + abs(way[1]))
    texts = []
    for across, down, name in sorted(positions, key=lambda place: place[1]):
        width = LETTER * len(name)
        sides, best = (across + 6, across - 6 - width), down - SIZE - 4
        corners = [(sides[side], best + LINE / 2 * halves) for side, halves in ways]
        boxes = [(left, left + width, top, top + SIZE - 2) for left, top in corners]
        free = (box for box in boxes if _inside(box) and not any(_overlap(box, other) for other in taken))
        box = next(free, boxes[0])
        taken.append(box)
        texts.append(_text(box[0], box[3], name, "start"))
    return texts


def _inside(box: tuple[float, ...]) -> bool:
    return box[0] >= LEFT and box[1] <= WIDTH and box[2] >= TOP and box[3] <= BOTTOM


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two boxes (left, right, top, bottom) overlap."""
    return first[0] < second[1] and second[0] < first[1] and first[2] < second[3] and second[2] < first[3]


def _text(x: float, y: float, text: str, anchor: str = "middle", look: str = "") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{SIZE}' fill='currentColor' {look}>"
        f"{html.escape(text)}</text>"
    )


def _line(path: str, look: str) -> str:
    return f"<path d='{path}' fill='none' stroke='currentColor' {look}/>"
