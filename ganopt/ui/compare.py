"""The tab Compare: models side by side on the same seeds, a pair of faces in detail, and results."""

import functools
import html
from collections.abc import Callable
from typing import Any

import gradio as gr
import torch

from ganopt import __version__
from ganopt.errors import shell_command
from ganopt.models.latents import format_seeds, label, parse_faces, say_repeats
from ganopt.models.sampling import save_png
from ganopt.thesis import comparison as comparing
from ganopt.thesis import tables
from ganopt.thesis.comparison import MAX_MODELS, MAX_SEEDS, Comparison
from ganopt.thesis.model_facts import are_measured, facts, savings
from ganopt.ui import common, figures, gpu
from ganopt.ui.address import Address, Parameters, parse, query_of, show_after, tab_of
from ganopt.ui.api import add_endpoint, as_file, as_pictures
from ganopt.ui.messages import answer, sentence_place
from ganopt.ui.pair import build_pair, describe_pair, index_of, pair_at
from ganopt.ui.result_tables import build_tables
from ganopt.viz import charts
from ganopt.viz.sheets import comparison

FIRST_SEEDS = "0-7"
SHOW_PAIR = "() => document.querySelector('#pair').scrollIntoView({ block: 'nearest' })"


def build_compare(address: Address, tab: gr.Tab, device: torch.device, scratch: common.Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models."""
    choices = common.model_choices()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=2, min_width=260, elem_classes="controls"):
            inputs, button, presets = _controls(choices)
            problem = sentence_place("compare-problem")
            said = gr.Markdown(elem_id="compare-facts")
            file = gr.DownloadButton("Download as PNG", elem_id="compare-sheet")
        with gr.Column(scale=3, min_width=320, elem_id="compared-side"):
            gr.Markdown("Click a face to compare it with that of the first model.")
            headings = gr.HTML(elem_id="heads", elem_classes="bare")
            gallery = common.face_gallery("Faces of the models", "compared", columns=1)
        with gr.Column(scale=4, min_width=320, elem_id="pair") as panel:
            details = build_pair()
            pair_problem = sentence_place("pair-problem")
    _results()
    drawn = gr.State(([], []))  # the models and seeds in the gallery
    wanted = gr.State(("", ""))  # the model and seed of the pair in the address
    chosen = gr.State(())  # the models and the seed of the pair to show
    described = gr.State(())  # the pair that is shown; () after a drawing, whose models may have changed
    link = gr.Textbox(visible=False, label="link")
    outputs = [said, file, headings, gallery, drawn, panel, wanted, chosen, described]
    draw, draw_first, draw_linked = _handlers(device, scratch, (gr.skip(),) * len(outputs))

    def show_pair(drawn: tuple, pair: tuple, described: tuple):
        if not pair or pair == described:
            return (gr.skip(),) * (len(details) + 2)
        first, second, seed = pair
        title, *pictures, text = describe_pair(gpu.compare([first, second], device, parse_faces(seed, 1)), device)
        models, seeds = drawn
        parameters = {"compare": ",".join(models), "compare_seeds": format_seeds(seeds), "pair": second}
        query = query_of("compare", **parameters, pair_seed=seed)
        return title, tuple(pictures[:2]), pictures[2], text, query, pair

    def choose(drawn: tuple, event: gr.SelectData):
        common.check_session(drawn[1])
        return pair_at(drawn, event.index)

    draw_on = functools.partial(answer, concurrency_id="draw")

    def pair_after(event: common.Event) -> common.Event:
        inputs, outputs = [drawn, chosen, described], [*details, link, described]
        shown = draw_on(event.success, show_pair, inputs, outputs, pair_problem, "always_last")
        return show_after(shown, "compare", link)

    to_draw = [*inputs, wanted]
    linked = address.read(_from_link, to_draw)
    for event in ([button.click, inputs[1].submit], *(event.success for event in presets)):
        pair_after(draw_on(event, draw, to_draw, outputs, problem, "always_last"))
    pair_after(draw_on(linked.success, draw_linked, [*to_draw, drawn, address.query], outputs, problem, "always_last"))
    pair_after(draw_on(tab.select, draw_first, [*to_draw, drawn], outputs, problem, "once"))
    clicked = draw_on(gallery.select, choose, [drawn], [chosen], pair_problem, "multiple")
    pair_after(clicked).success(None, js=SHOW_PAIR)
    common.refresh_models(tab, inputs[0], common.model_choices)
    _add_endpoints(gallery, device, scratch)


def _handlers(device: torch.device, scratch: common.Scratch, unchanged: tuple) -> tuple[Callable, Callable, Callable]:
    """Handlers that draw a comparison: always, if there is none, and if the address asks for another one."""

    def draw(models: list[str], seeds: str, wanted: tuple[str, str]) -> tuple:
        compared = gpu.compare(models or [], device, parse_faces(seeds, MAX_SEEDS))
        shown, panel = (compared.models, compared.seeds), gr.Column(visible=len(compared.models) > 1)
        said, sheet, lines, faces, saved = _show(compared, device, scratch)
        gallery = gr.Gallery(faces, columns=len(lines), selected_index=None)  # no outline: it would be of an old pair
        pair = pair_at(shown, index_of(shown, wanted))
        said += say_repeats(seeds, compared.seeds)
        return said, sheet, _headings(lines, saved), gallery, shown, panel, ("", ""), pair, ()

    def draw_first(models: list[str], seeds: str, wanted: tuple[str, str], drawn: tuple) -> tuple:
        if drawn[0]:
            return unchanged
        *outputs, _, pair, described = draw(models, seeds, wanted)
        return *outputs, gr.skip(), pair, described  # an address that is read meanwhile keeps its pair

    def draw_linked(models: list[str], seeds: str, wanted: tuple[str, str], drawn: tuple, query: str) -> tuple:
        if tab_of(parse(query)) != "compare":
            return unchanged
        is_there = drawn == (models, parse_faces(seeds, MAX_SEEDS)) and wanted == ("", "")
        return unchanged if is_there else draw(models, seeds, wanted)

    return draw, draw_first, draw_linked


def _add_endpoints(gallery: gr.Gallery, device: torch.device, scratch: common.Scratch) -> None:
    """Add the endpoints of the tab. `gallery` writes the pictures as files."""
    models = comparing.first_choice()

    def compare(models: list[str] = models, seeds: str = FIRST_SEEDS) -> tuple[str, dict, list[list[str]], list[dict]]:
        """Draw the same seeds with up to five models, and compare them with the first one.

        Returns a summary, a sheet of all faces, facts about each model, and the faces as PNG files, one row per seed.
        """
        compared = gpu.compare(models, device, parse_faces(seeds, MAX_SEEDS))
        said, sheet, lines, faces, _ = _show(compared, device, scratch)
        return said + say_repeats(seeds, compared.seeds), as_file(sheet), lines, as_pictures(gallery, faces)

    def pair(first: str = models[0], second: str = models[-1], seed: int = 0) -> tuple[list[dict], str]:
        """Compare the faces of two models for one seed: both faces and a difference map as PNG files, and a summary."""
        compared = gpu.compare([first, second], device, parse_faces(str(seed), 1))
        _, *pictures, text = describe_pair(compared, device)
        return as_pictures(gallery, list(zip(pictures, [first, second, "difference"], strict=True))), text

    add_endpoint("compare", compare, "draw")
    add_endpoint("pair", pair, "draw")


def _controls(choices: list[tuple[str, str]]) -> tuple[list[Any], gr.Button, list[gr.events.Dependency]]:
    """The inputs of a comparison, the button that starts it, and the events of the presets."""
    presets = common.preset_buttons(comparing.presets())
    models = gr.Dropdown(
        choices,
        value=comparing.first_choice(),
        multiselect=True,
        max_choices=MAX_MODELS,
        label="Models",
        info="All are compared with the first; sizes as float16",
        elem_id="compare-models",
    )
    seeds = gr.Textbox(
        FIRST_SEEDS, label="Seeds", info=f"Up to {MAX_SEEDS}, as in 0-5, 42", max_lines=1, elem_id="compare-seeds"
    )
    button = gr.Button("Compare", variant="primary", elem_id="compare")
    events = [
        preset.click(lambda names=names: names, None, models, api_visibility="private")
        for preset, names in presets.items()
    ]
    return [models, seeds], button, events


def _results() -> None:
    """The charts and tables of the shipped models."""
    gr.Markdown("## Results")
    records = comparing.results()
    if not records:
        gr.Markdown(f"There are no results yet; measure the models with `{shell_command('experiments')}`.")
        return
    gr.HTML(figures.plots(map(charts.scatter, comparing.plots(records))), elem_classes="bare")
    build_tables(tables.tables(records), folded=True)


def _show(compared: Comparison, device: torch.device, scratch: common.Scratch) -> tuple:
    """A summary, the path of a sheet, facts about each model, faces with captions by row, and savings by title."""
    models, seeds, records = compared.models, compared.seeds, comparing.results()
    measured = {} if are_measured(models, records) else gpu.latencies(models, device)
    found = facts(models, records, measured, f"{device}, measured here")
    lines = [each.lines for each in found]
    captions = [
        [f"{label(seed)} · L1 {value:.3f}" if index else label(seed) for seed, value in zip(seeds, row, strict=True)]
        for index, row in enumerate(compared.differences.tolist())
    ]
    path = scratch.path(f"{' '.join(models)}-seeds-{format_seeds(seeds)}.png")
    notes = [
        f"{len(seeds)} seed{'s' * (len(seeds) > 1)}: {format_seeds(seeds)}. L1: mean absolute difference, from 0 to 1.",
        f"Drawn in float32 on {device} by ganopt {__version__}, torch {torch.__version__}.",
    ]
    save_png(comparison(compared.pictures, lines, captions, notes), path)
    faces = compared.pictures.transpose(0, 1).flatten(0, 1)  # (models, seeds, ...) -> (seeds * models, ...)
    texts = [text for row in zip(*captions, strict=True) for text in row]
    said = f"{len(faces)} faces in {compared.seconds:.2f} s on {device}. "
    said += "L1: mean absolute difference to the first model's face."
    saved = {each.entry.title: savings(found[0], each) for each in found[1:]}
    return said, str(path), lines, common.captioned(faces, texts), saved


def _headings(facts: list[list[str]], saved: dict[str, str]) -> str:
    """HTML with what each further model saves, and the facts about each model, to be shown above its column."""
    savings = "".join(f"<p><b>{html.escape(title)}</b>: {html.escape(text)}</p>" for title, text in saved.items())
    headings = ("".join(f"<div>{html.escape(line)}</div>" for line in lines) for lines in facts)
    cells = "".join(f"<div>{heading}</div>" for heading in headings)
    columns = f"--grid-cols: {len(facts)}"
    return f'<div class="savings">{savings}</div><div class="heads" style="{columns}">{cells}</div>'


def _from_link(parameters: Parameters) -> tuple:
    """The models and seeds in the page's address, and the model and seed of the pair, if it contains a comparison."""
    if "compare" not in parameters:
        return (gr.skip(),) * 3
    choices = common.model_choices()
    known = [name for _, name in choices]
    names = parameters["compare"].split(",")
    if unknown := [name for name in names if name not in known]:
        gr.Warning(f"The model '{unknown[0][:60]}' in the link does not exist; it is left out.")
    models = [name for name in names if name in known] or comparing.first_choice()
    pair = parameters.get("pair", ""), parameters.get("pair_seed", "")
    return gr.Dropdown(choices=choices, value=models), parameters.get("compare_seeds", FIRST_SEEDS), pair
