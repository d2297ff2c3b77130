"""The tab FID: models or a user's own pictures against a reference, with what makes the number mean something."""

import contextlib
import csv
import html
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.metrics import evaluation, features
from ganopt.metrics.evaluation import FLOOR, Plan, Score
from ganopt.models import zoo
from ganopt.thesis.comparison import first_choice
from ganopt.thesis.tables import Table
from ganopt.ui import gpu
from ganopt.ui.api import as_file, check_number, offer, uploaded
from ganopt.ui.common import QUIET, Scratch, examples, keep_in_url, model_names, renew_models, show_errors, tabs_of
from ganopt.ui.measured import html_table
from ganopt.viz import charts

MOST_PICTURES = 5000  # of a sample, on the page
HEADERS = ["Pictures of", "n", "FID", "Spread", "KID x 1000", "Precision", "Recall", "FID to teacher"]
MOST_REPEATS = 3
NOTHING = "nothing"
AS_REFERENCE = "as the reference"
READY = "Press <b>Measure</b>; without a GPU, give it a minute or two."
TEXT = """
**fid500** compares what the Inception network sees in 500 generated faces with what it sees in 500 held-out
photographs: 0 would be the same distribution. Even real photographs score well above 0 against others, because 500
pictures are few: that *floor* stands in the first row. The fewer the pictures, the higher the number, as the curve
shows; so **fid500 compares with fid500 and the same reference only**, never with the fid50k of a paper.

*KID* has no such bias. *Precision* is the share of generated faces that lie near real ones, *recall* the share of
real ones that lie near generated ones: a model that draws the same good face again and again has the first alone.
"""


