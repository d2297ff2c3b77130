"""The tab Train: ask for a run, hear what it will cost, start it; beside it, the runs there are."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.runs import manager
from ganopt.runs.queue import check_system
from ganopt.runs.status import find
from ganopt.training import profiling
from ganopt.training.methods import METHODS
from ganopt.training.profiling import TrainingCost
from ganopt.ui import access, requests
from ganopt.ui.api import offer, uploaded
from ganopt.ui.common import (
    QUIET,
    Scratch,
    examples,
    model_choices,
    optional_number,
    optional_text,
    renew_models,
    show_errors,
)
from ganopt.ui.requests import FOLDER, MORE, NETWORKS, NONE, PRESETS, STARTING, UPLOAD, RunRequest
from ganopt.ui.run_view import build_follow


def build_train(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab inside the page. Raises UserError, before anything is built, without a model, and on Windows."""
    choices = model_choices()
    check_system()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=2, min_width=280, visible=access.most_minutes(public=False) != 0):
            inputs, estimate, button = _form(tab, choices)
            said = gr.Markdown(elem_id="train-said")
        with gr.Column(scale=3, min_width=320):
            text = access.limits(public=False)
            limits = gr.Markdown(text, visible=bool(text), elem_id="limits")
            follow = build_follow(demo, tab, scratch)

    @show_errors
    def show_cost(request: gr.Request, *values):
        yield from _cost(_asked(values)[0], access.is_public(request))

    @show_errors
    def begin(request: gr.Request, *values):
        return _begin(*_asked(values), access.is_public(request))

    @show_errors
    def fit_visitor(request: gr.Request) -> list:
        public = access.is_public(request)
        text = access.limits(public)
        private = [gr.Accordion(visible=not public) for _ in follow.private]
        return [gr.Markdown(text, visible=bool(text)), gr.Dropdown(choices=_pictures(public)), *private]

    offer_training(choices[0][1])
    data = inputs[2]
    demo.load(fit_visitor, None, [limits, data, *follow.private], **QUIET)
    estimate.click(show_cost, inputs, said, api_visibility="private", concurrency_id="cost", concurrency_limit=1)
    started = button.click(
        begin, inputs, [said, follow.asked], api_visibility="private", concurrency_id="start", concurrency_limit=4
    )
    follow.show_after(started)


def offer_training(model: str) -> None:
    """Let programs ask for the cost of a run, and start it; a transfer and a student start from `model` by default."""
    first = next(iter(PRESETS.values()))

    def cost(
        request: gr.Request,
        method: str = first.method,
        minutes: float = first.minutes,
        data: str = first.data,
        origin: str = model,
        network: str = first.network,
        side: int = first.side,
        settings: dict | None = None,
    ) -> Iterator[str]:
        """Say what a run would cost, from a few steps that are not kept: memory, seconds a step, steps in its time.

        Of the parameters of /train, all but the name and the files.
        """
        asked = requests.wanted(method, minutes, data, origin, network, side, settings)
        yield from _cost(asked, access.is_public(request))

    def train(
        request: gr.Request,
        method: str = first.method,
        minutes: float = first.minutes,
        data: str = first.data,
        origin: str = model,
        network: str = first.network,
        side: int = first.side,
        settings: dict | None = None,
        files: list[dict] | None = None,
        name: str = "",
    ) -> tuple[str, str]:
        """Start a run, or put it behind those that were started before: a sentence, and the name of the run.

        `data` is sample:MODEL for faces that a model draws, a folder of the server, or "" for a distill without any;
        `files`, uploaded pictures or a zip of them, take its place. `origin` is what a transfer or a distill starts
        from. `settings` may hold batch, lr_g, lr_d, penalty, ema, seed, live_fids, alpha, freeze_g and freeze_d; the
        others are the method's own.
        """
        asked = requests.wanted(method, minutes, UPLOAD if files else data, origin, network, side, settings)
        return _begin(asked, [uploaded(file) for file in files or []], name.strip(), access.is_public(request))

    offer("cost", cost, "cost")
    offer("train", train, "start")


def _cost(asked: RunRequest, public: bool) -> Iterator[str]:
    """How long it has been measured what a run would cost, and at last that, in sentences.

    The measuring ends when the iterator is closed, as when the visitor leaves.
    """
    recipe, start = requests.recipe(asked, public), time.monotonic()
    with contextlib.closing(profiling.follow_trial(recipe)) as updates:
        for found in updates:
            yield _costs(asked.minutes, found) if found else f"Estimating: {time.monotonic() - start:.0f} s."


def _costs(minutes: float, found: TrainingCost) -> str:
    steps = 60 * minutes / found.seconds
    pictures = f", {steps * found.images:,.0f} pictures" if found.images else ""
    text = f"A step takes {found.seconds:.2g} s, so {minutes:g} minutes are about {steps:,.0f} steps{pictures}."
    return f"{text} Memory: {found.peak / 1e9:.1f} GB of {found.peak_of}."


def _begin(asked: RunRequest, files: list[Path], name: str, public: bool) -> tuple[str, str]:
    """Start a run: a sentence that says so, and its name."""
    recipe, runs = requests.recipe(asked, public), runs_folder()
    most = access.PUBLIC_QUEUE if public else None
    name = manager.start(runs, name or None, recipe, files if recipe.needs_pictures else [], most).name
    if public:
        manager.forget(runs, access.PUBLIC_RUNS)
    at_work = [run.name for run in find(runs) if run.status == "training" and run.name != name]
    return f"'{name}' waits for its turn behind '{at_work[0]}'." if at_work else f"'{name}' is on its way.", name


