"""The tab Compare: models side by side on the same seeds, a pair of faces in detail, and results."""

import html
from collections.abc import Callable
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.models import zoo
from ganopt.models.latents import parse_seeds
from ganopt.models.sampling import save_png
from ganopt.thesis import comparison as comparing
from ganopt.thesis import tables
from ganopt.thesis.comparison import BRIGHTEST, MOST_MODELS, MOST_SEEDS, Comparison
from ganopt.ui import gpu
from ganopt.ui.api import add_endpoint, as_file, as_pictures
from ganopt.ui.common import (
    Scratch,
    captioned,
    check_session,
    face_gallery,
    model_choices,
    preset_buttons,
    refresh_models,
    show_errors,
    store_png,
    tabs_of,
    update_url,
)
from ganopt.ui.result_tables import build_tables
from ganopt.viz import charts
from ganopt.viz.sheets import comparison

FIRST_SEEDS = "0-7"
SHOW_PAIR = "() => document.querySelector('#pair').scrollIntoView({ block: 'nearest' })"


def build_compare(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models."""
    choices = model_choices()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=2, min_width=260, elem_classes="controls"):
            inputs, button, presets = _controls(choices)
            facts = gr.Markdown(elem_id="compare-facts")
            file = gr.DownloadButton("Download as PNG", elem_id="compare-sheet")
        with gr.Column(scale=3, min_width=320, elem_id="compared-side"):
            gr.Markdown("Click a face to compare it with that of the first model.")
            headings = gr.HTML(elem_id="heads", elem_classes="bare")
            gallery = face_gallery("Faces of the models", "compared", columns=1)
        with gr.Column(scale=4, min_width=320, elem_id="pair") as panel:
            details = _pair_part()
    _results()
    drawn = gr.State(([], []))  # the models and seeds in the gallery
    chosen = [gr.Textbox(visible=False, label=name) for name in ("first model", "second model", "seed")]

    @show_errors
    def show(models: list[str], seeds: str):
        compared = gpu.compare(models or [], device, parse_seeds(seeds, MOST_SEEDS))
        shown, panel = (compared.models, compared.seeds), gr.Column(visible=len(compared.models) > 1)
        facts, sheet, lines, faces = _show(compared, device, scratch)
        gallery = gr.Gallery(faces, columns=len(lines))
        return facts, sheet, _headings(lines), gallery, shown, panel, *_pair_at(shown, 0)

    @show_errors
    def show_pair(first: str, second: str, seed: str):
        title, *pictures, text = _pair(gpu.compare([first, second], device, parse_seeds(seed, 1)), device)
        return title, tuple(pictures[:2]), pictures[2], text

    @show_errors
    def choose(drawn: tuple, event: gr.SelectData):
        check_session(drawn[1])
        return _pair_at(drawn, event.index)

    outputs = [facts, file, headings, gallery, drawn, panel, *chosen]
    private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "draw"}
    requested = gr.on(
        [button.click, inputs[1].submit],
        show,
        inputs,
        outputs,
        api_visibility="private",
        trigger_mode="always_last",
        concurrency_id="draw",
    )
    clicked = gallery.select(choose, drawn, chosen, api_visibility="private")
    clicked.success(show_pair, chosen, details, **private).success(None, js=SHOW_PAIR)
    chosen_by = [event.success(show, inputs, outputs, **private) for event in presets]
    for event in (requested, *chosen_by):
        event.success(None, inputs, js=update_url("compare"), api_visibility="private")
        event.success(show_pair, chosen, details, **private)
    opened = tab.select(_once(show, len(outputs)), [*inputs, headings], outputs, **private)
    opened.success(_once(show_pair, len(details)), [*chosen, details[0]], details, **private)
    refresh_models(tab, inputs[0], model_choices)
    _add_endpoints(gallery, device, scratch)
    demo.load(_from_link, None, [tabs_of(tab), *inputs], api_visibility="private", show_progress="hidden")


def _add_endpoints(gallery: gr.Gallery, device: torch.device, scratch: Scratch) -> None:
    """Add the endpoints of the tab. `gallery` writes the pictures as files."""
    models = comparing.first_choice()

    def compare(models: list[str] = models, seeds: str = FIRST_SEEDS) -> tuple[str, dict, list[list[str]], list[dict]]:
        """Draw the same seeds with up to five models, and compare them with the first one.

        Returns a summary, a sheet of all faces, facts about each model, and the faces as PNG files, one row per seed.
        """
        compared = gpu.compare(models, device, parse_seeds(seeds, MOST_SEEDS))
        facts, sheet, lines, faces = _show(compared, device, scratch)
        return facts, as_file(sheet), lines, as_pictures(gallery, faces)

    def pair(first: str = models[0], second: str = models[-1], seed: int = 0) -> tuple[list[dict], str]:
        """Compare the faces of two models for one seed: both faces and a difference map as PNG files, and a summary."""
        compared = gpu.compare([first, second], device, parse_seeds(str(seed), 1))
        _, *pictures, text = _pair(compared, device)
        return as_pictures(gallery, list(zip(pictures, [first, second, "difference"], strict=True))), text

    add_endpoint("compare", compare, "draw")
    add_endpoint("pair", pair, "draw")


def _once(handler: Callable[..., tuple], count: int) -> Callable[..., tuple]:
    """A handler with `count` outputs that does nothing if its additional last input is not empty."""
    return lambda *values: (gr.skip(),) * count if values[-1] else handler(*values[:-1])


def _controls(choices: list[tuple[str, str]]) -> tuple[list[Any], gr.Button, list[gr.events.Dependency]]:
    """The inputs of a comparison, the button that starts it, and the events of the presets."""
    presets = preset_buttons(comparing.presets())
    models = gr.Dropdown(
        choices,
        value=comparing.first_choice(),
        multiselect=True,
        max_choices=MOST_MODELS,
        label="Models",
        info="All are compared with the first",
        elem_id="compare-models",
    )
    seeds = gr.Textbox(FIRST_SEEDS, label="Seeds", info=f"Up to {MOST_SEEDS}, as in 0-5, 42", elem_id="compare-seeds")
    button = gr.Button("Compare", variant="primary", elem_id="compare")
    events = [
        preset.click(lambda names=names: names, None, models, api_visibility="private")
        for preset, names in presets.items()
    ]
    return [models, seeds], button, events


def _pair_part() -> list[Component]:
    """The outputs for a pair of faces."""
    title = gr.HTML(elem_id="pair-title", elem_classes="bare")
    with gr.Row():
        slider = gr.ImageSlider(
            label="Both faces", show_label=False, format="png", interactive=False, buttons=["download"], elem_id="wipe"
        )
        difference = gr.Image(
            label="Difference",
            show_label=False,
            format="png",
            interactive=False,
            buttons=["download"],
            elem_id="difference",
            alt_text="Map of the differences between the two faces",
        )
    return [title, slider, difference, gr.HTML(elem_id="distances", elem_classes="bare")]


def _results() -> None:
    """The charts and tables of the shipped models."""
    gr.Markdown("## Results")
    records = comparing.results()
    if not records:
        gr.Markdown("There are no results yet; measure the models with `python -m ganopt experiments`.")
        return
    drawings = "".join(map(charts.scatter, comparing.plots(records)))
    gr.HTML(f'<div class="plots">{drawings}</div>', elem_classes="bare")
    build_tables(tables.tables(records), folded=True)


def _show(compared: Comparison, device: torch.device, scratch: Scratch) -> tuple[str, str, list[list[str]], list]:
    """A summary, the path of a sheet, facts about each model, and faces with captions, one row per seed."""
    models, seeds, records = compared.models, compared.seeds, comparing.results()
    lines = [comparing.facts(model, records) for model in models]
    captions = [
        [f"seed {seed} · L1 {value:.3f}" if index else f"seed {seed}" for seed, value in zip(seeds, row, strict=True)]
        for index, row in enumerate(compared.differences.tolist())
    ]
    path = scratch.path("comparison.png")
    save_png(comparison(compared.pictures, lines, captions), path)
    faces = compared.pictures.transpose(0, 1).flatten(0, 1)  # (models, seeds, ...) -> (seeds * models, ...)
    texts = [text for row in zip(*captions, strict=True) for text in row]
    facts = f"{len(faces)} faces in {compared.seconds:.2f} s on {device}. "
    facts += "L1: mean absolute difference to the first model's face."
    return facts, str(path), lines, captioned(faces, texts)


def _headings(facts: list[list[str]]) -> str:
    """HTML with the facts about each model, to be shown above its column."""
    headings = ("".join(f"<div>{html.escape(line)}</div>" for line in lines) for lines in facts)
    cells = "".join(f"<div>{heading}</div>" for heading in headings)
    return f'<div class="heads" style="--grid-cols: {len(facts)}">{cells}</div>'


def _pair_at(drawn: tuple[list[str], list[int]], index: int) -> tuple[str, str, str]:
    """The first model, the model of a face in the gallery, or the second model if it is the first, and the seed."""
    models, seeds = drawn
    row, column = divmod(index, len(models))
    return models[0], models[column or min(1, len(models) - 1)], str(seeds[row])


def _pair(compared: Comparison, device: torch.device) -> tuple:
    """For two models and one seed: a title, both faces, the difference map and a summary."""
    first, second = compared.pictures[:, 0]
    cosine = gpu.cosines(first[None], second[None], device)[0]
    difference = store_png(comparing.difference_map(first, second))
    entries = [zoo.entry(name) for name in compared.models]
    left, right = (html.escape(entry.title) for entry in entries)
    title = f"<b>Seed {compared.seeds[0]}</b>: {left} (left) and {right} (right)."
    text = (
        f"L1 {compared.differences[1, 0]:.3f}: mean absolute difference, from 0 to 1. Cosine {cosine:.3f}: similarity "
        "of the Inception features, 1 for equal features. In the difference map, black is 0 and pale yellow is "
        f"{BRIGHTEST} or more."
    )
    if entries[1].role == "transfer":
        text += " A transferred model keeps the coarse structure of its source: compare pose, gaze and colours."
    return title, store_png(first), store_png(second), difference, text


def _from_link(request: gr.Request) -> tuple:
    """The tab, models and seeds in the page's address, if it contains a comparison."""
    parameters = request.query_params
    if "compare" not in parameters:
        return (gr.skip(),) * 3
    choices = model_choices()
    known = [name for _, name in choices]
    names = parameters["compare"].split(",")
    if unknown := [name for name in names if name not in known]:
        gr.Warning(f"The model '{unknown[0][:60]}' in the link does not exist; it is left out.")
    models = [name for name in names if name in known] or comparing.first_choice()
    dropdown = gr.Dropdown(choices=choices, value=models)
    return gr.Tabs(selected="compare"), dropdown, parameters.get("compare_seeds", FIRST_SEEDS)
