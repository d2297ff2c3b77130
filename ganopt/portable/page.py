"""A model as one web page that contains everything: weights, the program that draws, and latents of some seeds."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganopt.errors import UserError
from ganopt.files import to_json, write_text
from ganopt.models.latents import latents
from ganopt.models.networks import Generator
from ganopt.portable.steps import Program, program_of

SEEDS = range(64)  # whose latents a page contains by default
HERE = Path(__file__).parent


def page(generator: Generator, name: str, title: str, seeds: Sequence[int] = SEEDS) -> str:
    """The HTML of a page on which a model draws the faces between four of these seeds, at first the first four.

    The same input gives the same text. Raises UserError if there are fewer than four seeds, or for a model with layers
    that the page cannot draw.
    """
    if len(seeds) < 4:
        raise UserError("A page needs at least four seeds, one for each corner; give more.")
    program = program_of(generator)
    z = latents(seeds).numpy().astype("<f4")
    facts = f"A network of {program.bytes / 1e6:.2f} MB draws {program.side} x {program.side} pixels in this browser."
    values = {
        "title": html.escape(f"{title} - ganopt"),
        "heading": html.escape(title),
        "facts": facts,
        "model": _in_script(_model(program) | {"name": name, "seeds": [*seeds], "latents": _text(z.tobytes())}),
        "drawing": (HERE / "draw.js").read_text(encoding="utf-8"),
        "script": (HERE / "page.js").read_text(encoding="utf-8"),
    }
    text = (HERE / "page.html").read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@@{key}@@", value)
    return text


def save_page(text: str, path: Path) -> None:
    """Write a page. Raises UserError if the file cannot be written."""
    write_text(path, text, errors="backslashreplace")


def _model(program: Program) -> dict[str, Any]:
    """A program as plain values; the tensors are one text, the widest numbers first, so that all are aligned."""
    order = sorted(range(len(program.tensors)), key=lambda index: -program.tensors[index].itemsize)
    tensors: list[dict[str, Any]] = [{}] * len(order)
    parts, at = [], 0
    for index in order:
        tensor = program.tensors[index]
        little = tensor.astype(tensor.dtype.newbyteorder("<"))
        tensors[index] = {"type": str(tensor.dtype), "at": at, "length": tensor.size}
        parts.append(little.tobytes())
        at += tensor.nbytes
    return {"side": program.side, "steps": program.steps, "tensors": tensors, "bytes": _text(b"".join(parts))}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _in_script(values: dict[str, Any]) -> str:
    """JSON that cannot end the script element that contains it."""
    return to_json(values).replace("<", "\\u003c")
