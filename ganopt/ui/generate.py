"""The tab Generate: faces from seeds, and a panel to explore the latent space around each of them."""

import functools
from typing import Any

import gradio as gr
import torch

from ganopt.metrics import eyes
from ganopt.models import model_cache, zoo
from ganopt.models.latents import MAX_SEED, file_stem, format_seeds, label, parse_faces, parse_seeds, say_repeats
from ganopt.models.networks import parameters_of
from ganopt.thesis.model_facts import megabytes, on_disk
from ganopt.ui import gpu
from ganopt.ui.address import Address, Parameters, query_of, show_after, tab_of
from ganopt.ui.api import add_endpoint, as_file, as_pictures, check_number
from ganopt.ui.common import QUIET, Scratch, captioned, face_gallery, model_choices, refresh_models
from ganopt.ui.explore import MAX_SCALE, MIN_SCALE, build_explore, build_find
from ganopt.ui.messages import answer, sentence_place
from ganopt.viz.sheets import save_zip

MAX_FACES = 64  # in one call
BEST_OF = 4  # faces that are drawn for each one that is chosen by its eyes
FIRST_SEEDS = "0-15"
# JavaScript for a range of seeds from a random or the current first seed; it runs in the browser, so that the later of
# two quick clicks counts
RANGE = "(first, count) => count > 1 ? `${first}-${first + count - 1}` : `${first}`"
RANDOM = f"count => ({RANGE})(Math.floor(1e6 * Math.random()), count)"
FIRST = f"Math.min(...(seeds.replace(/[xz][^,;\\s]*/g, '').match(/\\d+/g) ?? [0]).map(Number), {MAX_SEED} - count)"
CANDIDATES = f"(model, seeds, count, scale) => [model, ({RANDOM})({BEST_OF} * count), count, scale]"
RESIZE = f"(seeds, count) => ({RANGE})({FIRST}, count)"


