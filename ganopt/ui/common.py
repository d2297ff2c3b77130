"""What the tabs share: models to choose from, galleries, one-sentence errors, a place for files to download."""

import contextlib
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio as gr
from PIL import Image
from torch import Tensor

from ganopt import zoo
from ganopt.draw import to_image
from ganopt.errors import UserError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def say_errors(handler: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A handler, a generator perhaps, whose UserErrors are shown in the page as their one sentence."""

    @functools.wraps(handler)
    def said(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Result:
        with _said():
            return handler(*arguments, **keywords)

    @functools.wraps(handler)
    def said_later(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Iterator:
        with _said():
            yield from handler(*arguments, **keywords)

    return said_later if inspect.isgeneratorfunction(handler) else said


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), title="That did not work", print_exception=False) from error


class Scratch:
    """A folder of files on their way to the page, which keeps copies of its own: the oldest make room."""

    def __init__(self, folder: Path, keep: int = 32):
        self.folder, self.keep, self.numbers = folder, keep, itertools.count()

    def path(self, name: str) -> Path:
        """A new path that ends in `name`, which must be no user's text."""
        number = next(self.numbers)
        for old in self.folder.glob(f"{number - self.keep}-*"):
            old.unlink(missing_ok=True)
        return self.folder / f"{number}-{name}"


def model_choices() -> list[tuple[str, str]]:
    """The models of the catalogue as (text, name). Raises UserError where there is none."""
    choices = [(f"{entry.title} ({entry.bytes / 1e6:.1f} MB)", name) for name, entry in zoo.catalogue().items()]
    if not choices:
        raise UserError(f"{zoo.checkpoints()} holds no model; restore it from the project's repository.")
    return choices


def face_gallery(label: str, name: str, columns: int) -> gr.Gallery:
    """An empty gallery of faces, whose faces can be clicked. `name` is its element id."""
    return gr.Gallery(
        label=label,
        show_label=False,
        columns=columns,
        height="auto",
        format="png",
        allow_preview=False,
        object_fit="contain",
        buttons=[],
        elem_id=name,
        elem_classes="faces",
    )


def captioned(pictures: Tensor, captions: list[str]) -> list[tuple[Image.Image, str]]:
    """Pictures uint8 (N, 3, H, W) as a gallery shows them, with their captions."""
    return [(to_image(picture), caption) for picture, caption in zip(pictures, captions, strict=True)]
