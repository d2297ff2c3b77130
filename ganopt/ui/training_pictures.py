"""The choice of training pictures in the form of a run: those drawn by a model, uploads, a folder, or none."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.ui import access, requests
from ganopt.ui.common import title_of
from ganopt.ui.current import show_current
from ganopt.ui.messages import sentence_place
from ganopt.ui.requests import FOLDER, NONE, UPLOAD


def picture_choices(public: bool) -> list[tuple[str, str]]:
    """The choices of training pictures, as pairs (text, value)."""
    drawing = [name for name, entry in zoo.catalogue().items() if entry.role != "student"]
    samples = [(f"2000 faces drawn by {title_of(name)}", f"{PREFIX}{name}") for name in drawing]
    others = [("Upload my own pictures", UPLOAD), ("None, for distillation from the teacher only", NONE)]
    folder = [] if public else [("A folder on this machine", FOLDER)]
    return [*samples, *others[:1], *folder, *others[1:]]


def say_pictures(data: gr.Dropdown, files: gr.File, folder: gr.Textbox) -> None:
    """Say how many of the visitor's pictures a run would use, as soon as they are chosen."""
    pictures, problem = gr.HTML(elem_id="train-pictures", elem_classes="bare"), sentence_place("pictures-problem")

    def count(choice: str, files: list[str] | None, folder: str, request: gr.Request) -> str:
        paths = [Path(file) for file in files or []] if choice == UPLOAD else []
        place = folder.strip() if choice == FOLDER else ""
        return html.escape(requests.pictures_text(place, paths, access.is_public(request)))

    chosen = [data.change, files.change, folder.blur, folder.submit]
    show_current(chosen, count, [data, files, folder], [pictures], problem, show_progress="hidden")


def check_pictures(
    choice: str, files: list | None, without_pictures: Mapping[str, Any], settings: dict[str, Any]
) -> None:
    """Raise UserError if the choice of pictures does not match the other inputs."""
    if choice == UPLOAD and not files:
        raise UserError("No pictures were uploaded; upload some, or a zip file of them.")
    if choice == NONE and not without_pictures:
        raise UserError("Only distillation works without pictures; choose some.")
    for name, value in without_pictures.items() if choice == NONE else ():
        if settings.get(name) not in (None, value):
            raise UserError(f"Without pictures, {name} must be {value:.15g}; choose some, or leave {name} empty.")


def show_picture_inputs(data: str) -> tuple[gr.File, gr.Textbox]:
    """Show the input for the chosen kind of pictures."""
    return gr.File(visible=data == UPLOAD), gr.Textbox(visible=data == FOLDER)
