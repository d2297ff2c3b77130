"""The runs there are, and one of them as it goes on: how it stands, its faces through time, its curves."""

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
from ganopt.runs.queue import before
from ganopt.runs.status import AT_WORK, Run, find, read
from ganopt.training.run_folder import read_recipe
from ganopt.ui import access, requests
from ganopt.ui.common import QUIET, Event, Scratch, keep_in_url, optional_number, show_errors, tabs_of
from ganopt.ui.run_actions import build_keep
from ganopt.viz import charts

TICK = 2  # seconds
NO_RUN = "No run yet: press <b>Start</b>, and faces appear here as they form."
LATEST = 100  # per cent of the way
PARTS = ("hint", "panel", "chosen", "status", "faces", "scrubber", "stop", "rest", "links", "weights", "curves")
Parts = dict[str, tuple[Any, Callable[[], Any]]]  # of the page: the state that each shows, and what makes its value


@dataclass(frozen=True)
class Follow:
    """What the form beside it needs: where the name of a run to show goes, and what shows it after an event.

    And what visitors of a public page must not have, which is hidden until it is known who looks.
    """

    asked: gr.State
    show_after: Callable[[Event], Event]
    private: tuple[gr.Accordion, ...]


def build_follow(demo: gr.Blocks, tab: gr.Tab, scratch: Scratch) -> Follow:
    """Build the part of the tab that follows the runs."""
    timer = gr.Timer(TICK, active=False)
    asked, seen = gr.State(""), gr.State({})  # the run to show; of it, the states of PARTS
    hint = gr.HTML(NO_RUN, elem_id="no-run")
    with gr.Column(visible=False) as panel:
        parts, more, resume = _panel()
    chosen, _, _, scrubber, stop, *_ = parts
    shown = [hint, panel, *parts, seen]

    def show(asked: str, place: int, seen: dict[str, Any]) -> list:
        # The page sends several of these at once, and may get their answers in another order. So none decides what
        # is asked for, and one that follows an answer for another run sends all parts.
        try:
            _, last = seen.get("chosen") or ([], "")
            parts = _parts((asked, last), place, scratch)
            values = [gr.skip() if (part, parts[part][0]) in seen.items() else parts[part][1]() for part in PARTS]
        except FileNotFoundError:  # deleted by another page meanwhile: the next look finds what is left
            return [gr.skip()] * len(shown)
        return [*values, {part: state for part, (state, _) in parts.items()}]

    @show_errors
    def halt(name: str) -> None:
        manager.stop(runs_folder(), name)

    @show_errors
    def go_on(name: str, text: str, request: gr.Request) -> None:
        minutes, public = optional_number(text, "minutes"), access.is_public(request)
        runs, folder = runs_folder(), runs_folder() / name
        total = requests.going_on(read(folder), read_recipe(folder), minutes, public)
        manager.resume(runs, name, total, access.PUBLIC_QUEUE if public else None)

    inputs = [asked, scrubber, seen]

    def show_after(event: Event) -> Event:
        return event.success(show, inputs, shown, queue=False, **QUIET)

    for event in (timer.tick, scrubber.input, tab.select):
        event(show, inputs, shown, queue=False, **QUIET)
    chosen.input(None, chosen, js=keep_in_url("train"), api_visibility="private")
    show_after(chosen.input(lambda name: name, chosen, asked, queue=False, **QUIET))
    show_after(stop.click(halt, chosen, None, **QUIET))
    show_after(resume.click(go_on, [chosen, more], None, **QUIET))
    tab.select(lambda: gr.Timer(active=True), None, timer, **QUIET)  # for good: a look costs milliseconds
    show_after(demo.load(_from_link, None, [tabs_of(tab), asked], **QUIET))

    def show_asked(event: Event) -> Event:
        shown = show_after(event)
        return shown.success(None, chosen, js=keep_in_url("train"), api_visibility="private")

    with panel:
        private = build_keep(chosen, asked, scratch, show_asked)
    return Follow(asked, show_asked, private)


def _panel() -> tuple[list[Any], gr.Textbox, gr.Button]:
    """What shows a run, in the order of PARTS, and the minutes and the button that train it on."""
    chosen = gr.Radio([], label="Runs", elem_id="runs")
    status = gr.HTML(elem_id="run-status", elem_classes="bare")
    faces = gr.HTML(elem_id="run-faces", elem_classes="bare")
    scrubber = gr.Slider(0, LATEST, LATEST, step=1, label="Through time, %", visible=False, elem_id="scrubber")
    stop = gr.Button("Stop and save", visible=False, elem_id="run-stop")
    with gr.Row(visible=False, elem_classes="button-beside") as rest:
        more = gr.Textbox(
            label="More minutes", info="Empty: what is left of its first ones", min_width=100, elem_id="run-more"
        )
        resume = gr.Button("Train on", min_width=100, elem_id="run-resume")
    links = gr.HTML(elem_id="run-links", elem_classes="bare")
    weights = gr.DownloadButton("Download the weights", visible=False, size="sm", elem_id="run-weights")
    curves = gr.HTML(elem_id="run-curves", elem_classes="bare")
    return [chosen, status, faces, scrubber, stop, rest, links, weights, curves], more, resume


