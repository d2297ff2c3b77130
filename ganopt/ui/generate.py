"""The tab Generate: faces from seeds, and a panel to explore the latent space around each of them."""

from typing import Any

import gradio as gr
import torch

from ganopt.models import model_cache, zoo
from ganopt.models.latents import MAX_SEED, parse_seeds
from ganopt.models.networks import count_parameters
from ganopt.ui import gpu
from ganopt.ui.api import add_endpoint, as_file, as_pictures, check_number
from ganopt.ui.common import (
    Scratch,
    captioned,
    face_gallery,
    model_choices,
    refresh_models,
    show_errors,
    update_url,
)
from ganopt.ui.explore import MAX_SCALE, MIN_SCALE, build_explore
from ganopt.viz.sheets import save_zip

MOST_FACES = 64  # in one call
FIRST_SEEDS = "0-15"
# JavaScript for a range of seeds from a random or the current first seed; it runs in the browser, so that the later of
# two quick clicks counts
RANGE = "(first, count) => count > 1 ? `${first}-${first + count - 1}` : `${first}`"
RANDOM = f"count => ({RANGE})(Math.floor(1e6 * Math.random()), count)"
FIRST = f"Math.min(...(seeds.match(/\\d+/g) ?? [0]).map(Number), {MAX_SEED} - count)"
RESIZE = f"(seeds, count) => ({RANGE})({FIRST}, count)"


def build_generate(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models."""
    choices = model_choices()
    with gr.Row(elem_id="generate-row", elem_classes="sides"):
        with gr.Column(scale=1, min_width=280, elem_classes="controls"):
            [model, seeds, count, scale], dice, button = _controls(choices)
            facts = gr.Markdown(elem_id="facts")
            archive = gr.DownloadButton("Download all", elem_id="download")
        with gr.Column(scale=3, min_width=320, elem_id="drawn"):
            gr.Markdown("Click a face to explore the latent space around it.")
            gallery = face_gallery("Faces", "faces", columns=4)
    drawn = gr.State(([], "", 1.0))  # the seeds, model and scale in the gallery

    @show_errors
    def show(model: str, seeds: str, scale: float):
        return _draw(model, seeds, scale, device, scratch)

    inputs, outputs = [model, seeds, scale], [gallery, facts, archive, drawn]

    def draw_after(event: gr.events.Dependency) -> gr.events.Dependency:
        return event.success(show, inputs, outputs, api_visibility="private", concurrency_id="draw")

    requested = gr.on(
        [button.click, seeds.submit, model.input, scale.release],
        show,
        inputs,
        outputs,
        api_visibility="private",
        trigger_mode="always_last",
        concurrency_id="draw",
    )
    draw_after(demo.load(_from_link, None, inputs, api_visibility="private", show_progress="hidden"))
    rolled = draw_after(dice.click(None, count, seeds, js=RANDOM, api_visibility="private"))
    resized = draw_after(count.release(None, [seeds, count], seeds, js=RESIZE, api_visibility="private"))
    for event in (requested, rolled, resized):
        event.success(None, inputs, js=update_url("generate"), api_visibility="private")
    refresh_models(tab, model, model_choices)
    build_explore(device, scratch, gallery, drawn, model.value)
    _add_endpoints(model.value, gallery, device, scratch)


def _controls(choices: list[tuple[str, str]]) -> tuple[list[Any], gr.Button, gr.Button]:
    """Model, seeds, count and scale, and the buttons for random seeds and for drawing."""
    model = gr.Dropdown(choices, value=choices[0][1], label="Model", elem_id="model")
    seeds = gr.Textbox(FIRST_SEEDS, label="Seeds", info="Whole numbers and ranges, as in 0-8, 42", elem_id="seeds")
    count = gr.Slider(
        1,
        MOST_FACES,
        16,
        step=1,
        label="Number of faces",
        info="Consecutive seeds",
        elem_id="count",
    )
    scale = gr.Slider(
        MIN_SCALE,
        MAX_SCALE,
        1,
        step=0.05,
        label="Scale of z",
        info="Below 1, faces are better but less varied",
        elem_id="scale",
    )
    with gr.Row():
        dice = gr.Button("⚄ Random", min_width=100, elem_id="dice")
        button = gr.Button("Draw", variant="primary", min_width=100, elem_id="draw")
    return [model, seeds, count, scale], dice, button


def _add_endpoints(model: str, gallery: gr.Gallery, device: torch.device, scratch: Scratch) -> None:
    """Add the endpoint of the tab, with `model` as the default. `gallery` writes the pictures as files."""

    def generate(model: str = model, seeds: str = FIRST_SEEDS, scale: float = 1.0) -> tuple[list[dict], str, dict]:
        """Draw the faces of seeds with a model: PNG files with captions, a summary, and a zip file of all faces."""
        zoo.check_offered([model])
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        images, facts, archive, _ = _draw(model, seeds, scale, device, scratch)
        return as_pictures(gallery, images), facts, as_file(archive)

    add_endpoint("generate", generate, "draw")


def _draw(model: str, seeds: str, scale: float, device: torch.device, scratch: Scratch) -> tuple:
    """Faces as the value of a gallery, a summary, the path of a zip file of all faces, and (seeds, model, scale)."""
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
    """The inputs in the page's address; the defaults for missing or invalid ones."""
    parameters, choices = request.query_params, model_choices()
    names = [name for _, name in choices]
    model = parameters.get("model", names[0])
    if model not in names:
        gr.Warning(f"The model '{model[:60]}' in the link does not exist; {names[0]} is shown instead.")
        model = names[0]
    try:
        scale = float(parameters.get("scale", 1))
    except ValueError:
        scale = 1.0
    scale = scale if MIN_SCALE <= scale <= MAX_SCALE else 1.0
    return gr.Dropdown(choices=choices, value=model), parameters.get("seeds", FIRST_SEEDS), scale
