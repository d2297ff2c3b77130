"""The list of runs, and one of them with its status, its faces during training and its curves."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.runs import manager, monitor, timelapse
from ganopt.runs.monitor import Watch
from ganopt.runs.queue import runs_ahead
from ganopt.runs.status import ACTIVE, Run, find, folder_of, read
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import read_recipe
from ganopt.ui import access, requests, run_results
from ganopt.ui.address import Address, Parameters
from ganopt.ui.common import QUIET, Event, Scratch, optional_number
from ganopt.ui.messages import answer, sentence_place
from ganopt.ui.run_actions import TICK, build_run_actions
from ganopt.ui.run_curves import curves
from ganopt.ui.run_summary import summary

NO_RUN = "There are no runs yet. Press <b>Start</b> to see faces appear here during training."
LATEST = 100  # per cent of the previews
ALONE = ("no other run", "")
WATCH = "() => ({ __type__: 'update', active: ganopt.isOpen('train') })"  # not while another tab is open
LINK = "name => ganopt.shown('train', new URLSearchParams({ tab: 'train', train: name }).toString())"
PARTS = (
    *("hint", "panel", "chosen", "status", "summary", "faces", "scrubber", "stop", "resume", "links", "weights"),
    *("other", "diagram", "curves"),
)
# for each part of the page: the state that it shows, and a function for its value
Parts = dict[str, tuple[Any, Callable[[], Any]]]


@dataclass(frozen=True)
class RunView:
    """The interface of the run view for the rest of the tab."""

    requested: gr.State  # the name of the run to show
    chosen: gr.Radio  # the name of the run that is shown
    again: gr.Button  # to use its settings again
    show_after: Callable[[Event], Event]  # shows that run after an event
    private: tuple[gr.Accordion, ...]  # hidden until it is known that the request is private


def build_run_view(address: Address, tab: gr.Tab, scratch: Scratch) -> RunView:
    """Build the part of the tab that shows the runs."""
    timer = gr.Timer(TICK, active=False)
    requested, seen = gr.State(""), gr.State({})  # the run to show; the states of its PARTS on the page
    hint = gr.HTML(NO_RUN, elem_id="no-run")
    with gr.Column(visible=False) as panel:
        parts, more, resume, again, problem = _panel()
    chosen, _, _, _, scrubber, stop, *_, other, _, _ = parts
    shown = [hint, panel, *parts, seen]

    def show(requested: str, position: int, other: str, seen: dict[str, Any], request: gr.Request) -> list:
        # The page sends several of these calls at once, and the answers may arrive in another order. So no answer
        # changes which run is requested, and an answer after one for another run contains all parts.
        try:
            _, last = seen.get("chosen") or ([], "")
            parts = _parts((requested, last), position, other or "", scratch, request)
            values = [gr.skip() if (part, parts[part][0]) in seen.items() else parts[part][1]() for part in PARTS]
        except FileNotFoundError:  # just deleted by another page; the next update shows the rest
            return [gr.skip()] * len(shown)
        return [*values, {part: state for part, (state, _) in parts.items()}]

    def stop_run(name: str) -> None:
        manager.stop(runs_folder(), name)

    def resume_run(name: str, text: str, request: gr.Request) -> None:
        minutes, public = optional_number(text, "More minutes"), access.is_public(request)
        runs, folder = runs_folder(), folder_of(runs_folder(), name)
        run, recipe = read(folder), read_recipe(folder)
        total = requests.resumed_budget(run, recipe, minutes, public)
        again = recipe.lr_decay if run.status == "finished" and recipe.lr_decay else None
        manager.resume(runs, name, total, access.PUBLIC_QUEUE if public else None, again)

    inputs = [requested, scrubber, other, seen]
    latest = QUIET | {"queue": False, "trigger_mode": "always_last"}  # also of two quick clicks

    def show_after(event: Event) -> Event:
        return event.success(show, inputs, shown, **latest)

    for event in (timer.tick, scrubber.input, other.input, tab.select):
        event(show, inputs, shown, **latest)
    chosen.input(None, chosen, js=LINK, api_visibility="private")
    show_after(chosen.input(lambda name: name, chosen, requested, **latest))
    show_after(answer(stop.click, stop_run, chosen, [], problem, **QUIET))
    show_after(answer(resume.click, resume_run, [chosen, more], [], problem, **QUIET))
    address.tabs.change(None, None, timer, js=WATCH, api_visibility="private")
    show_after(address.read(_from_link, requested))

    def show_requested(event: Event) -> Event:
        shown = show_after(event)
        return shown.success(None, chosen, js=LINK, api_visibility="private")

    with panel:
        private = build_run_actions(chosen, requested, scratch, show_requested)
    return RunView(requested, chosen, again, show_requested, private)


def _panel() -> tuple[list[Any], gr.Textbox, gr.Button, gr.Button, gr.HTML]:
    """The components that show a run, in the order of PARTS, the field and buttons to resume it and to use its settings
    again, and for sentences.
    """
    chosen = gr.Radio([], label="Runs", elem_id="runs")
    status = gr.HTML(elem_id="run-status", elem_classes="bare")
    summary = gr.HTML(elem_id="run-summary", elem_classes="bare")
    again = gr.Button("Use these settings again", size="sm", elem_id="run-again")
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
    problem = sentence_place("run-problem")
    links = gr.HTML(elem_id="run-links", elem_classes="bare")
    weights = gr.DownloadButton("Download the weights", visible=False, size="sm", elem_id="run-weights")
    other = gr.Dropdown([ALONE], value="", label="Curves together with", visible=False, elem_id="run-other")
    with gr.Row(elem_id="run-learning"):
        diagram = gr.HTML(elem_id="run-diagram", elem_classes="bare")
        curves = gr.HTML(elem_id="run-curves", elem_classes="bare")
    parts = [chosen, status, summary, faces, scrubber, stop, resume_row, links, weights, other, diagram, curves]
    return parts, more, resume, again, problem


def _from_link(parameters: Parameters) -> Any:
    """The run in the page's address, if it contains one."""
    name = parameters.get("train", "")
    if name and name not in [run.name for run in find(runs_folder())]:
        gr.Warning(f"The run '{name[:60]}' in the link does not exist.")
    return name or gr.skip()


