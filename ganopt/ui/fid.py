"""The tab FID: models or uploaded pictures against a reference, with the floor and further metrics."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.errors import UserError
from ganopt.files import write_text
from ganopt.metrics import features, references, scores
from ganopt.metrics.evaluation import Plan
from ganopt.models import zoo
from ganopt.thesis.comparison import first_choice
from ganopt.thesis.table_text import Table, as_csv
from ganopt.ui import gpu
from ganopt.ui.address import Address, Parameters, query_of, show_after, tab_of
from ganopt.ui.api import add_endpoint, as_file, check_number, uploaded_path
from ganopt.ui.common import QUIET, Scratch, model_choices, model_names, preset_buttons, refresh_models
from ganopt.ui.fid_results import curve_html, heads, progress_html, table_of
from ganopt.ui.figures import html_table
from ganopt.ui.messages import answer, sentence_place

MAX_PICTURES = 5000  # in a sample
MAX_REPEATS = 3
NO_MODEL = "none"
AS_IMAGES, AS_REFERENCE = "images to evaluate", "the reference"
READY = "Press <b>Measure</b>. Without a GPU, this takes a minute or two."


def build_fid(address: Address, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Only one measurement runs at a time, for all visitors together."""
    # sessions that pressed Stop; cancelling by Gradio would take seconds
    stopped: set[str | None] = set()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=1, min_width=280, elem_classes="controls"):
            inputs, button, stop = _controls()
            problem = sentence_place("fid-problem")
        with gr.Column(scale=3, min_width=320):
            outputs = _results()

    link = gr.Textbox(visible=False, label="link")

    def show(
        models: list[str],
        reference: str,
        count: int,
        repeats: int,
        seed: int,
        against: str,
        upload: str | None,
        role: str,
        request: gr.Request,
    ) -> Iterator[tuple]:
        plan = Plan(
            models=tuple(models or ()),
            against="" if against == NO_MODEL else against,
            count=int(count),
            repeats=int(repeats),
            seed=int(seed or 0),
            **_sources(reference or "", upload, role == AS_REFERENCE),
        )
        session = request.session_hash
        stopped.discard(session)
        kept = (gr.skip(),) * 3  # the results of the last measurement, until this one has some
        yield "Starting.", *kept
        for text, table, path, points in _measure(plan, device, scratch, lambda: session in stopped):
            yield (text, *(_shown(table, path, points) if table else kept))

    def request_stop(request: gr.Request) -> None:
        stopped.add(request.session_hash)

    show_after(button.click(_link, inputs[:3], link, queue=False, **QUIET), "fid", link)
    measuring: dict[str, Any] = {"concurrency_id": "measure", "concurrency_limit": 1} | QUIET
    # a click right after Stop counts
    answer(button.click, show, inputs, outputs, problem, "always_last", idle={outputs[0]: READY}, **measuring)
    stop.click(request_stop, queue=False, api_visibility="private")
    refresh_models(tab, inputs[0], model_choices)
    _add_endpoints(inputs[0].value, inputs[1].value or "", device, scratch)
    address.read(_from_link, inputs[:3])


def _add_endpoints(models: list[str], reference: str, device: torch.device, scratch: Scratch) -> None:
    """Add the endpoint of the tab, with these models and this reference as defaults."""

    def fid(
        models: list[str] = models,
        reference: str = reference,
        count: int = 500,
        repeats: int = 1,
        seed: int = 0,
        against: str = "",
        upload: dict | None = None,
        upload_as_reference: bool = False,
    ) -> Iterator[dict]:
        """Measure models, or uploaded pictures (`upload`, a zip file), against a reference; progress is streamed.

        In the result, `status` is the progress, `rows` are the results in the columns of `headers`, `notes` say which
        figures are absent and why, `csv` is a file of the rows, and `curve` is FID against the number of pictures.
        """
        zoo.check_offered([*models, *filter(None, [against])])
        check_number("count", count, features.MIN_PICTURES, MAX_PICTURES)
        check_number("repeats", repeats, 1, MAX_REPEATS)
        sources = _sources(reference, str(uploaded_path(upload)) if upload else None, upload_as_reference)
        if sources["reference"] == reference and reference not in (known := references.names()):
            raise UserError(f"Unknown reference {reference[:80]!r}; use one of {', '.join(known)}.")
        names = tuple(dict.fromkeys(models))
        plan = Plan(models=names, against=against, count=count, repeats=repeats, seed=seed, **sources)
        result: dict[str, Any] = {"status": "", "headers": heads([]), "rows": [], "notes": "", "csv": None, "curve": []}
        for text, table, path, points in _measure(plan, device, scratch, lambda: False):
            changes: dict[str, Any] = {"csv": path and as_file(path), "curve": points}
            changes |= {"headers": table.heads, "rows": table.rows, "notes": table.notes} if table else {}
            result |= {"status": text} | {name: value for name, value in changes.items() if value}
            yield result

    add_endpoint("fid", fid, "measure")


