"""The list of runs, and one of them with its status, its faces during training and its curves."""

import base64
import html
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ganopt.errors import UserError
from ganopt.files import atomic_write, runs_folder
from ganopt.models import zoo
from ganopt.runs import manager, monitor, timelapse
from ganopt.runs.monitor import Watch
from ganopt.runs.queue import runs_ahead
from ganopt.runs.status import ACTIVE, Run, find, folder_of, read
from ganopt.training.run_folder import read_recipe
from ganopt.ui import access, requests
from ganopt.ui.common import QUIET, Event, Scratch, optional_number, show_errors, tabs_of, update_url
from ganopt.ui.run_actions import build_run_actions
from ganopt.viz import charts

TICK = 2  # seconds between updates
NO_RUN = "There are no runs yet. Press <b>Start</b> to see faces appear here during training."
LATEST = 100  # per cent of the previews
PARTS = ("hint", "panel", "chosen", "status", "faces", "scrubber", "stop", "resume", "links", "weights", "curves")
# for each part of the page: the state that it shows, and a function for its value
Parts = dict[str, tuple[Any, Callable[[], Any]]]


@dataclass(frozen=True)
class RunView:
    """The interface of the run view for the rest of the tab."""

    requested: gr.State  # the name of the run to show
    show_after: Callable[[Event], Event]  # shows that run after an event
    private: tuple[gr.Accordion, ...]  # hidden until it is known that the request is private


def build_run_view(demo: gr.Blocks, tab: gr.Tab, scratch: Scratch) -> RunView:
    """Build the part of the tab that shows the runs."""
    timer = gr.Timer(TICK, active=False)
    requested, seen = gr.State(""), gr.State({})  # the run to show; the states of its PARTS on the page
    hint = gr.HTML(NO_RUN, elem_id="no-run")
    with gr.Column(visible=False) as panel:
        parts, more, resume = _panel()
    chosen, _, _, scrubber, stop, *_ = parts
    shown = [hint, panel, *parts, seen]

    def show(requested: str, position: int, seen: dict[str, Any], request: gr.Request) -> list:
        # The page sends several of these calls at once, and the answers may arrive in another order. So no answer
        # changes which run is requested, and an answer after one for another run contains all parts.
        try:
            _, last = seen.get("chosen") or ([], "")
            parts = _parts((requested, last), position, scratch, request)
            values = [gr.skip() if (part, parts[part][0]) in seen.items() else parts[part][1]() for part in PARTS]
        except FileNotFoundError:  # just deleted by another page; the next update shows the rest
            return [gr.skip()] * len(shown)
        return [*values, {part: state for part, (state, _) in parts.items()}]

    @show_errors
    def stop_run(name: str) -> None:
        manager.stop(runs_folder(), name)

    @show_errors
    def resume_run(name: str, text: str, request: gr.Request) -> None:
        minutes, public = optional_number(text, "More minutes"), access.is_public(request)
        runs, folder = runs_folder(), folder_of(runs_folder(), name)
        run, recipe = read(folder), read_recipe(folder)
        total = requests.resumed_budget(run, recipe, minutes, public)
        again = recipe.lr_decay if run.status == "finished" and recipe.lr_decay else None
        manager.resume(runs, name, total, access.PUBLIC_QUEUE if public else None, again)

    inputs = [requested, scrubber, seen]

    def show_after(event: Event) -> Event:
        return event.success(show, inputs, shown, queue=False, **QUIET)

    for event in (timer.tick, scrubber.input, tab.select):
        event(show, inputs, shown, queue=False, **QUIET)
    chosen.input(None, chosen, js=update_url("train"), api_visibility="private")
    show_after(chosen.input(lambda name: name, chosen, requested, queue=False, **QUIET))
    show_after(stop.click(stop_run, chosen, None, **QUIET))
    show_after(resume.click(resume_run, [chosen, more], None, **QUIET))
    # the timer is never stopped, as an update takes only milliseconds
    tab.select(lambda: gr.Timer(active=True), None, timer, **QUIET)
    show_after(demo.load(_from_link, None, [tabs_of(tab), requested], **QUIET))

    def show_requested(event: Event) -> Event:
        shown = show_after(event)
        return shown.success(None, chosen, js=update_url("train"), api_visibility="private")

    with panel:
        private = build_run_actions(chosen, requested, scratch, show_requested)
    return RunView(requested, show_requested, private)


def _panel() -> tuple[list[Any], gr.Textbox, gr.Button]:
    """The components that show a run, in the order of PARTS, and the field and button to resume it."""
    chosen = gr.Radio([], label="Runs", elem_id="runs")
    status = gr.HTML(elem_id="run-status", elem_classes="bare")
    faces = gr.HTML(elem_id="run-faces", elem_classes="bare")
    scrubber = gr.Slider(0, LATEST, LATEST, step=1, label="Progress, %", visible=False, elem_id="scrubber")
    stop = gr.Button("Stop and save", visible=False, elem_id="run-stop")
    with gr.Row(visible=False, elem_classes="button-beside") as resume_row:
        more = gr.Textbox(
            label="More minutes",
            info="Empty: finish the original budget. Of a finished run, falling learning rates start again",
            min_width=100,
            elem_id="run-more",
        )
        resume = gr.Button("Resume", min_width=100, elem_id="run-resume")
    links = gr.HTML(elem_id="run-links", elem_classes="bare")
    weights = gr.DownloadButton("Download the weights", visible=False, size="sm", elem_id="run-weights")
    curves = gr.HTML(elem_id="run-curves", elem_classes="bare")
    return [chosen, status, faces, scrubber, stop, resume_row, links, weights, curves], more, resume