def _asked(values: tuple) -> tuple[RunRequest, list[Path], str]:
    """The run that the form asks for, the files that were uploaded for it, and its name."""
    method, origin, data, files, folder, network, side, minutes, name, *more = values
    chosen = {UPLOAD: "", NONE: "", FOLDER: (folder or "").strip()}.get(data, data)
    known = METHODS[method].settings if method in METHODS else {}
    settings = {key: optional_number(text, key) for key, text in zip(MORE, more, strict=True) if key in known}
    if data == NONE:
        settings["alpha"] = settings.get("alpha") or 0.0  # the teacher is all that a student learns from
    _check_pictures(data, files, method, settings)
    asked = RunRequest(method, minutes, chosen, origin if method in STARTING else "", network, side, settings)
    return asked, [Path(file) for file in files or []] if data == UPLOAD else [], (name or "").strip()


def _check_pictures(data: str, files: list | None, method: str, settings: dict[str, Any]) -> None:
    """Raise UserError where the choice of pictures does not fit the rest."""
    if data == UPLOAD and not files:
        raise UserError("No pictures were uploaded; choose some, or a zip file of them.")
    if data == NONE and method != "distill":
        raise UserError("Only a student can learn without pictures; choose some.")
    if data == NONE and settings["alpha"] > 0:
        raise UserError("An alpha above 0 needs pictures; choose some, or leave it empty.")


def _form(tab: gr.Tab, choices: list[tuple[str, str]]) -> tuple[list[Component], gr.Button, gr.Button]:
    """What `train` takes, in its order, and the buttons for the cost and the start; filled as the first preset."""
    first = next(iter(PRESETS.values()))
    presets = examples(PRESETS)
    method = gr.Dropdown([(method.title, name) for name, method in METHODS.items()], value=first.method, label="Method")
    origin = gr.Dropdown(choices, value=choices[0][1], label="Model to start from", visible=False, elem_id="origin")
    data = gr.Dropdown(_pictures(public=True), value=first.data, label="Pictures", elem_id="train-data")
    files = gr.File(
        label="Pictures, or a zip of them", file_count="multiple", visible=False, height=120, elem_id="train-files"
    )
    folder = gr.Textbox(label="Folder on this machine", visible=False, elem_id="train-folder")
    with gr.Row():
        network = gr.Dropdown(NETWORKS, value=first.network, label="Generator", info="/8: every width an eighth")
        side = gr.Radio([32, 64, 128], value=first.side, label="Side of the pictures", elem_id="train-side")
    with gr.Row():
        minutes = gr.Number(first.minutes, label="Minutes", elem_id="train-minutes")
        name = gr.Textbox(label="Name", placeholder="chosen for you", elem_id="train-name")
    with gr.Accordion("More settings", open=False):
        gr.Markdown("Leave a field empty for the method's default.")
        more = [_setting(name, first) for name in MORE]
    with gr.Row():
        estimate = gr.Button("What will it cost?", min_width=170, elem_id="train-cost")
        button = gr.Button("Start", variant="primary", min_width=100, elem_id="train-start")
    filled = [method, origin, data, network, side, minutes, *more]
    for preset, asked in presets.items():  # in the browser, so that Start, clicked at once, sends no older values
        preset.click(None, filled, filled, js=f"(...old) => {_filled(asked)}.map((each, i) => each ?? old[i])", **QUIET)
    method.input(None, None, more, js=f"() => {[''] * len(more)}", **QUIET)  # they were for another method
    method.change(_fit_method, method, [origin, network, side, *more], **QUIET)
    data.change(_fit_pictures, data, [files, folder], **QUIET)
    renew_models(tab, origin, model_choices)
    return [method, origin, data, files, folder, network, side, minutes, name, *more], estimate, button


def _pictures(public: bool) -> list[tuple[str, str]]:
    """The pictures that a run may be taught: (text, what `_asked` reads)."""
    drawn = [name for name, entry in zoo.catalogue().items() if entry.role != "student"]
    samples = [(f"2000 faces that {name} draws", f"{PREFIX}{name}") for name in drawn]
    others = [("My own: upload them", UPLOAD), ("None: a student learns from its teacher alone", NONE)]
    folder = [] if public else [("My own: a folder on this machine", FOLDER)]
    return [*samples, *others[:1], *folder, *others[1:]]


def _setting(name: str, filled: RunRequest) -> gr.Textbox:
    """A field for a number, which may stay empty: a gr.Number would be 0 then."""
    help = next(method.settings[name] for method in METHODS.values() if name in method.settings)
    label, text = name.replace("_", " "), optional_text(filled.more.get(name))
    visible = name in METHODS[filled.method].settings
    return gr.Textbox(text, label=label, info=help, visible=visible, elem_id=f"more-{name}")


def _filled(asked: RunRequest) -> str:
    """A preset's values for the form, as JSON; null keeps what is there."""
    values = [asked.method, asked.origin or None, asked.data or NONE, asked.network, asked.side, asked.minutes]
    return json.dumps(values + [optional_text(asked.more.get(name)) for name in MORE])


def _fit_pictures(data: str) -> tuple[gr.File, gr.Textbox]:
    """Ask for the pictures that were chosen."""
    return gr.File(visible=data == UPLOAD), gr.Textbox(visible=data == FOLDER)


def _fit_method(method: str) -> list:
    """Show what a method asks for: origin, network, side and the settings."""
    shown = [method in STARTING, method != "transfer", method not in STARTING]
    shown += [name in METHODS[method].settings for name in MORE]
    return [gr.update(visible=visible) for visible in shown]
