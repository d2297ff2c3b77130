"""Uploaded pictures as a run will use them: cropped, counted, with what is left out and why, and a crop by hand."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch

from ganopt.data import isolated
from ganopt.data.crops import Crop, Upload, cropped
from ganopt.data.decode import UPLOAD_PIXELS
from ganopt.errors import UserError
from ganopt.ui.common import QUIET, captioned, face_gallery
from ganopt.ui.explore.figures import figure
from ganopt.ui.explore.find import LONGEST, crop_sliders, read_photograph
from ganopt.ui.messages import answer, sentence_place
from ganopt.ui.requests import UPLOAD

SIDE = 128  # pixels of a cropped picture
MAX_SHOWN = 60
FEW = 40
ADVICE = f"""Upload at least 16 pictures, or better {FEW} and more, of one animal. The face should fill the square, with
the eyes level and just above the middle; leave out pictures in which it is turned away, small, dark or blurred."""


def build_my_pets(data: gr.Dropdown, files: gr.File) -> gr.State:
    """Build the preview. Returns the state with the crops by hand, for `uploads`."""
    crops, cells, opened = gr.State({}), gr.State([]), gr.State(None)  # opened: the place in the gallery, the picture
    with gr.Column(visible=False, elem_id="pets") as panel:
        gr.Markdown(ADVICE, elem_classes="notes")
        said = gr.HTML(elem_id="pets-said", elem_classes="bare")
        gallery = face_gallery("Pictures as they will be cropped", "pets-pictures", columns=5)
        with gr.Column(visible=False, elem_id="pets-crop") as editor:
            shown = gr.HTML(elem_id="pets-shown", elem_classes="bare")
            sliders = crop_sliders("pets")
        problem = sentence_place("pets-problem")

    def preview(choice: str, files: list[str] | None) -> tuple:
        hidden = gr.Column(visible=False)
        if choice != UPLOAD or not files:
            return gr.Column(visible=choice == UPLOAD), hidden, "", gr.Gallery([], visible=False), {}, []
        found, left_out = _read([Path(file) for file in files])
        pictures = [torch.from_numpy(picture) for _, picture in found]
        captions = [f"picture {number}" for number, _ in enumerate(found, 1)]
        value = captioned(torch.stack(pictures), captions) if found else []
        named = [(name, *cell) for (name, _), cell in zip(found, value, strict=True)]
        gallery = gr.Gallery(value, visible=bool(found), selected_index=None)
        return gr.Column(visible=True), hidden, _say(len(found), left_out, len(files)), gallery, {}, named

    def open_crop(crops: dict, cells: list, event: gr.SelectData) -> tuple:
        path = Path(cells[event.index][0])
        if not path.is_absolute():
            raise UserError("Pictures of a zip file cannot be cropped by hand; upload the pictures themselves.")
        picture = read_photograph(path, "leave it out")
        crop = crops.get(str(path), Crop())
        shown = figure({path.name[:80]: cropped(picture, crop, SIDE)})
        return gr.Column(visible=True), (event.index, picture), shown, crop.x, crop.y, crop.zoom

    def change_crop(crops: dict, cells: list, opened: tuple | None, *values: float) -> tuple:
        if opened is None or opened[0] >= len(cells):
            return (gr.skip(),) * 4
        crop, (index, picture) = Crop(*values), opened
        path, _, caption = cells[index]
        part = cropped(picture, crop, SIDE)
        cells = list(cells)
        cells[index] = (path, *captioned(torch.from_numpy(part)[None], [caption])[0])
        gallery = gr.Gallery([cell[1:] for cell in cells], selected_index=index)
        return crops | {path: crop}, cells, gallery, figure({Path(path).name[:80]: part})

    previewed = [panel, editor, said, gallery, crops, cells]
    reading: dict[str, Any] = {"concurrency_id": "preview", "concurrency_limit": 2, "show_progress": "minimal"}
    answer([data.change, files.change], preview, [data, files], previewed, problem, "always_last", **reading)
    chosen = [editor, opened, shown, *sliders]
    # the last of two quick clicks
    answer(gallery.select, open_crop, [crops, cells], chosen, problem, "always_last", show_progress="minimal")
    changed = [crops, cells, gallery, shown]
    for slider in sliders:
        inputs = [crops, cells, opened, *sliders]
        answer(slider.release, change_crop, inputs, changed, problem, "always_last", **QUIET)
    return crops


def uploads(files: list[str], crops: dict[str, Crop]) -> list[Upload]:
    """The uploaded files, with the crops by hand of some of them."""
    return [(Path(file), crops[file]) if file in crops else Path(file) for file in files]


def _read(files: list[Path]) -> tuple[list[tuple[str, np.ndarray]], dict[str, str]]:
    """The first pictures, cropped, by their paths or, in a zip file, by numbers; and why others are left out."""
    found: list[tuple[str, np.ndarray]] = []
    left_out: dict[str, str] = {}
    for name, picture in _named(files):
        if isinstance(picture, str):
            left_out[Path(name).name] = picture
        else:
            found.append((name, cropped(picture, Crop(), SIDE)))
    return found, left_out


def _named(files: list[Path]) -> Iterator[tuple[str, np.ndarray | str]]:
    if files[0].suffix.lower() != ".zip":
        chosen = files[:MAX_SHOWN]
        yield from zip(map(str, chosen), isolated.photographs(chosen, LONGEST), strict=True)
        return
    with isolated.opened(files[0], MAX_SHOWN, UPLOAD_PIXELS) as updates:
        *_, upload = updates
        assert upload is not None
        for number, picture in enumerate(upload.pictures, 1):
            yield f"picture {number}", picture
        if upload.left_out:
            yield upload.left_out, "no pictures"


def _say(count: int, left_out: dict[str, str], files: int) -> str:
    """What is shown, and what is left out and why, as HTML."""
    first = f"The first {MAX_SHOWN} pictures" if max(count, files) > MAX_SHOWN else f"{count} pictures"
    sentences = [f"{first} as they will be cropped; click on one to crop it by hand."] if count else []
    if 16 <= count < FEW:
        sentences.append(f"{FEW} or more would give better faces.")
    sentences += [f"Left out: {name[:60]} ({reason})." for name, reason in left_out.items()]
    return "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
