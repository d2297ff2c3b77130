"""A frame as plain values for JSON and the page, as CSV, and as files."""

import csv
import dataclasses
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganopt.files import atomic_write, to_json, write_text
from ganopt.lab.contract import Config, Curves, Experiment, Frame

HEADS = ["chart", "curve", "x", "y"]


def plain(frame: Frame) -> dict[str, Any]:
    """What of a frame is shown, as plain values: pictures are SVG, figures have their right answers as text."""
    return {
        "said": frame.said,
        "figures": [[name, f"{each.measured:.4g}", each.right, each.is_right] for name, each in frame.figures.items()],
        "axis": frame.axis,
        "series": {title: {name: list(curve) for name, curve in each.items()} for title, each in frame.series.items()},
        "pictures": {title: drawing.svg() for title, drawing in frame.pictures.items()},
    }


def series_csv(series: Mapping[str, Curves]) -> str:
    """The curves as CSV, one point a row."""
    return _csv(
        HEADS, [[title, name, *point] for title, each in series.items() for name in each for point in each[name]]
    )


def figures_csv(frame: Frame) -> str:
    """The figures as CSV, with their right answers."""
    rows = [[name, each.measured, each.right, each.is_right] for name, each in frame.figures.items()]
    return _csv(["figure", "measured", "right", "is right"], rows)


def describe(experiment: Experiment, config: Config) -> dict[str, Any]:
    """An experiment with its settings as plain values for JSON."""
    return {"experiment": experiment.name} | dataclasses.asdict(config)


def save(frame: Frame, experiment: Experiment, config: Config, folder: Path) -> list[Path]:
    """Write a frame into a folder: its pictures, series.csv, figures.csv and config.json. Returns their paths.

    Raises UserError if the folder cannot be written.
    """
    texts = {"config.json": to_json(describe(experiment, config), indent=1) + "\n", "figures.csv": figures_csv(frame)}
    texts |= {"series.csv": series_csv(frame.series)} if frame.series else {}
    for name, text in texts.items():
        write_text(folder / name, text)
    for title, drawing in frame.pictures.items():
        with atomic_write(folder / picture_name(title)) as temporary:
            drawing.image().save(temporary, format="PNG")
    return [folder / name for name in (*texts, *map(picture_name, frame.pictures))]


def picture_name(title: str) -> str:
    """The name of the PNG file of a picture."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".png"


def _csv(heads: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads, *rows])
    return text.getvalue()