def build_generate(address: Address, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models."""
    choices = model_choices()
    with gr.Row(elem_id="generate-row", elem_classes="sides"):
        with gr.Column(scale=1, min_width=280, elem_classes="controls"):
            [model, seeds, count, scale], dice, best, button = _controls(choices)
            problem = sentence_place("generate-problem")
            facts = gr.Markdown(elem_id="facts")
            archive = gr.DownloadButton("Download all", elem_id="download")
        with gr.Column(scale=3, min_width=320, elem_id="drawn"):
            gr.Markdown("Click a face to explore the latent space around it.")
            gallery = face_gallery("Faces", "faces", columns=4)
    find = build_find(model, device, scratch)
    drawn = gr.State(([], "", 1.0))  # the seeds, model and scale in the gallery
    link = gr.Textbox(visible=False, label="link")

    def show(model: str, seeds: str, scale: float):
        faces, *rest = _draw(model, seeds, scale, device, scratch)
        gallery = gr.Gallery(faces, selected_index=None)  # the explored face is not one of these
        return gallery, *rest, query_of("generate", model=model, seeds=seeds, scale=f"{scale:g}")

    outputs = [gallery, facts, archive, drawn, link]
    to_draw = [model, seeds, scale]
    drawing = show, to_draw, outputs
    # a change during a drawing is drawn after it
    draw_on = functools.partial(answer, problem=problem, mode="always_last", concurrency_id="draw")
    rolled = dice.click(None, count, seeds, js=RANDOM, api_visibility="private")
    choose = functools.partial(_best, device=device)
    chosen = draw_on(best.click, choose, [model, seeds, count, scale], [seeds], js=CANDIDATES)
    resized = count.release(None, [seeds, count], seeds, js=RESIZE, api_visibility="private")
    requested = draw_on([button.click, seeds.submit, model.input, scale.release], *drawing)
    linked = address.read(_from_link, to_draw)
    open_first, open_linked = build_explore(device, scratch, gallery, drawn, address.query, model.value)
    used = find.use.click(lambda found: found, find.found, to_draw, **QUIET)
    for event in (requested, *(draw_on(event.success, *drawing) for event in (rolled, chosen, resized))):
        show_after(event, "generate", link)
    open_linked(show_after(draw_on(linked.success, *drawing), "generate", link))
    open_first(show_after(draw_on(used.success, *drawing), "generate", link))
    refresh_models(tab, model, model_choices)
    _add_endpoints(model.value, gallery, device, scratch)


def _controls(choices: list[tuple[str, str]]) -> tuple[list[Any], gr.Button, gr.Button, gr.Button]:
    """Model, seeds, count and scale, and the buttons for random seeds, the best of them, and for drawing."""
    model = gr.Dropdown(choices, value=choices[0][1], label="Model", info="Sizes as float16", elem_id="model")
    seeds = gr.Textbox(
        FIRST_SEEDS, label="Seeds", info="Whole numbers and ranges, as in 0-8, 42", max_lines=1, elem_id="seeds"
    )
    count = gr.Slider(1, MAX_FACES, 16, step=1, label="Number of faces", info="Consecutive seeds", elem_id="count")
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
    best = gr.Button("★ Best eyes", elem_id="best")
    gr.Markdown(
        f"*Best eyes*: of {BEST_OF} times as many random faces, those whose eyes match best. They are less varied."
    )
    return [model, seeds, count, scale], dice, best, button


def _add_endpoints(model: str, gallery: gr.Gallery, device: torch.device, scratch: Scratch) -> None:
    """Add the endpoints of the tab, with `model` as the default. `gallery` writes the pictures as files."""

    def generate(model: str = model, seeds: str = FIRST_SEEDS, scale: float = 1.0) -> tuple[list[dict], str, dict]:
        """Draw the faces of seeds with a model: PNG files with captions, a summary, and a zip file of all faces."""
        zoo.check_offered([model])
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        images, facts, archive, _ = _draw(model, seeds, scale, device, scratch)
        return as_pictures(gallery, images), facts, as_file(archive)

    def best(model: str = model, seeds: str = "0-63", count: int = 16, scale: float = 1.0) -> str:
        """Choose the seeds whose faces have eyes that match best: at most 256 seeds -> the text of `count` of them."""
        zoo.check_offered([model])
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        check_number("count", count, 1, MAX_FACES)
        return _best(model, seeds, count, scale, device)

    add_endpoint("generate", generate, "draw")
    add_endpoint("best", best, "draw")


def _draw(model: str, seeds: str, scale: float, device: torch.device, scratch: Scratch) -> tuple:
    """Faces as the value of a gallery, a summary, the path of a zip file of all faces, and (seeds, model, scale)."""
    numbers = parse_faces(seeds, MAX_FACES)
    faces = gpu.faces(model, device, numbers, scale)
    archive = scratch.path(f"{model}-seeds-{format_seeds(numbers)}.zip")
    save_zip(faces.pictures, [file_stem(number) for number in numbers], archive)
    images = captioned(faces.pictures, [label(number) for number in numbers])
    return images, _facts(model, faces, device) + say_repeats(seeds, numbers), str(archive), (numbers, model, scale)


def _best(model: str, seeds: str, count: int, scale: float, device: torch.device) -> str:
    """Of some seeds the `count` whose faces have eyes that match best, as text."""
    numbers = parse_seeds(seeds, BEST_OF * MAX_FACES)
    judge = eyes.of_model(model)
    pictures = gpu.faces(model, device, numbers, scale).pictures
    return format_seeds([numbers[index] for index in judge.best(pictures, count)])


def _facts(model: str, faces: model_cache.Faces, device: torch.device) -> str:
    entry, count = zoo.entry(model), len(faces.pictures)
    drawn = "1 face" if count == 1 else f"{count} faces"
    return (
        f"{parameters_of(entry.architecture) / 1e6:.1f} M parameters, {megabytes(entry):.1f} MB as float16 "
        f"({on_disk(entry)}); {drawn} in {faces.seconds:.2f} s on {device}."
    )


def _from_link(parameters: Parameters) -> tuple:
    """The inputs in the page's address; the defaults for missing or invalid ones."""
    if tab_of(parameters) != "generate":
        return gr.skip(), gr.skip(), gr.skip()
    choices = model_choices()
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
