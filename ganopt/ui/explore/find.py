"""Find my pet: the face of a model that is most like a visitor's photograph. The photograph is not kept."""

import contextlib
import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from ganopt.data import isolated
from ganopt.data.crops import MAX_ZOOM, Crop, cropped
from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.latents import encode_latent, reach
from ganopt.models.latents.inversion import Search
from ganopt.models.networks import parse_architecture
from ganopt.models.sampling import save_png, to_image
from ganopt.thesis import comparison
from ganopt.ui import gpu
from ganopt.ui.address import query_of
from ganopt.ui.api import add_endpoint, as_file, check_number, uploaded_path
from ganopt.ui.common import QUIET, Scratch
from ganopt.ui.current import Turns
from ganopt.ui.explore.figures import figure
from ganopt.ui.messages import answer, sentence_place

LONGEST = 640  # pixels of a photograph that is kept for its session, to be cropped
FRAMES = 8  # faces in the progress strip
INTRODUCTION = """Upload a photograph of a cat or a dog: the chosen model's face that is most like it is found within 15
seconds, and is then a face like any other. The file is deleted as soon as it has been read."""
ADVICE = "The face should fill the square, with the eyes level and just above the middle."


@dataclass(frozen=True)
class Find:
    """The interface for the tab: the button to use the face that was found, and its model, name and scale."""

    use: gr.Button
    found: gr.State


def build_find(model: gr.Dropdown, device: torch.device, scratch: Scratch) -> Find:
    """Build it. Only one search runs at a time, for all visitors together. `model` is the one that is searched."""
    photo, found, turns = gr.State(None), gr.State(None), Turns()  # uint8 (3, H, W); (model, name, scale)
    with gr.Accordion("Find my pet", open=False, elem_id="find"):
        gr.Markdown(INTRODUCTION)
        with gr.Row(elem_classes="sides"):
            with gr.Column(scale=1, min_width=280):
                file = gr.File(label="A photograph", height=120, elem_id="find-file")
                with gr.Column(visible=False, elem_id="find-crop") as crop:
                    sliders = crop_sliders("find")
                    button = gr.Button("Find", variant="primary", elem_id="find-start")
                problem = sentence_place("find-problem")
            with gr.Column(scale=2, min_width=320):
                pictures = gr.HTML(elem_id="find-pictures", elem_classes="bare")
                said = gr.HTML(elem_id="find-said", elem_classes="bare")
                use = gr.Button("Explore this face", visible=False, elem_id="find-use")
    result = [pictures, said, use, found]

    def read(path: str | None, request: gr.Request) -> tuple:
        picture = _read(Path(path)) if path else None
        if picture is None:
            return (gr.skip(),) * 9
        turns.end(request.session_hash)
        shown = figure({"Your photograph": cropped(picture, Crop(), 128)})
        return picture, None, gr.Column(visible=True), 50, 50, 1, shown, ADVICE, gr.Button(visible=False)

    def show_crop(request: gr.Request, photo: Any, *values: float) -> tuple:
        if photo is None:
            return gr.skip(), gr.skip(), gr.skip()
        turns.end(request.session_hash)  # a search with another crop is no longer shown
        shown = figure({"Your photograph": cropped(photo, Crop(*values), 128)})
        return shown, ADVICE, gr.Button(visible=False)

    def search(request: gr.Request, model: str, photo: Any, *values: float) -> Iterator[tuple]:
        if photo is None:
            raise UserError("The photograph is from an expired session; upload it again.")
        with turns.take(request.session_hash) as is_shown:
            for shown in _find(model, _square(photo, model, *values), device):
                if not is_shown():
                    yield (gr.skip(),) * 4  # or Gradio would show the last values again at the end
                    return
                yield shown

    reading = [photo, file, crop, *sliders, *result[:3]]
    answer(file.upload, read, file, reading, problem, "always_last", show_progress="minimal")
    for slider in sliders:
        answer(slider.release, show_crop, [photo, *sliders], result[:3], problem, "always_last", **QUIET)
    searching: dict[str, Any] = {"concurrency_id": "find", "concurrency_limit": 1} | QUIET
    answer(button.click, search, [model, photo, *sliders], result, problem, idle={said: ADVICE}, **searching)
    _add_endpoint(model.value, device, scratch)
    return Find(use, found)