def build_fid(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab inside the page. Measuring is one at a time for all visitors."""
    # the sessions that pressed Stop: Gradio's own cancelling comes seconds later
    stopped: set[str | None] = set()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=1, min_width=280, elem_classes="controls"):
            inputs, button, stop = _controls()
        with gr.Column(scale=3, min_width=320):
            outputs = _results()

    @show_errors
    def show(
        models: list[str],
        reference: str,
        count: int,
        repeats: int,
        seed: int,
        against: str,
        own: str | None,
        role: str,
        request: gr.Request,
    ) -> Iterator[tuple]:
        plan = Plan(
            models=tuple(models or ()),
            against="" if against == NOTHING else against,
            count=int(count),
            repeats=int(repeats),
            seed=int(seed or 0),
            **_sources(reference or "", own, role == AS_REFERENCE),
        )
        session = request.session_hash
        stopped.discard(session)
        yield "Starting.", "", gr.DownloadButton(visible=False), ""
        for text, rows, path, points in _measure(plan, device, scratch, lambda: session in stopped):
            table = html_table(Table("fid", "Results", HEADERS, rows)) if rows else gr.skip()
            curve = _curve(points) if points else gr.skip()
            file = gr.DownloadButton(value=path, visible=True) if path else gr.skip()
            yield text, table, file, curve

    def ask_to_stop(request: gr.Request) -> None:
        stopped.add(request.session_hash)

    button.click(None, inputs[0], js=keep_in_url("fid"), api_visibility="private")
    button.click(
        show,
        inputs,
        outputs,
        api_visibility="private",
        concurrency_id="measure",
        concurrency_limit=1,
        trigger_mode="always_last",  # a click right after Stop counts
        show_progress="hidden",
    )
    stop.click(ask_to_stop, queue=False, api_visibility="private")
    renew_models(tab, inputs[0], model_names)
    _offer_fid(inputs[0].value, inputs[1].value or "", device, scratch)
    demo.load(_from_link, None, [tabs_of(tab), inputs[0]], api_visibility="private", show_progress="hidden")


def _offer_fid(models: list[str], reference: str, device: torch.device, scratch: Scratch) -> None:
    """Let programs measure, the given models against the given reference by default."""

    def fid(
        models: list[str] = models,
        reference: str = reference,
        count: int = 500,
        repeats: int = 1,
        seed: int = 0,
        against: str = "",
        own: dict | None = None,
        own_as_reference: bool = False,
    ) -> Iterator[dict]:
        """Measure models, or uploaded pictures (`own`, a zip), against a reference; further dictionaries as it goes on.

        `said` is how far it is; `rows` has the results under `headers`, `csv` is their file, `curve` FID against n.
        """
        zoo.check_offered([*models, *filter(None, [against])])
        check_number("count", count, features.FEWEST, MOST_PICTURES)
        check_number("repeats", repeats, 1, MOST_REPEATS)
        sources = _sources(reference, str(uploaded(own)) if own else None, own_as_reference)
        if sources["reference"] == reference and reference not in (offered := features.references()):
            raise UserError(f"There is no reference {reference[:80]!r} here; take any of {', '.join(offered)}.")
        names = tuple(dict.fromkeys(models))
        plan = Plan(models=names, against=against, count=count, repeats=repeats, seed=seed, **sources)
        found: dict[str, Any] = {"said": "", "headers": HEADERS, "rows": [], "csv": None, "curve": []}
        for text, rows, path, points in _measure(plan, device, scratch, lambda: False):
            changed = {"rows": rows, "csv": path and as_file(path), "curve": points}
            found |= {"said": text} | {name: value for name, value in changed.items() if value}
            yield found

    offer("fid", fid, "measure")


def _controls() -> tuple[list[Any], gr.Button, gr.Button]:
    """What `fid` takes, in its order, and the buttons that start and stop it."""
    names, references = model_names(), features.references()
    asked = examples(
        {
            "A quick look: one model, 100 pictures": (names[:1], 100),
            "Teacher and student, 500 pictures": (first_choice(), 500),
        }
    )
    models = gr.CheckboxGroup(names, value=names[:1], label="Models", elem_id="fid-models")
    reference = gr.Dropdown(references, value=next(iter(references), None), label="Reference", elem_id="fid-reference")
    count = gr.Slider(features.FEWEST, MOST_PICTURES, 500, step=50, label="Pictures (n)", elem_id="fid-count")
    repeats = gr.Slider(
        1, MOST_REPEATS, 1, step=1, label="Samples of each model", info="More than one shows the spread over seeds"
    )
    with gr.Accordion("More", open=False):
        seed = gr.Number(0, label="First seed", precision=0, minimum=0)
        against = gr.Dropdown([NOTHING, *names], value=NOTHING, label="Distance to the faces of, too")
        own = gr.File(
            label="Your own pictures: a .zip, or .npz statistics", file_types=[".zip", ".npz"], elem_id="fid-own"
        )
        role = gr.Radio(["measure it", AS_REFERENCE], value="measure it", label="What it is for")
    with gr.Row():
        button = gr.Button("Measure", variant="primary", min_width=100, elem_id="measure")
        stop = gr.Button("Stop", min_width=100, elem_id="fid-stop")
    for example, values in asked.items():
        example.click(lambda values=values: values, None, [models, count], **QUIET)
    return [models, reference, count, repeats, seed, against, own, role], button, stop


def _from_link(request: gr.Request) -> tuple:
    """The tab, with the models that the page's address asks to measure, if it asks for any."""
    asked = request.query_params.get("fid", "").split(",")
    names = model_names() if any(asked) else []  # which reads the files of all runs
    if models := [name for name in names if name in asked]:
        return gr.Tabs(selected="fid"), gr.CheckboxGroup(names, value=models)
    return gr.skip(), gr.skip()


def _results() -> list[Component]:
    """Where the values of `_measure` go, in its order."""
    status = gr.HTML(READY, elem_id="fid-status", elem_classes="bare")
    table = gr.HTML(elem_id="fid-table", elem_classes="bare")
    file = gr.DownloadButton("Download as CSV", visible=False, size="sm", elem_id="fid-csv")
    curve = gr.HTML(elem_id="fid-curve", elem_classes="bare")
    gr.Markdown(TEXT, elem_classes="reading")
    return [status, table, file, curve]


def _sources(reference: str, own: str | None, own_as_reference: bool) -> dict[str, Any]:
    """What a plan says of a reference and a user's own file, measured or taken as the reference."""
    if own and own_as_reference:
        return {"reference": own}
    return {"reference": reference, "paths": (Path(own),) if own else ()}


def _measure(
    plan: Plan, device: torch.device, scratch: Scratch, is_stopped: Callable[[], bool]
) -> Iterator[tuple[str, list[list[str]], str, list[dict]]]:
    """How far the measurement is, in a sentence, and where they are new, its rows, the file of them, and the curve."""
    start, scores, points = time.monotonic(), [], []
    with contextlib.closing(gpu.evaluate(plan, device)) as updates:
        for update in updates:
            if is_stopped():
                break
            rows, path = [], ""
            if update.score:
                scores.append(update.score)
                bias = evaluation.bias(*update.compared) if update.compared else ()
                points += [{"n": n, "FID": value, "model": update.score.name} for n, value in bias]
                rows = [_row(score) for score in scores]
                path = str(_write_csv(rows, scratch.path("fid.csv")))
            yield _bar(update.done, update.total, time.monotonic() - start), rows, path, points
    end = "Stopped" if is_stopped() else "Done"
    yield f"{end} after {time.monotonic() - start:.0f} s.", [], "", []


def _curve(points: list[dict]) -> str:
    """FID against n, a curve a model; nothing where there is one n alone."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        curves.setdefault(point["model"], []).append((point["n"], point["FID"]))
    if not any(len(curve) > 1 for curve in curves.values()):
        return ""
    return f'<div class="plots">{charts.lines("FID against n", curves, "pictures, n")}</div>'


def _bar(done: int, total: int, seconds: float) -> str:
    """How far the measurement is, and how long it will still take."""
    left = f"about {seconds / done * (total - done):.0f} s left" if done else "starting"
    text = f"{done} of {total} pictures, {left}"
    return f'<progress max="{total}" value="{done}" aria-label="{html.escape(text)}"></progress> {text}'


def _row(score: Score) -> list[str]:
    spread = f"{min(score.fids):.2f} to {max(score.fids):.2f}" if len(score.fids) > 1 else ""
    name = f"{score.reference}: {FLOOR}" if score.name == FLOOR else score.name
    figures = [(score.kid, 1000), (score.precision, 1), (score.recall, 1), (score.fid_to_model, 1)]
    return [
        name,
        str(score.count or ""),
        f"{score.fid:.2f}",
        spread,
        *("" if value is None else f"{factor * value:.2f}" for value, factor in figures),
    ]


def _write_csv(rows: list[list[str]], path: Path) -> Path:
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        writer.writerows(rows)
    return path
