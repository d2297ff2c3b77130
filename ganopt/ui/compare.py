"""The tab Compare: models side by side on the same seeds, a pair of faces in detail, and what was measured."""

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
from ganopt.ui.api import as_file, as_pictures, offer
from ganopt.ui.common import (
    Scratch,
    captioned,
    check_known,
    examples,
    face_gallery,
    keep_in_url,
    model_choices,
    renew_models,
    show_errors,
    stored,
    tabs_of,
)
from ganopt.ui.measured import build_measured
from ganopt.viz import charts
from ganopt.viz.sheets import comparison

FIRST_SEEDS = "0-7"
SHOW_PAIR = "() => document.querySelector('#pair').scrollIntoView({ block: 'nearest' })"


def build_compare(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab inside the page. Raises UserError, before anything is built, where there is no model."""
    choices = model_choices()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=2, min_width=260, elem_classes="controls"):
            inputs, button, presets = _controls(choices)
            facts = gr.Markdown(elem_id="compare-facts")
            file = gr.DownloadButton("Download as one picture", elem_id="compare-sheet")
        with gr.Column(scale=3, min_width=320, elem_id="compared-side"):
            gr.Markdown("Click a face to compare it with the first model's.")
            heads = gr.HTML(elem_id="heads", elem_classes="bare")
            gallery = face_gallery("Faces of the models", "compared", columns=1)
        with gr.Column(scale=4, min_width=320, elem_id="pair") as panel:
            details = _pair_part()
    _figures()
    drawn = gr.State(([], []))  # what the gallery shows: models, seeds
    chosen = [gr.Textbox(visible=False, label=name) for name in ("first model", "second model", "seed")]

    @show_errors
    def show(models: list[str], seeds: str):
        found = gpu.compare(models or [], device, parse_seeds(seeds, MOST_SEEDS))
        shown, panel = (found.models, found.seeds), gr.Column(visible=len(found.models) > 1)
        facts, sheet, lines, faces = _drawn(found, device, scratch)
        gallery = gr.Gallery(faces, columns=len(lines))
        return facts, sheet, _heads(lines), gallery, shown, panel, *_pair_at(shown, 0)

    @show_errors
    def show_pair(first: str, second: str, seed: str):
        title, *pictures, sentence = _pair(gpu.compare([first, second], device, parse_seeds(seed, 1)), device)
        return title, tuple(pictures[:2]), pictures[2], sentence

    @show_errors
    def choose(drawn: tuple, event: gr.SelectData):
        check_known(drawn[1])
        return _pair_at(drawn, event.index)

    outputs = [facts, file, heads, gallery, drawn, panel, *chosen]
    private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "draw"}
    asked = gr.on(
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
    for event in (asked, *chosen_by):
        event.success(None, inputs, js=keep_in_url("compare"), api_visibility="private")
        event.success(show_pair, chosen, details, **private)
    opened = tab.select(_once(show, len(outputs)), [*inputs, heads], outputs, **private)
    opened.success(_once(show_pair, len(details)), [*chosen, details[0]], details, **private)
    renew_models(tab, inputs[0], model_choices)
    _offer_comparisons(gallery, device, scratch)
    demo.load(_from_link, None, [tabs_of(tab), *inputs], api_visibility="private", show_progress="hidden")


def _offer_comparisons(gallery: gr.Gallery, device: torch.device, scratch: Scratch) -> None:
    """Let programs compare models on several seeds, and a pair of them on one; `gallery` makes files of pictures."""
    models = comparing.first_choice()

    def compare(models: list[str] = models, seeds: str = FIRST_SEEDS) -> tuple[str, dict, list[list[str]], list[dict]]:
        """Draw the same seeds with up to five models, the others compared with the first.

        Returns a sentence, a sheet of all, what is known of each model, and the faces as PNG pictures, a row a seed.
        """
        found = gpu.compare(models, device, parse_seeds(seeds, MOST_SEEDS))
        facts, sheet, lines, faces = _drawn(found, device, scratch)
        return facts, as_file(sheet), lines, as_pictures(gallery, faces)

    def pair(first: str = models[0], second: str = models[-1], seed: int = 0) -> tuple[list[dict], str]:
        """Compare one seed's faces of two models: both and the map of their differences as PNG pictures, a sentence."""
        found = gpu.compare([first, second], device, parse_seeds(str(seed), 1))
        _, *pictures, sentence = _pair(found, device)
        return as_pictures(gallery, list(zip(pictures, [first, second, "difference"], strict=True))), sentence

    offer("compare", compare, "draw")
    offer("pair", pair, "draw")


def _once(handler: Callable[..., tuple], count: int) -> Callable[..., tuple]:
    """A handler with `count` outputs that does nothing where its last input, one more, holds something already."""
    return lambda *values: (gr.skip(),) * count if values[-1] else handler(*values[:-1])


def _controls(choices: list[tuple[str, str]]) -> tuple[list[Any], gr.Button, list[gr.events.Dependency]]:
    """What `compare` takes, the button that starts it, and the events that choose well-known models."""
    presets = examples(comparing.presets())
    models = gr.Dropdown(
        choices,
        value=comparing.first_choice(),
        multiselect=True,
        max_choices=MOST_MODELS,
        label="Models",
        info="The first is what the others are compared with",
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
    """Where what `pair` returns goes."""
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
            alt_text="Map of how far both faces differ",
        )
    return [title, slider, difference, gr.HTML(elem_id="distances", elem_classes="bare")]


def _figures() -> None:
    """The plots and tables of what has been measured."""
    gr.Markdown("## What was measured")
    known = comparing.results()
    if not known:
        gr.Markdown("Nothing has been measured here yet; `python -m ganopt experiments` does.")
        return
    drawings = "".join(map(charts.scatter, comparing.plots(known)))
    gr.HTML(f'<div class="plots">{drawings}</div>', elem_classes="bare")
    build_measured(tables.tables(known), folded=True)


def _drawn(found: Comparison, device: torch.device, scratch: Scratch) -> tuple[str, str, list[list[str]], list]:
    """A sentence, the path of a sheet, what is known of each model, and captioned faces, a row a seed."""
    models, seeds, records = found.models, found.seeds, comparing.results()
    lines = [comparing.facts(model, records) for model in models]
    captions = [
        [f"seed {seed} · L1 {value:.3f}" if index else f"seed {seed}" for seed, value in zip(seeds, row, strict=True)]
        for index, row in enumerate(found.differences.tolist())
    ]
    path = scratch.path("comparison.png")
    save_png(comparison(found.pictures, lines, captions), path)
    faces = found.pictures.transpose(0, 1).flatten(0, 1)  # a row a seed
    texts = [text for row in zip(*captions, strict=True) for text in row]
    facts = (
        f"{len(faces)} faces in {found.seconds:.2f} s on {device}. L1: mean absolute difference to the first model's."
    )
    return facts, str(path), lines, captioned(faces, texts)


def _heads(lines: list[list[str]]) -> str:
    """What is known of the models, above their columns."""
    heads = ("".join(f"<div>{html.escape(line)}</div>" for line in head) for head in lines)
    cells = "".join(f"<div>{head}</div>" for head in heads)
    return f'<div class="heads" style="--grid-cols: {len(lines)}">{cells}</div>'


def _pair_at(drawn: tuple[list[str], list[int]], index: int) -> tuple[str, str, str]:
    """The first model, that of a face of the gallery (of a face of the first, the second) and its seed."""
    models, seeds = drawn
    row, column = divmod(index, len(models))
    return models[0], models[column or min(1, len(models) - 1)], str(seeds[row])


def _pair(found: Comparison, device: torch.device) -> tuple:
    """Of two models and one seed: a title, both faces, the map of their differences and a sentence."""
    ours, theirs = found.pictures[:, 0]
    cosine = gpu.cosines(ours[None], theirs[None], device)[0]
    difference = stored(comparing.difference_map(ours, theirs))
    entries = [zoo.entry(name) for name in found.models]
    left, right = (html.escape(entry.title) for entry in entries)
    title = f"<b>Seed {found.seeds[0]}</b>: on the left {left}, on the right {right}."
    sentence = (
        f"L1 {found.differences[1, 0]:.3f}: the mean absolute difference, from 0 to 1. Cosine {cosine:.3f}, that of "
        "Inception's features: at 1 they look the same to that network. In the map, black is no difference, pale "
        f"yellow {BRIGHTEST} or more."
    )
    kept = " A transfer keeps what its source draws at large: compare pose, gaze and colours."
    sentence += kept if entries[1].role == "transfer" else ""
    return title, stored(ours), stored(theirs), difference, sentence


def _from_link(request: gr.Request) -> tuple:
    """The tab, the models and the seeds that the page's address asks for, if it asks for a comparison."""
    asked = request.query_params
    if "compare" not in asked:
        return (gr.skip(),) * 3
    choices = model_choices()
    offered = [name for _, name in choices]
    names = asked["compare"].split(",")
    if unknown := [name for name in names if name not in offered]:
        gr.Warning(f"The link asks for the model '{unknown[0][:60]}', which is not here.")
    models = [name for name in names if name in offered] or comparing.first_choice()
    chosen = gr.Dropdown(choices=choices, value=models)
    return gr.Tabs(selected="compare"), chosen, asked.get("compare_seeds", FIRST_SEEDS)
