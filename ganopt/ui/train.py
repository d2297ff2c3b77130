"""The tab Train: a form to estimate and start a run, beside the view of all runs."""

import html
import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.data.crops import Upload
from ganopt.models.networks import kinds
from ganopt.training.methods import METHODS, find_method
from ganopt.ui import access, common, requests
from ganopt.ui.address import Address, Parameters, query_of
from ganopt.ui.api import add_endpoint, uploaded_path
from ganopt.ui.messages import answer, sentence_place
from ganopt.ui.my_pets import build_my_pets, uploads
from ganopt.ui.requests import FOLDER, NETWORKS, NONE, PETS, PRESETS, UPLOAD, RunRequest, form_settings
from ganopt.ui.run_summary import settings_again
from ganopt.ui.run_view import build_run_view
from ganopt.ui.training_pictures import check_pictures, picture_choices, say_pictures, show_picture_inputs

SHOW_START = """() => {
  const start = document.querySelector("#train-start");
  start.scrollIntoView({ block: "center" });
  start.focus({ preventScroll: true });
}"""
FILES, NAME, CROPS = 3, 8, 10  # the places of the uploaded files, the run's name and the crops among the inputs


def build_train(address: Address, tab: gr.Tab, device: torch.device, scratch: common.Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models."""
    choices = common.model_choices()
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=2, min_width=280, visible=access.most_minutes(public=False) != 0):
            inputs, estimate, button = _form(address, tab, choices)
            cost = gr.HTML(elem_id="train-estimate", elem_classes="bare")  # not where an answer to Start is
            cost_problem = sentence_place("estimate-problem")
            message = gr.HTML(elem_id="train-said", elem_classes="bare")
            problem = sentence_place("start-problem")
        with gr.Column(scale=3, min_width=320):
            text = access.limits(public=False)
            limits = gr.Markdown(text, visible=bool(text), elem_id="limits")
            run_view = build_run_view(address, tab, scratch)

    def show_cost(request: gr.Request, *values):
        for text in requests.estimate(_parse_form(values)[0], access.is_public(request)):
            yield html.escape(text)

    def fill_again(name: str, request: gr.Request) -> list:
        return settings_again(name, access.is_public(request))

    def start(request: gr.Request, *values):
        said, run = requests.start(*_parse_form(values), access.is_public(request))
        return html.escape(said), run, ""  # the name, or it would collide with the next run's

    @common.show_errors
    def show_limits(request: gr.Request) -> list:
        public = access.is_public(request)
        text = access.limits(public)
        private = [gr.Accordion(visible=not public) for _ in run_view.private]
        return [gr.Markdown(text, visible=bool(text)), gr.Dropdown(choices=picture_choices(public)), *private]

    _add_endpoints(choices[0][1])
    data = inputs[2]
    address.demo.load(show_limits, None, [limits, data, *run_view.private], **common.QUIET)
    costed: dict[str, Any] = {"concurrency_id": "cost", "concurrency_limit": 1}
    answer(estimate.click, show_cost, inputs, [cost], cost_problem, "always_last", idle={cost: ""}, **costed)
    filled = [each for index, each in enumerate(inputs) if index not in (FILES, NAME, CROPS)]
    again = answer(run_view.again.click, fill_again, run_view.chosen, [*filled, message], problem)
    again.success(None, js=SHOW_START, api_visibility="private")
    started = [message, run_view.requested, inputs[NAME]]
    queued: dict[str, Any] = {"concurrency_id": "start", "concurrency_limit": 4}
    run_view.show_after(answer(button.click, start, inputs, started, problem, **queued))


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

        `data` is sample:MODEL for faces drawn by a model, a folder on the server, hub:USER/NAME for a dataset of the
        Hub, or "" for distillation without pictures; uploaded `files`, pictures or a zip file of them, replace it.
        `origin` is the source of a transfer or the teacher of a distillation. `settings` may contain second_critic (the
        kind of a further critic), batch, lr_g, lr_d, lr_decay, penalty, ema, seed, live_fids, alpha, freeze_g and
        freeze_d; the others have the defaults of the method.
        """
        run_request = requests.from_api(method, minutes, UPLOAD if files else data, origin, network, side, settings)
        paths = [uploaded_path(file) for file in files or []]
        return requests.start(run_request, paths, name.strip(), access.is_public(request))

    add_endpoint("cost", cost, "cost")
    add_endpoint("train", train, "start")


def _parse_form(values: tuple) -> tuple[RunRequest, list[Upload], str]:
    """The request in the form, the uploaded files, and the name of the run."""
    method, origin, choice, files, folder, network, side, minutes, name, second_critic, crops, *more = values
    data = {UPLOAD: "", NONE: "", FOLDER: (folder or "").strip()}.get(choice, choice)
    known = find_method(method)
    labels = form_settings()
    texts = zip(labels, more, strict=True)
    settings = {key: common.optional_number(text, labels[key]) for key, text in texts if key in known.settings}
    check_pictures(choice, files, known.without_pictures, settings)
    if choice == NONE:
        settings |= known.without_pictures
    origin = origin if known.recipe.origin_setting else ""
    request = RunRequest(method, minutes, data, origin, network, side, settings, second_critic or "")
    return request, uploads(files or [], crops) if choice == UPLOAD else [], (name or "").strip()


def _form(
    address: Address, tab: gr.Tab, choices: list[tuple[str, str]]
) -> tuple[list[Component], gr.Button, gr.Button]:
    """The inputs in the order of `_parse_form`, with the first preset, and the buttons to estimate and start."""
    first = next(iter(PRESETS.values()))
    presets = common.preset_buttons(PRESETS)
    method = gr.Dropdown([(method.title, name) for name, method in METHODS.items()], value=first.method, label="Method")
    origin = gr.Dropdown(
        choices,
        value=choices[0][1],
        label="Model to start from",
        info="Sizes as float16",
        visible=False,
        elem_id="origin",
    )
    data = gr.Dropdown(picture_choices(public=True), value=first.data, label="Training pictures", elem_id="train-data")
    files = gr.File(
        label="Pictures or a zip file of them", file_count="multiple", visible=False, height=120, elem_id="train-files"
    )
    folder = gr.Textbox(label="Folder on this machine", visible=False, elem_id="train-folder")
    say_pictures(data, files, folder)
    crops = build_my_pets(data, files)
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
        values, query = json.dumps(_form_values(preset)), query_of("train", preset=preset_button.value)
        fill = f"{values}.map((value, index) => value ?? old[index])"
        js = f"(...old) => {{ ganopt.shown('train', '{query}'); return {fill}; }}"
        preset_button.click(None, filled, filled, js=js, **common.QUIET)
    address.read_named("preset", _from_link, filled)
    # the old values were for another method
    method.input(None, None, more, js=f"() => {[''] * len(more)}", **common.QUIET)
    method.change(_show_method_inputs, method, [origin, network, side, *more], **common.QUIET)
    data.change(show_picture_inputs, data, [files, folder], **common.QUIET)
    common.refresh_models(tab, origin, common.model_choices)
    inputs = [method, origin, data, files, folder, network, side, minutes, name, second_critic, crops, *more]
    return inputs, estimate, button


def _setting(name: str, preset: RunRequest) -> gr.Textbox:
    """A field for a number that may be empty; an empty gr.Number would be 0."""
    help = next(method.settings[name] for method in METHODS.values() if name in method.settings)
    text = common.optional_text(preset.more.get(name))
    visible = name in METHODS[preset.method].settings
    return gr.Textbox(text, label=form_settings()[name], info=help, visible=visible, elem_id=f"more-{name}")


def _form_values(preset: RunRequest) -> list:
    """The values of a preset for the form; None keeps the current value."""
    values = [preset.method, preset.origin or None, preset.data or NONE, preset.network, preset.side, preset.minutes]
    return [*values, preset.second_critic, *(common.optional_text(preset.more.get(name)) for name in form_settings())]


def _from_link(parameters: Parameters) -> list:
    """The values for the form of the preset in the page's address."""
    preset = PRESETS.get(parameters["preset"])
    if preset is None:
        gr.Warning(f"The preset '{parameters['preset'][:60]}' in the link does not exist.")
        return [gr.skip()] * len(_form_values(PETS))
    return [gr.skip() if value is None else value for value in _form_values(preset)]


def _show_method_inputs(method: str) -> list:
    """Show the inputs for a method: origin, network, side and settings."""
    known = find_method(method)
    origin = bool(known.recipe.origin_setting)
    shown = [origin, not known.recipe.generator_from_origin, not origin]
    shown += [name in known.settings for name in form_settings()]
    return [gr.update(visible=visible) for visible in shown]
