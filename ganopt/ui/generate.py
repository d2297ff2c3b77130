"""The tab Generate: faces from seeds, and the way into what lies around each of them."""

from typing import Any

import gradio as gr
import torch

from ganopt.models import model_cache, zoo
from ganopt.models.latents import MAX_SEED, parse_seeds
from ganopt.models.networks import count_parameters
from ganopt.ui import gpu
from ganopt.ui.api import as_file, as_pictures, check_number, offer
from ganopt.ui.common import (
    Scratch,
    captioned,
    face_gallery,
    keep_in_url,
    model_choices,
    renew_models,
    show_errors,
)
from ganopt.ui.explore import MAX_SCALE, MIN_SCALE, build_explore
from ganopt.viz.sheets import save_zip

MOST_FACES = 64  # on the page at once
FIRST_SEEDS = "0-15"
# seeds, of which the first is rolled or stays; in the browser, so that of two quick clicks the later one counts
SPAN = "(first, count) => count > 1 ? `${first}-${first + count - 1}` : `${first}`"
ROLL = f"count => ({SPAN})(Math.floor(1e6 * Math.random()), count)"
FIRST = f"Math.min(...(seeds.match(/\\d+/g) ?? [0]).map(Number), {MAX_SEED} - count)"
RESIZE = f"(seeds, count) => ({SPAN})({FIRST}, count)"


def build_generate(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab inside the page. Raises UserError, before anything is built, where there is no model."""
    choices = model_choices()
    with gr.Row(elem_id="generate-row", elem_classes="sides"):
        with gr.Column(scale=1, min_width=280, elem_classes="controls"):
            [model, seeds, count, scale], dice, button = _controls(choices)
            facts = gr.Markdown(elem_id="facts")
            archive = gr.DownloadButton("Download all", elem_id="download")
        with gr.Column(scale=3, min_width=320, elem_id="drawn"):
            gr.Markdown("Click a face to explore what lies around it.")
            gallery = face_gallery("Faces", "faces", columns=4)
    drawn = gr.State(([], "", 1.0))  # what the gallery shows: seeds, model, scale

    @show_errors
    def show(model: str, seeds: str, scale: float):
        return _draw(model, seeds, scale, device, scratch)

    inputs, outputs = [model, seeds, scale], [gallery, facts, archive, drawn]

    def draw_after(event: gr.events.Dependency) -> gr.events.Dependency:
        return event.success(show, inputs, outputs, api_visibility="private", concurrency_id="draw")

    asked = gr.on(
        [button.click, seeds.submit, model.input, scale.release],
        show,
        inputs,
        outputs,
        api_visibility="private",
        trigger_mode="always_last",
        concurrency_id="draw",
    )
    draw_after(demo.load(_from_link, None, inputs, api_visibility="private", show_progress="hidden"))
    rolled = draw_after(dice.click(None, count, seeds, js=ROLL, api_visibility="private"))
    resized = draw_after(count.release(None, [seeds, count], seeds, js=RESIZE, api_visibility="private"))
    for event in (asked, rolled, resized):
        event.success(None, inputs, js=keep_in_url("generate"), api_visibility="private")
    renew_models(tab, model, model_choices)
    build_explore(device, scratch, gallery, drawn, model.value)
    _offer_faces(model.value, gallery, device, scratch)


def _controls(choices: list[tuple[str, str]]) -> tuple[list[Any], gr.Button, gr.Button]:
    """Model, seeds, count and scale, and the buttons that roll seeds and draw."""
    model = gr.Dropdown(choices, value=choices[0][1], label="Model", elem_id="model")
    seeds = gr.Textbox(FIRST_SEEDS, label="Seeds", info="Whole numbers and ranges, as in 0-8, 42", elem_id="seeds")
    count = gr.Slider(1, MOST_FACES, 16, step=1, label="How many", info="From the first seed on", elem_id="count")
    scale = gr.Slider(
        MIN_SCALE,
        MAX_SCALE,
        1,
        step=0.05,
        label="Scale of z",
        info="Below 1: safer and duller. Above: wilder.",
        elem_id="scale",
    )
    with gr.Row():
        dice = gr.Button("⚄ Random", min_width=100, elem_id="dice")
        button = gr.Button("Draw", variant="primary", min_width=100, elem_id="draw")
    return [model, seeds, count, scale], dice, button


def _offer_faces(model: str, gallery: gr.Gallery, device: torch.device, scratch: Scratch) -> None:
    """Let programs draw faces, with `model` by default; `gallery` makes files of pictures."""

    def generate(model: str = model, seeds: str = FIRST_SEEDS, scale: float = 1.0) -> tuple[list[dict], str, dict]:
        """Draw the faces of some seeds with a model: captioned PNG pictures, facts in a sentence, a zip of all."""
        zoo.check_offered([model])
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        images, facts, archive, _ = _draw(model, seeds, scale, device, scratch)
        return as_pictures(gallery, images), facts, as_file(archive)

    offer("generate", generate, "draw")


def _draw(model: str, seeds: str, scale: float, device: torch.device, scratch: Scratch) -> tuple:
    """Faces as a gallery takes them, facts in a sentence, the path of a zip of all, and what was drawn."""
    numbers = parse_seeds(seeds, MOST_FACES)
    faces = gpu.faces(model, device, numbers, scale)
    archive = scratch.path("faces.zip")
    save_zip(faces.pictures, [f"seed-{number:04}" for number in numbers], archive)
    images = captioned(faces.pictures, [f"seed {number}" for number in numbers])
    return images, _facts(model, device, faces), str(archive), (numbers, model, scale)


def _facts(model: str, device: torch.device, faces: model_cache.Faces) -> str:
    entry, count = zoo.entry(model), len(faces.pictures)
    size = count_parameters(model_cache.generator(model, device)) / 1e6
    drawn = "1 face" if count == 1 else f"{count} faces"
    return f"{size:.1f} M parameters, {entry.bytes / 1e6:.1f} MB on disk; {drawn} in {faces.seconds:.2f} s on {device}."


def _from_link(request: gr.Request) -> tuple[gr.Dropdown, str, float]:
    """The inputs that the page's address asks for; what it does not say, or says wrongly, is the default."""
    asked, choices = request.query_params, model_choices()
    names = [name for _, name in choices]
    model = asked.get("model", names[0])
    if model not in names:
        gr.Warning(f"The link asks for the model '{model[:60]}', which is not here; this is {names[0]}.")
        model = names[0]
    try:
        scale = float(asked.get("scale", 1))
    except ValueError:
        scale = 1.0
    scale = scale if MIN_SCALE <= scale <= MAX_SCALE else 1.0
    return gr.Dropdown(choices=choices, value=model), asked.get("seeds", FIRST_SEEDS), scale
