"""Make the finished runs that the page shows before a visitor starts one: `python -m ganopt.lab.release [NAME ...]`.

Each is a JSON file, with the last frame as `export.plain` returns it and the settings, and a small PNG file for the
overview. Both are in the folder `finished` and are part of the package.
"""

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from ganopt.errors import exit_on_user_error
from ganopt.files import atomic_write, to_json, write_text
from ganopt.lab import export
from ganopt.lab.contract import Experiment
from ganopt.lab.registry import all_experiments, find_experiment
from ganopt.viz.pens import png_address

FINISHED = Path(__file__).parent / "finished"
SMALL = (400, 254)  # most pixels of a picture in the overview
COLOURS = 128
FIGURE = re.compile(r"\{([\w-]+);\s([^;}]+?)(;\sright)?\}")


def release(experiment: Experiment) -> None:
    """Run an experiment with its default settings and write its finished run. Raises UserError if it cannot."""
    *_, frame = experiment.frames(experiment.config())
    values = export.plain(frame) | {"settings": ""}
    write_text(FINISHED / f"{experiment.name}.json", to_json(values, separators=(",", ":"), ensure_ascii=False) + "\n")
    drawing = next(iter(frame.pictures.values()))
    picture = dataclasses.replace(drawing, legend=()).image()
    picture.thumbnail(SMALL, Image.Resampling.LANCZOS)
    with atomic_write(FINISHED / f"{experiment.name}.png") as temporary:
        picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            temporary, format="PNG", optimize=True
        )


def finished(name: str) -> dict[str, Any] | None:
    """The finished run of an experiment, as plain values; None if it has none."""
    path = FINISHED / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def with_figures(text: str) -> str:
    """A text with the figures of finished runs: {experiment; figure} is measured, {experiment; figure; right} right.

    Raises KeyError if there is no such figure.
    """

    def figure(found: re.Match) -> str:
        figures = {name: (measured, right) for name, measured, right, _ in (finished(found[1]) or {})["figures"]}
        return figures[" ".join(found[2].split())][bool(found[3])]

    return FIGURE.sub(figure, text)


def table(name: str) -> str:
    """The table of an experiment that a command has measured, as Markdown; "" if it has none."""
    path = FINISHED / f"{name}.table.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = [found["heads"], ["---"] * len(found["heads"]), *found["rows"]]
    return "\n".join([f"**{found['title']}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def small_picture(name: str) -> str:
    """The address, with the data in it, of the small picture of an experiment; "" if it has none."""
    path = FINISHED / f"{name}.png"
    return png_address(path.read_bytes()) if path.exists() else ""


if __name__ == "__main__":
    with exit_on_user_error():
        for name in sys.argv[1:] or all_experiments():
            release(find_experiment(name))
