"""Parts shared by the tabs: choices of models, galleries, errors, links, files for download."""

import contextlib
import functools
import hashlib
import inspect
import itertools
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.sampling import save_png, to_image
from ganopt.thesis.model_facts import megabytes

MAX_LETTERS = 100  # of the name of a file for download
ERROR = "Error"  # the title of all error messages
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}  # for events that are not endpoints
Event = gr.events.Dependency


def show_errors(handler: Callable[..., Any], prepare: Callable[[tuple], Iterable[Any]] = tuple) -> Callable[..., Any]:
    """A handler, which may be a generator function, whose UserErrors are shown on the page.

    Those of `prepare` too, which makes its arguments from those that are given.
    """

    @functools.wraps(handler)
    def call(*arguments: Any, **keywords: Any) -> Any:
        with _as_gradio_errors():
            return handler(*prepare(arguments), **keywords)

    @functools.wraps(handler)
    def iterate(*arguments: Any, **keywords: Any) -> Iterator:
        with _as_gradio_errors():
            yield from handler(*prepare(arguments), **keywords)

    return iterate if inspect.isgeneratorfunction(handler) else call


@contextlib.contextmanager
def _as_gradio_errors() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), title=ERROR, print_exception=False) from error


class Scratch:
    """A folder of temporary files, the latest `keep` ones. Gradio serves its own copies of them."""

    def __init__(self, folder: Path, keep: int = 32):
        self.folder, self.keep, self.numbers = folder, keep, itertools.count()

    def path(self, name: str) -> Path:
        """A new path that ends in a name, which visitors see when they download it, without unsafe characters."""
        number = next(self.numbers)
        shutil.rmtree(self.folder / str(number - self.keep), ignore_errors=True)
        folder = self.folder / str(number)
        folder.mkdir(parents=True)
        stem, _, suffix = name.rpartition(".")
        plain = re.sub(r"[^\w.-]+", "-", stem)[:MAX_LETTERS].strip("-")
        return folder / f"{plain}.{suffix}"


def model_choices() -> list[tuple[str, str]]:
    """The models of the catalogue and of runs, as pairs (text with the size as float16, name).

    Raises UserError if the catalogue is empty.
    """
    entries = [*zoo.catalogue().values()]
    if not entries:
        raise UserError(f"{zoo.checkpoints()} contains no models; restore it from the project's repository.")
    for name in zoo.runs():
        with contextlib.suppress(UserError, OSError):  # damaged or just deleted
            entries.append(zoo.entry(name))
    return [(f"{entry.title} ({megabytes(entry):.1f} MB)", entry.name) for entry in entries]


def title_of(name: str) -> str:
    """The name of a model on the page: its title, or that of its run; of an unknown model, its name."""
    entry = zoo.catalogue().get(name)
    return entry.title if entry else name.removeprefix(zoo.RUN)


def model_names() -> list[str]:
    """The names of `model_choices`."""
    return [name for _, name in model_choices()]


def refresh_models(tab: gr.Tab, component: Any, choices: Callable[[], list]) -> None:
    """Update the choices of a gr.Dropdown or gr.CheckboxGroup of models, which include runs, when its tab is opened."""
    kind = type(component)
    tab.select(lambda: kind(choices=choices()), None, component, **QUIET)


def check_session(seeds: list[int]) -> None:
    """Raise UserError if the seeds of a visitor's gallery are lost because the session was dropped."""
    if not seeds:
        raise UserError("These faces are from an expired session; draw them again.")


def optional_number(text: str | None, label: str) -> int | float | None:
    """The number in a text field; None if it is empty. Raises UserError if it is not a number."""
    text = (text or "").strip()
    if not text:
        return None
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise UserError(f"'{text[:40]}' is not a number; enter one for '{label}', or leave the field empty.") from None


def optional_text(number: float | None) -> str:
    """The text for a number, the inverse of `optional_number`."""
    return "" if number is None else f"{number:.15g}"


def preset_buttons(presets: dict[str, Any]) -> dict[gr.Button, Any]:
    """Buttons for presets of the form below them, mapped to their values."""
    with gr.Column(elem_classes="examples"):
        gr.Markdown("Presets")
        return {gr.Button(text, size="sm"): value for text, value in presets.items()}


def face_gallery(label: str, name: str, columns: int, enlarge: bool = False) -> gr.Gallery:
    """An empty gallery of faces. A click enlarges a face or only triggers an event. `name` is the element id."""
    return gr.Gallery(
        label=label,
        show_label=False,
        columns=columns,
        height="auto",
        format="png",
        allow_preview=enlarge,
        object_fit="contain",
        buttons=[],
        elem_id=name,
        elem_classes="faces",
    )


def shown_picture(label: str, name: str | None = None, **looks: Any) -> gr.Image:
    """An empty place for a picture, which visitors can download. `name` is the element id; `looks` is for gr.Image."""
    settings = {"buttons": ["download"]} | looks
    return gr.Image(label=label, format="png", interactive=False, elem_id=name, **settings)


def store_png(picture: Tensor) -> str:
    """The path of a picture, uint8 (3, H, W), as a PNG file in Gradio's folder, shared by all visitors.

    Gradio itself would write the file again for each visitor, possibly while another one reads it.
    """
    path = Path(get_upload_folder(), hashlib.sha256(picture.contiguous().numpy().data).hexdigest(), "image.png")
    if not path.exists():
        save_png(to_image(picture), path)
    return str(path)


def captioned(pictures: Tensor, captions: list[str]) -> list[tuple[str, str]]:
    """Pictures, uint8 (N, 3, H, W), with captions, as the value of a gallery."""
    return [(store_png(picture), caption) for picture, caption in zip(pictures, captions, strict=True)]
