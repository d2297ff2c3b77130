"""The tab Train: a form to estimate and start a run, beside the view of all runs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.networks import kinds
from ganopt.runs.queue import check_system
from ganopt.training.methods import METHODS, find_method
from ganopt.ui import access, requests
from ganopt.ui.api import add_endpoint, uploaded_path
from ganopt.ui.common import (
    QUIET,
    Scratch,
    model_choices,
    optional_number,
    optional_text,
    preset_buttons,
    refresh_models,
    show_errors,
)
from ganopt.ui.requests import FOLDER, NETWORKS, NONE, PRESETS, UPLOAD, RunRequest, form_settings
from ganopt.ui.run_view import build_run_view


def build_train(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models, and on Windows."""
    choices = model_choices()
    check_system()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=2, min_width=280, visible=access.most_minutes(public=False) != 0):
            inputs, estimate, button = _form(tab, choices)
            message = gr.Markdown(elem_id="train-said")
        with gr.Column(scale=3, min_width=320):
            text = access.limits(public=False)
            limits = gr.Markdown(text, visible=bool(text), elem_id="limits")
            run_view = build_run_view(demo, tab, scratch)

    @show_errors
    def show_cost(request: gr.Request, *values):
        yield from requests.estimate(_parse_form(values)[0], access.is_public(request))

    @show_errors
    def start(request: gr.Request, *values):
        return requests.start(*_parse_form(values), access.is_public(request))

    @show_errors
    def show_limits(request: gr.Request) -> list:
        public = access.is_public(request)
        text = access.limits(public)
        private = [gr.Accordion(visible=not public) for _ in run_view.private]
        return [gr.Markdown(text, visible=bool(text)), gr.Dropdown(choices=_pictures(public)), *private]

    _add_endpoints(choices[0][1])
    data = inputs[2]
    demo.load(show_limits, None, [limits, data, *run_view.private], **QUIET)
    outputs = [message, run_view.requested]
    private: dict[str, Any] = {"api_visibility": "private"}
    estimate.click(show_cost, inputs, message, concurrency_id="cost", concurrency_limit=1, **private)
    run_view.show_after(button.click(start, inputs, outputs, concurrency_id="start", concurrency_limit=4, **private))


def _add_endpoints(model: str) -> None:
    """Add the endpoints of the tab. `model` is the default source of a transfer and the default teacher."""
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
        """Estimate the cost of a run from a few steps, which are not saved: memory, time per step, number of steps.

        The parameters are those of /train without the files and the name.
        """
        run_request = requests.from_api(method, minutes, data, origin, network, side, settings)
        yield from requests.estimate(run_request, access.is_public(request))

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
        """Start a run, or add it to the queue. Returns a message and the name of the run.

        `data` is sample:MODEL for faces drawn by a model, a folder on the server, or "" for distillation without
        pictures; uploaded `files`, pictures or a zip file of them, replace it. `origin` is the source of a transfer or
        the teacher of a distillation. `settings` may contain second_critic (the kind of a further critic), batch, lr_g,
        lr_d, penalty, ema, seed, live_fids, alpha, freeze_g and freeze_d; the others have the method's defaults.
        """
        run_request = requests.from_api(method, minutes, UPLOAD if files else data, origin, network, side, settings)
        paths = [uploaded_path(file) for file in files or []]
        return requests.start(run_request, paths, name.strip(), access.is_public(request))

    add_endpoint("cost", cost, "cost")
    add_endpoint("train", train, "start")


def _parse_form(values: tuple) -> tuple[RunRequest, list[Path], str]:
    """The request in the form, the uploaded files, and the name of the run."""
    method, origin, choice, files, folder, network, side, minutes, name, second_critic, *more = values
    data = {UPLOAD: "", NONE: "", FOLDER: (folder or "").strip()}.get(choice, choice)
    known = find_method(method)
    labels = form_settings()
    texts = zip(labels, more, strict=True)
    settings = {key: optional_number(text, labels[key]) for key, text in texts if key in known.settings}
    _check_pictures(choice, files, known.without_pictures, settings)
    if choice == NONE:
        settings |= known.without_pictures
    origin = origin if known.recipe.origin_setting else ""
    request = RunRequest(method, minutes, data, origin, network, side, settings, second_critic or "")
    return request, [Path(file) for file in files or []] if choice == UPLOAD else [], (name or "").strip()


def _check_pictures(
    choice: str, files: list | None, without_pictures: Mapping[str, Any], settings: dict[str, Any]
) -> None:
    """Raise UserError if the choice of pictures does not match the other inputs."""
    if choice == UPLOAD and not files:
        raise UserError("No pictures were uploaded; upload some, or a zip file of them.")
    if choice == NONE and not without_pictures:
        raise UserError("Only distillation works without pictures; choose some.")
    for name, value in without_pictures.items() if choice == NONE else ():
        if settings.get(name) not in (None, value):
            raise UserError(f"Without pictures, {name} must be {value:g}; choose some, or leave {name} empty.")