def _from_link(request: gr.Request) -> tuple:
    """The tab and the run in the page's address, if it contains one."""
    name = request.query_params.get("train", "")
    if name and name not in [run.name for run in find(runs_folder())]:
        gr.Warning(f"The run '{name[:60]}' in the link does not exist.")
    return (gr.Tabs(selected="train"), name) if name else (gr.skip(), gr.skip())


def _parts(names: tuple[str, ...], position: int, scratch: Scratch, request: gr.Request) -> Parts:
    """All parts for the first existing run of `names`, else the first of all, at a position of its previews in %."""
    found = find(runs_folder())
    by_name = {run.name: run for run in found}
    run = next((by_name[name] for name in names if name in by_name), found[0] if found else None)
    head: Parts = {
        "hint": (run is None, lambda: gr.HTML(visible=run is None)),
        "panel": (run is not None, lambda: gr.Column(visible=run is not None)),
    }
    if run is None:
        return dict.fromkeys(PARTS, (None, gr.skip)) | head
    choices = [(f"{each.name} · {each.status}", each.name) for each in found]
    head["chosen"] = ((choices, run.name), lambda: gr.Radio(choices, value=run.name))
    parts = _parts_of(run, position, scratch, request)
    return head | {part: ((run.name, state), make) for part, (state, make) in parts.items()}


def _parts_of(run: Run, position: int, scratch: Scratch, request: gr.Request) -> Parts:
    watch, previews = monitor.watch(run.folder).refresh(), timelapse.files(run.folder)
    active, several = run.status in ACTIVE, len(previews) > 1
    preview = previews[round((len(previews) - 1) * position / LATEST)] if previews else None
    saved = (run.folder / zoo.FILES["generator"]).exists() and not run.fault
    step, status = watch.last.get("step", 0), _status(run, watch, access.visible(monitor.log(run.folder), request))
    return {
        "status": (status, lambda: status),
        "faces": (preview, lambda: _faces(preview)),
        "scrubber": (several, lambda: gr.Slider(visible=several)),
        "stop": (active, lambda: gr.Button(visible=active)),
        "resume": (active, lambda: gr.Row(visible=not active)),
        "links": (saved, lambda: _links(run.name) if saved else ""),
        "weights": (
            saved and not active and run.step,
            lambda: _weights(run, scratch) if saved and not active else gr.DownloadButton(visible=False),
        ),
        "curves": (step, lambda: _curves(watch, run.folder)),
    }


def _status(run: Run, watch: Watch, log_text: str) -> str:
    """The status of a run as HTML, with its progress, or how and why it ended."""
    last, name = watch.last, html.escape(run.name)
    log = [line.strip() for line in log_text.splitlines() if line.strip()]
    if run.status == "waiting":
        return f"<b>{name}</b> is waiting; runs ahead of it: {runs_ahead(run.folder)}."
    if run.status == "training" and last.get("progress", 1) >= 1:  # 1 or more: the last line is from before a resume
        return f"<b>{name}</b> is starting. {html.escape(log[-1][:160]) if log else ''}"
    counts = f"step {last.get('step', run.step):,}"
    if last.get("images"):
        counts += f", {last['images']:,} pictures"
    if run.fault:
        return f"<b>{name}</b> failed: {html.escape(run.fault)}"
    if run.status != "training":
        end = {"finished": "has finished", "stopped": "was stopped", "failed": "failed"}[run.status]
        reason = f"<pre>{html.escape(chr(10).join(log[-3:]))}</pre>" if run.status == "failed" else ""
        return f"<b>{name}</b> {end}: {counts}, {run.minutes:.1f} minutes.{reason}"
    speed = f" ({watch.images_per_second:.0f} per second)" if last.get("images") else ""
    left, memory = _duration(watch.seconds_left), last["memory"] / 1e9
    bar = f'<progress max="1" value="{last["progress"]:.3f}" aria-label="progress of {name}"></progress>'
    return f"<b>{name}</b> {bar} {left} left: {counts}{speed}, {memory:.1f} GB."


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _faces(picture: Path | None) -> str:
    """A preview as HTML that contains the picture, so that no file is copied."""
    if picture is None:
        return ""
    try:
        timelapse.read_preview(picture)
        data = base64.b64encode(picture.read_bytes()).decode()
    except UserError as error:
        return html.escape(str(error))
    text = f"The six fixed latents after step {int(picture.stem):,}"
    return f'<figure><img src="data:image/png;base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _links(name: str) -> str:
    """Links to the tabs that use the model of a run, as HTML."""
    model = html.escape(f"{zoo.RUN}{name}", quote=True).replace(" ", "%20")
    links = {
        "Draw faces": f"?model={model}&amp;seeds=0-15",
        "Compare": f"?compare={model},{next(iter(zoo.catalogue()))}",
        "Measure FID": f"?fid={model}",
    }
    return "Use this model: " + " · ".join(f'<a href="{link}">{text}</a>' for text, link in links.items())


def _weights(run: Run, scratch: Scratch) -> gr.DownloadButton:
    path = scratch.folder / f"{run.name}.safetensors"
    with atomic_write(path) as temporary:
        shutil.copyfile(run.folder / zoo.FILES["generator"], temporary)
    return gr.DownloadButton(value=str(path), visible=True)


def _curves(watch: Watch, folder: Path) -> str:
    recipe = monitor.recipe_of(folder)
    curves = monitor.curves(watch, recipe) if recipe else []
    axis = "pictures seen" if watch.last.get("images") else "steps"
    plots = (f"<div>{charts.lines(each.title, each.lines, axis)}<p>{each.advice}</p></div>" for each in curves)
    return f'<div class="plots">{"".join(plots)}</div>'
