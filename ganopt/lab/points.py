"""Objects as points: drawn ones in the plane, with classes, and those of a CSV file."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ganopt.errors import UserError

VOTES = {"y": 1.0, "n": -1.0, "?": 0.0}  # as in UCI's house-votes-84
MAX_ROWS = 20_000


def blobs(count: int, chance: np.random.Generator, centres: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Round clusters on a circle, points (N, 2), with two classes in turn."""
    which, angles = np.arange(count) % centres, 2 * np.pi * np.arange(centres) / centres
    middles = 0.75 * np.stack((np.cos(angles), np.sin(angles)), 1)
    return middles[which] + 0.1 * chance.standard_normal((count, 2)), which % 2


def moons(count: int, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, a class each."""
    which, angles = np.arange(count) % 2, np.pi * chance.random(count)
    x = np.where(which, 0.3 - 0.6 * np.cos(angles), 0.6 * np.cos(angles) - 0.3)
    y = np.where(which, 0.15 - 0.6 * np.sin(angles), 0.6 * np.sin(angles) - 0.15)
    return np.stack((x, y), 1) + 0.04 * chance.standard_normal((count, 2)), which


def spiral(count: int, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A spiral of one and a half turns, from the middle outwards; the class is its half."""
    place = np.sqrt(chance.random(count))
    angles = 3 * np.pi * place
    points = 0.85 * place[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)
    return points + 0.02 * chance.standard_normal((count, 2)), (place > 0.7).astype(int)


def picture(count: int, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The dark pixels of a drawn cat's head as points; the class is left or right."""
    page = Image.new("L", (128, 128), 255)
    pen = ImageDraw.Draw(page)
    pen.line(
        [(20, 70), (22, 14), (48, 34), (80, 34), (106, 14), (108, 70), (92, 102), (64, 114), (36, 102), (20, 70)], 0, 4
    )
    for x in (44, 84):
        pen.ellipse((x - 9, 54, x + 9, 72), outline=0, width=4)
        side = 1 if x > 64 else -1
        for y in (86, 94):
            pen.line([(64 + 16 * side, y), (64 + 52 * side, y + (y - 90))], 0, 2)
    pen.polygon([(58, 80), (70, 80), (64, 88)], 0)
    rows, columns = np.nonzero(np.asarray(page) < 128)
    chosen = chance.integers(len(rows), size=count)
    points = np.stack((columns[chosen], 127 - rows[chosen]), 1) + chance.random((count, 2))
    return points / 64 - 1, (columns[chosen] > 63).astype(int)


POINTS = {"blobs": blobs, "moons": moons, "spiral": spiral, "picture": picture}


def read_csv(path: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The numbers of a CSV file, standardised (N, columns), a class for each row, and the columns' names.

    Votes y, n and ? are 1, -1 and 0. A column of other texts is the class, without which all rows have the class 0.
    Raises UserError if the file cannot be read, or has no numbers.
    """
    try:
        with open(Path(path), newline="", encoding="utf-8-sig") as file:
            rows = [row for _, row in zip(range(MAX_ROWS), csv.reader(file), strict=False) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV; give a text file with a row per object.") from error
    if len({len(row) for row in rows}) != 1:
        raise UserError(f"The rows of {path} have different lengths, or there are none; give a row per object.")
    names = [f"column {index + 1}" for index in range(len(rows[0]))]
    if len(rows) > 1 and not any(_number(cell) is not None for cell in rows[0]):
        names, rows = rows[0], rows[1:]
    columns = [[_number(cell) for cell in column] for column in zip(*rows, strict=True)]
    numeric = [index for index, column in enumerate(columns) if None not in column]
    if not numeric:
        raise UserError(f"{path} has no column of numbers; give a row per object, with numbers.")
    values = np.array([columns[index] for index in numeric], float).T
    others = [index for index in range(len(columns)) if index not in numeric]
    texts = [row[others[0]] for row in rows] if others else [""] * len(rows)
    known = {text: index for index, text in enumerate(sorted(set(texts)))}
    spread = values.std(0)
    values = (values - values.mean(0)) / np.where(spread > 0, spread, 1)
    return values, np.array([known[text] for text in texts]), [names[index] for index in numeric]


def _number(text: str) -> float | None:
    text = text.strip().lower()
    try:
        return VOTES[text] if text in VOTES else float(text)
    except ValueError:
        return None