def _from_link(request: gr.Request) -> tuple:
    """The tab and the run that the page's address asks for, if it asks for one."""
    name = request.query_params.get("train", "")
    if name and name not in [run.name for run in find(runs_folder())]:
        gr.Warning(f"The link asks for the run '{name[:60]}', which is not here.")
    return (gr.Tabs(selected="train"), name) if name else (gr.skip(), gr.skip())


def _parts(names: tuple[str, ...], place: int, scratch: Scratch) -> Parts:
    """What is to be seen of the runs, and of the first of the named or else of all, `place` per cent on its way."""
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
    parts = _parts_of(run, place, scratch)
    return head | {part: ((run.name, state), make) for part, (state, make) in parts.items()}


def _parts_of(run: Run, place: int, scratch: Scratch) -> Parts:
    follower, pictures, working = (
        monitor.watch(run.folder).refresh(),
        timelapse.files(run.folder),
        run.status in AT_WORK,
    )
    picture = pictures[round((len(pictures) - 1) * place / LATEST)] if pictures else None
    saved, several = (run.folder / zoo.FILES["generator"]).exists() and not run.fault, len(pictures) > 1
    step, status = follower.last.get("step", 0), _status(run, follower)
    return {
        "status": (status, lambda: status),
        "faces": (picture, lambda: _faces(picture)),
        "scrubber": (several, lambda: gr.Slider(visible=several)),
        "stop": (working, lambda: gr.Button(visible=working)),
        "rest": (working, lambda: gr.Row(visible=not working)),
        "links": (saved, lambda: _links(run.name) if saved else ""),
        "weights": (
            saved and not working and run.step,
            lambda: _weights(run, scratch) if saved and not working else gr.DownloadButton(visible=False),
        ),
        "curves": (step, lambda: _curves(follower, run.folder)),
    }


def _status(run: Run, follower: Watch) -> str:
    """How a run stands, as HTML: how far it is, or how it ended, or why."""
    last, name = follower.last, html.escape(run.name)
    log = [line.strip() for line in monitor.log(run.folder).splitlines() if line.strip()]
    if run.status == "waiting":
        return f"<b>{name}</b> waits for its turn; runs before it: {before(run.folder)}."
    if run.status == "training" and last.get("progress", 1) >= 1:  # also of a run that goes on and on
        return f"<b>{name}</b> is getting ready. {html.escape(log[-1][:160]) if log else ''}"
    counts = f"step {last.get('step', run.step):,}"
    if last.get("images"):
        counts += f", {last['images']:,} pictures"
    if run.fault:
        return f"<b>{name}</b> failed: {html.escape(run.fault)}"
    if run.status != "training":
        end = {"finished": "has spent its budget", "stopped": "was stopped", "died": "has died"}[run.status]
        words = f"<pre>{html.escape(chr(10).join(log[-3:]))}</pre>" if run.status == "died" else ""
        return f"<b>{name}</b> {end}: {counts}, {run.minutes:.1f} minutes.{words}"
    speed = f", {follower.images_per_second:.0f} a second" if last.get("images") else ""
    left, memory = _duration(follower.seconds_left), last["memory"] / 1e9
    bar = f'<progress max="1" value="{last["progress"]:.3f}" aria-label="progress of {name}"></progress>'
    return f"<b>{name}</b> {bar} {left} left: {counts}{speed}, {memory:.1f} GB."


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _faces(picture: Path | None) -> str:
    """The six fixed latents, in the page itself: nothing is copied for it."""
    if picture is None:
        return ""
    try:
        timelapse.read_preview(picture)
        data = base64.b64encode(picture.read_bytes()).decode()
    except UserError as error:
        return html.escape(str(error))
    text = f"The same six latents after step {int(picture.stem):,}"
    return f'<figure><img src="data:image/png;base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _links(name: str) -> str:
    """Where else the page can use the model of a run."""
    model = html.escape(f"{zoo.RUN}{name}", quote=True).replace(" ", "%20")
    places = {
        "Draw faces": f"?model={model}&amp;seeds=0-15",
        "Compare": f"?compare={model},{next(iter(zoo.catalogue()))}",
        "Measure FID": f"?fid={model}",
    }
    return "Use it: " + " · ".join(f'<a href="{place}">{text}</a>' for text, place in places.items())


def _weights(run: Run, scratch: Scratch) -> gr.DownloadButton:
    path = scratch.folder / f"{run.name}.safetensors"
    with atomic_write(path) as temporary:
        shutil.copyfile(run.folder / zoo.FILES["generator"], temporary)
    return gr.DownloadButton(value=str(path), visible=True)


def _curves(follower: Watch, folder: Path) -> str:
    recipe = monitor.recipe_of(folder)
    found = monitor.curves(follower, recipe) if recipe else []
    axis = "pictures seen" if follower.last.get("images") else "steps"
    drawn = (f"<div>{charts.lines(each.title, each.lines, axis)}<p>{each.advice}</p></div>" for each in found)
    return f'<div class="plots">{"".join(drawn)}</div>'