def _form(tab: gr.Tab, choices: list[tuple[str, str]]) -> tuple[list[Component], gr.Button, gr.Button]:
    """The inputs in the order of `_parse_form`, with the first preset, and the buttons to estimate and start."""
    first = next(iter(PRESETS.values()))
    presets = preset_buttons(PRESETS)
    method = gr.Dropdown([(method.title, name) for name, method in METHODS.items()], value=first.method, label="Method")
    origin = gr.Dropdown(choices, value=choices[0][1], label="Model to start from", visible=False, elem_id="origin")
    data = gr.Dropdown(_pictures(public=True), value=first.data, label="Training pictures", elem_id="train-data")
    files = gr.File(
        label="Pictures or a zip file of them", file_count="multiple", visible=False, height=120, elem_id="train-files"
    )
    folder = gr.Textbox(label="Folder on this machine", visible=False, elem_id="train-folder")
    with gr.Row():
        network = gr.Dropdown(NETWORKS, value=first.network, label="Generator", info="/8: all widths divided by 8")
        side = gr.Radio([32, 64, 128], value=first.side, label="Picture size", elem_id="train-side")
    with gr.Row():
        minutes = gr.Number(first.minutes, label="Minutes", elem_id="train-minutes")
        name = gr.Textbox(label="Name", placeholder="automatic", elem_id="train-name")
    second_critic = gr.Dropdown(
        [("None", ""), *kinds("critic")],
        value=first.second_critic,
        label="Second critic",
        info="projected is pretrained on photographs: better faces from fewer pictures, but steps take longer",
        elem_id="train-second-critic",
    )
    with gr.Accordion("More settings", open=False):
        gr.Markdown("Leave empty for the method's default.")
        more = [_setting(name, first) for name in form_settings()]
    with gr.Row():
        estimate = gr.Button("Estimate cost", min_width=170, elem_id="train-cost")
        button = gr.Button("Start", variant="primary", min_width=100, elem_id="train-start")
    filled = [method, origin, data, network, side, minutes, second_critic, *more]
    for preset_button, preset in presets.items():
        # in the browser, so that Start sends the new values even if it is clicked at once
        fill = f"(...old) => {_form_values(preset)}.map((value, index) => value ?? old[index])"
        preset_button.click(None, filled, filled, js=fill, **QUIET)
    method.input(None, None, more, js=f"() => {[''] * len(more)}", **QUIET)  # the old values were for another method
    method.change(_show_method_inputs, method, [origin, network, side, *more], **QUIET)
    data.change(_show_picture_inputs, data, [files, folder], **QUIET)
    refresh_models(tab, origin, model_choices)
    inputs = [method, origin, data, files, folder, network, side, minutes, name, second_critic, *more]
    return inputs, estimate, button


def _pictures(public: bool) -> list[tuple[str, str]]:
    """The choices of training pictures, as pairs (text, value)."""
    drawing = [name for name, entry in zoo.catalogue().items() if entry.role != "student"]
    samples = [(f"2000 faces drawn by {name}", f"{PREFIX}{name}") for name in drawing]
    others = [("Upload my own pictures", UPLOAD), ("None, for distillation from the teacher only", NONE)]
    folder = [] if public else [("A folder on this machine", FOLDER)]
    return [*samples, *others[:1], *folder, *others[1:]]


def _setting(name: str, preset: RunRequest) -> gr.Textbox:
    """A field for a number that may be empty; an empty gr.Number would be 0."""
    help = next(method.settings[name] for method in METHODS.values() if name in method.settings)
    text = optional_text(preset.more.get(name))
    visible = name in METHODS[preset.method].settings
    return gr.Textbox(text, label=form_settings()[name], info=help, visible=visible, elem_id=f"more-{name}")


def _form_values(preset: RunRequest) -> str:
    """The values of a preset for the form, as JSON; null keeps the current value."""
    values = [preset.method, preset.origin or None, preset.data or NONE, preset.network, preset.side, preset.minutes]
    return json.dumps(
        [*values, preset.second_critic, *(optional_text(preset.more.get(name)) for name in form_settings())]
    )


def _show_picture_inputs(data: str) -> tuple[gr.File, gr.Textbox]:
    """Show the input for the chosen kind of pictures."""
    return gr.File(visible=data == UPLOAD), gr.Textbox(visible=data == FOLDER)


def _show_method_inputs(method: str) -> list:
    """Show the inputs for a method: origin, network, side and settings."""
    known = find_method(method)
    origin = bool(known.recipe.origin_setting)
    shown = [origin, not known.recipe.generator_from_origin, not origin]
    shown += [name in known.settings for name in form_settings()]
    return [gr.update(visible=visible) for visible in shown]
