"""API endpoints for programs: typed functions. Wrong arguments give one-sentence errors, as on the page."""

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


def add_endpoint(name: str, function: Callable, concurrency_id: str) -> None:
    """Add an endpoint for a function whose parameters have plain types and defaults. Its docstring is public.

    The result of a generator function is its last value.
    """
    hints = get_type_hints(function)
    adapters = {
        name: None if hints[name] is gr.Request else TypeAdapter(hints[name], config=STRICT)
        for name in inspect.signature(function).parameters
    }
    checked = show_errors(function, functools.partial(_validated, adapters))
    gr.api(checked, api_name=name, concurrency_id=concurrency_id)


def _validated(adapters: dict[str, TypeAdapter | None], values: tuple) -> Iterator[Any]:
    """Convert values to their types. The request, which comes from Gradio, has no adapter and is passed on.

    Raises UserError for a value of another type.
    """
    for (name, adapter), value in zip(adapters.items(), values, strict=True):
        try:
            yield value if adapter is None else adapter.validate_python(value)
        except ValidationError as error:
            raise UserError(f"'{name}' is not valid: {error.errors()[0]['msg']}.") from error


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Raise UserError if a number is out of bounds."""
    if not low <= value <= high:
        raise UserError(f"'{name}' must be a number from {low:.15g} to {high:.15g}.")


def uploaded_path(file: dict) -> Path:
    """The path of an uploaded file. Raises UserError if the file was not uploaded."""
    if not is_file_obj_with_meta(file):  # Gradio has already checked that such files are in its upload folder
        raise UserError("Files must be uploaded first; in Python, use gradio_client.handle_file.")
    return Path(file["path"])


def as_file(path: str | Path) -> dict:
    """A file as part of an endpoint's result, which the Gradio client downloads."""
    return gr.FileData(path=str(path)).model_dump()


def as_pictures(gallery: gr.Gallery, captioned: list[Any]) -> list[dict]:
    """Pictures with captions as part of an endpoint's result. `gallery` writes the files."""
    return gallery.postprocess(captioned).model_dump()