def _add_endpoint(model: str, device: torch.device, scratch: Scratch) -> None:
    def find(
        photograph: dict | None = None, model: str = model, x: float = 50, y: float = 50, zoom: float = 1
    ) -> dict[str, Any]:
        """Find the face of a model that is most like a photograph. The photograph is deleted as soon as it is read.

        `x` and `y`, in %, and `zoom` say which square of it is taken; 50, 50 and 1 are the largest one in the middle.
        Returns its name, which may be given in place of a seed, its distance to the photograph, what that means, and
        the face as a PNG file.
        """
        if photograph is None:
            raise UserError("There is no photograph; upload one.")
        zoo.check_offered([model])
        for name, value, low, high in (("x", x, 0, 100), ("y", y, 0, 100), ("zoom", zoom, 1, MAX_ZOOM)):
            check_number(name, value, low, high)
        picture = _square(_read(uploaded_path(photograph)), model, x, y, zoom)
        *_, result = gpu.find(model, device, picture)
        save_png(to_image(result.picture), path := scratch.path(f"{model}-found.png"))
        said = {"distance": result.distance, "status": " ".join(reach.say(result, model))}
        return {"face": encode_latent(result.latent), **said, "picture": as_file(path)}

    add_endpoint("find", find, "find")


def _square(photograph: np.ndarray, model: str, *crop: float) -> Tensor:
    """A photograph as it is compared with the faces of a model: uint8 (3, side, side)."""
    side = parse_architecture(zoo.entry(model).architecture).side
    return torch.from_numpy(cropped(photograph, Crop(*crop), side))


def crop_sliders(name: str) -> list[gr.Slider]:
    """Sliders for x, y and zoom of a crop; `name` begins the element ids."""
    return [
        gr.Slider(0, 100, 50, step=1, label="Left to right, %", elem_id=f"{name}-x"),
        gr.Slider(0, 100, 50, step=1, label="Top to bottom, %", elem_id=f"{name}-y"),
        gr.Slider(1, MAX_ZOOM, 1, step=0.05, label="Zoom", elem_id=f"{name}-zoom"),
    ]


def read_photograph(path: Path, advice: str) -> np.ndarray:
    """An uploaded photograph to be cropped, uint8 (3, H, W). Raises UserError, with advice, if it cannot be read."""
    (picture,) = isolated.photographs([path], LONGEST)
    if isinstance(picture, str):
        raise UserError(f"{path.name[:80]} cannot be used: {picture}; {advice}.")
    return picture


def _read(path: Path) -> np.ndarray:
    """`read_photograph`, which also deletes the file."""
    try:
        return read_photograph(path, "choose another photograph")
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _find(model: str, photograph: Tensor, device: torch.device) -> Iterator[tuple]:
    """Search, and yield both pictures with the progress strip, what is said, the button, and the face that is found."""
    hidden, strip = gr.Button(visible=False), list[Tensor]()
    yield gr.skip(), "Searching among seeds.", gr.skip(), gr.skip()
    result: Search | None = None
    with contextlib.closing(gpu.find(model, device, photograph)) as updates:
        for result in updates:
            if result.progress * FRAMES > len(strip):
                strip.append(result.picture)
            shown = figure({"Your photograph": photograph, "The face found": result.picture}, strip)
            bar = f'<progress max="1" value="{result.progress:.2f}" aria-label="progress of the search"></progress>'
            yield shown, f"{bar} Distance {result.distance:.2f}.", hidden, None
    assert result is not None
    name = encode_latent(result.latent)
    sentences = "".join(f"<p>{html.escape(each)}</p>" for each in reach.say(result, model))
    models = dict.fromkeys([model, *comparison.first_choice()])
    link = query_of("compare", compare=",".join(models), compare_seeds=name)
    links = f'<p><a href="?{html.escape(link)}">Compare models on this face</a></p>'
    yield shown, sentences + links, gr.Button(visible=True), (model, name, 1)