def _parts(names: tuple[str, ...], position: int, other: str, scratch: Scratch, request: gr.Request) -> Parts:
    """All parts for the first existing run of `names`, else the first of all, at a position of its previews in %.

    `other` is the run whose curves are drawn with it, if it exists.
    """
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
    is_new = run.name != names[-1]
    others = [each.name for each in found if each.name != run.name]
    other = other if other in others else ""
    parts = _parts_of(run, LATEST if is_new else position, scratch, request)
    named = [ALONE, *((name, name) for name in others)]
    parts["other"] = (*others, other), lambda: gr.Dropdown(named, value=other, visible=bool(others))
    parts["curves"] = _curves_part(run, by_name.get(other))
    several, _ = parts["scrubber"]
    if is_new:  # the position was that of another run
        parts["scrubber"] = several, lambda: gr.Slider(visible=several, value=LATEST)
    return head | {part: ((run.name, state), make) for part, (state, make) in parts.items()}


def _parts_of(run: Run, position: int, scratch: Scratch, request: gr.Request) -> Parts:
    watch, previews = monitor.watch(run.folder).refresh(), timelapse.files(run.folder)
    active, several = run.status in ACTIVE, len(previews) > 1
    preview = previews[round((len(previews) - 1) * position / LATEST)] if previews else None
    saved = (run.folder / zoo.FILES["generator"]).exists() and not run.fault
    recipe = monitor.recipe_of(run.folder)
    status = _status(run, watch, access.visible(monitor.log(run.folder), request))
    return {
        "status": (status, lambda: status),
        "summary": (recipe, lambda: _summary(recipe, run.folder)),
        "faces": (preview, lambda: run_results.faces(preview)),
        "diagram": (preview, lambda: run_results.diagram(preview, recipe, access.is_public(request))),
        "scrubber": (several, lambda: gr.Slider(visible=several)),
        "stop": (active, lambda: gr.Button(visible=active)),
        "resume": (active, lambda: gr.Row(visible=not active)),
        "links": (saved, lambda: run_results.links(run.name) if saved else ""),
        "weights": (
            saved and not active and run.step,
            lambda: run_results.weights(run, scratch) if saved and not active else gr.DownloadButton(visible=False),
        ),
    }


def _curves_part(run: Run, other: Run | None) -> tuple[Any, Callable[[], Any]]:
    """The state and the value of the curves of a run, perhaps with those of another one."""
    watches = [monitor.watch(each.folder).refresh() for each in (run, other) if each]
    steps = [watch.last.get("step", 0) for watch in watches]
    return (*steps, other and other.name), lambda: curves(watches[0], run.folder, other.folder if other else None)


def _summary(recipe: Recipe | None, folder: Path) -> str:
    """What a run is, as HTML; "" if that cannot be read."""
    try:
        return summary(recipe, folder) if recipe else ""
    except UserError:  # for example, the model that it started from is gone
        return ""


def _status(run: Run, watch: Watch, log_text: str) -> str:
    """The status of a run as HTML, with its progress, or how and why it ended."""
    last, name = watch.last, html.escape(run.name)
    log = [line.strip() for line in log_text.splitlines() if line.strip()]
    if run.status == "waiting":
        return f"<b>{name}</b> is waiting; runs ahead of it: {runs_ahead(run.folder)}."
    if run.status == "training" and last.get("progress", 1) >= 1:  # of an older budget, if it has just been resumed
        doing = "is saving its last step" if watch.has_ended(monitor.recipe_of(run.folder)) else "is starting"
        return f"<b>{name}</b> {doing}. {html.escape(log[-1][:160]) if log else ''}"
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