def _controls() -> tuple[list[Any], gr.Button, gr.Button]:
    """The inputs in the order of the handler's parameters, and the buttons to start and stop a measurement."""
    names, known = model_names(), references.names()
    presets = preset_buttons(
        {"Quick: one model, 100 pictures": (names[:1], 100), "Teacher and student, 500 pictures": (first_choice(), 500)}
    )
    choices = model_choices()
    models = gr.CheckboxGroup(choices, value=names[:1], label="Models", elem_id="fid-models")
    reference = gr.Dropdown(known, value=next(iter(known), None), label="Reference", elem_id="fid-reference")
    count = gr.Slider(features.MIN_PICTURES, MAX_PICTURES, 500, step=50, label="Pictures (n)", elem_id="fid-count")
    repeats = gr.Slider(
        1, MAX_REPEATS, 1, step=1, label="Samples per model", info="Two or more show the spread over seeds"
    )
    with gr.Accordion("More settings", open=False):
        seed = gr.Number(0, label="First seed", precision=0, minimum=0)
        against = gr.Dropdown([(NO_MODEL, NO_MODEL), *choices], value=NO_MODEL, label="Also compute FID to this model")
        own = gr.File(label="Upload (.zip or .npz)", file_types=[".zip", ".npz"], elem_id="fid-own")
        role = gr.Radio([AS_IMAGES, AS_REFERENCE], value=AS_IMAGES, label="Use the upload as")
    with gr.Row():
        button = gr.Button("Measure", variant="primary", min_width=100, elem_id="measure")
        stop = gr.Button("Stop", min_width=100, elem_id="fid-stop")
    for preset, values in presets.items():
        preset.click(lambda values=values: values, None, [models, count], **QUIET)
    return [models, reference, count, repeats, seed, against, own, role], button, stop


def _link(models: list[str], reference: str, count: int) -> str:
    """The query for a measurement."""
    return query_of("fid", fid=",".join(models), fid_n=int(count), fid_reference=reference or "")


def _from_link(parameters: Parameters) -> tuple:
    """The models, the reference and the number of pictures in the page's address, as far as it contains them."""
    if tab_of(parameters) != "fid":
        return (gr.skip(),) * 3
    names, requested = model_names(), parameters.get("fid", "").split(",")
    if unknown := [name for name in requested if name and name not in names]:
        gr.Warning(f"The model '{unknown[0][:60]}' in the link does not exist; it is left out.")
    models = [name for name in names if name in requested]
    reference, count = parameters.get("fid_reference", ""), parameters.get("fid_n", "")
    if reference and reference not in references.names():
        gr.Warning(f"The reference '{reference[:60]}' in the link does not exist; choose one.")
        reference = ""
    is_count = count.isdecimal() and features.MIN_PICTURES <= int(count) <= MAX_PICTURES
    return (
        gr.CheckboxGroup(model_choices(), value=models) if models else gr.skip(),
        reference or gr.skip(),
        int(count) if is_count else gr.skip(),
    )


def _results() -> list[Component]:
    """The outputs, in the order of the values of `_measure`."""
    status = gr.HTML(READY, elem_id="fid-status", elem_classes="bare")
    table = gr.HTML(elem_id="fid-table", elem_classes="bare")
    file = gr.DownloadButton("Download as CSV", visible=False, size="sm", elem_id="fid-csv")
    curve = gr.HTML(elem_id="fid-curve", elem_classes="bare")
    gr.Markdown(Path(__file__).with_name("fid.md").read_text(encoding="utf-8"), elem_classes="reading")
    return [status, table, file, curve]


def _shown(table: Table, path: str, points: list[dict]) -> tuple:
    """The values of the outputs but the status."""
    return html_table(table), gr.DownloadButton(value=path, visible=True), curve_html(points) if points else ""


def _sources(reference: str, upload: str | None, upload_as_reference: bool) -> dict[str, Any]:
    """The arguments of `Plan` for a reference and an uploaded file, which is measured or replaces the reference."""
    if upload and upload_as_reference:
        return {"reference": Path(upload)}
    return {"reference": reference, "paths": (Path(upload),) if upload else ()}


def _measure(
    plan: Plan, device: torch.device, scratch: Scratch, is_stopped: Callable[[], bool]
) -> Iterator[tuple[str, Table | None, str, list[dict]]]:
    """Measure, and yield the progress as text, and, if they have changed, the table, its CSV file and the curve."""
    start, measured, points = time.monotonic(), [], []
    with contextlib.closing(gpu.evaluate(plan, device)) as updates:
        for update in updates:
            if is_stopped():
                break
            table, path = None, ""
            if update.score:
                measured.append(update.score)
                bias = scores.bias(*update.compared) if update.compared else ()
                points += [{"n": n, "FID": value, "model": update.score.name} for n, value in bias]
                table = table_of(measured)
                path = str(scratch.path(f"fid-{measured[0].reference}.csv"))
                write_text(Path(path), as_csv(table))
            yield progress_html(update.done, update.total, time.monotonic() - start), table, path, points
    end = "Stopped" if is_stopped() else "Done"
    yield f"{end} after {time.monotonic() - start:.0f} s.", None, "", []
