"""What programs may call: typed functions under names. What they are given wrongly is one sentence, as on the page."""

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta
from pydantic import TypeAdapter, ValidationError

from ganopt.errors import UserError
from ganopt.ui.common import show_errors

STRICT: Any = {"strict": True, "allow_inf_nan": False}


def offer(name: str, function: Callable, concurrency_id: str) -> None:
    """Let programs call a function whose parameters have plain types and defaults; its docstring is what they read.

    A generator's last value is its result.
    """
    gr.api(show_errors(_checked(function)), api_name=name, concurrency_id=concurrency_id)


def _checked(function: Callable) -> Callable:
    """The function, or generator, which raises UserError for arguments that are not of its types."""
    hints = get_type_hints(function)
    kinds = {
        name: None if hints[name] is gr.Request else TypeAdapter(hints[name], config=STRICT)
        for name in inspect.signature(function).parameters
    }

    @functools.wraps(function)
    def called(*values: Any) -> Any:
        return function(*_read(kinds, values))

    @functools.wraps(function)
    def followed(*values: Any) -> Iterator:
        yield from function(*_read(kinds, values))

    return followed if inspect.isgeneratorfunction(function) else called


def _read(kinds: dict[str, TypeAdapter | None], values: tuple) -> Iterator[Any]:
    """Values as their types have them; one of none, the request, comes from Gradio itself."""
    for (name, kind), value in zip(kinds.items(), values, strict=True):
        try:
            yield value if kind is None else kind.validate_python(value)
        except ValidationError as error:
            raise UserError(f"'{name}' cannot be read: {error.errors()[0]['msg']}.") from error


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Raise UserError for a number out of its bounds."""
    if not low <= value <= high:
        raise UserError(f"'{name}' must be a number from {low:g} to {high:g}.")


def uploaded(file: dict) -> Path:
    """Where a file lies that a caller has uploaded. Raises UserError for anything else."""
    if not is_file_obj_with_meta(file):  # Gradio has looked at those that are: they lie where uploads do
        raise UserError("A file must be uploaded first, in Python with gradio_client.handle_file.")
    return Path(file["path"])


def as_file(path: str | Path) -> dict:
    """A file as an answer holds it, and the client of Gradio fetches it."""
    return gr.FileData(path=str(path)).model_dump()


def as_pictures(gallery: gr.Gallery, captioned: list[Any]) -> list[dict]:
    """Pictures as files and their captions, in pairs, as an answer holds them."""
    return gallery.postprocess(captioned).model_dump()
