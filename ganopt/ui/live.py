"""The tab Live: a walk between four faces that the visitor's own browser draws, beside the latency of the server."""

import functools
import html
from typing import Any
from urllib.parse import quote

import gradio as gr
import torch
from fastapi import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.networks import parameters_of, parse_architecture
from ganopt.portable.page import page
from ganopt.portable.steps import is_drawable
from ganopt.thesis.comparison import first_choice
from ganopt.thesis.model_facts import megabytes
from ganopt.ui import access, gpu
from ganopt.ui.address import Address, Parameters, query_of, show_after
from ganopt.ui.common import QUIET, Scratch, model_choices, refresh_models, title_of
from ganopt.ui.current import show_current
from ganopt.ui.messages import sentence_place

PATH = "live"
WORDS = """## A student in your browser
This page has sent the network itself, and your browser draws the faces, with about a hundred lines of JavaScript and
neither a library nor a graphics card. It goes on without a network. The faces are those of the same seeds in Python."""
ALONE = "for a phone or another computer; it needs no network, and nothing is installed."


def build_live(address: Address, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Raises UserError, before it builds anything, if there are no models that a browser can draw."""
    choices = _choices()
    if not choices:
        raise UserError("There is no model that a browser can draw; train one of the kind shuffle, big or kd.")
    with gr.Row(elem_id="live-row", elem_classes="sides"):
        with gr.Column(scale=1, min_width=280, elem_classes="controls"):
            gr.Markdown(WORDS)
            model = gr.Dropdown(
                choices, value=_smallest(choices), label="Model", info="Sizes as float16", elem_id="live-model"
            )
            facts, problem = gr.HTML(elem_id="live-facts", elem_classes="bare"), sentence_place("live-problem")
        with gr.Column(scale=2, min_width=320):
            frame = gr.HTML(_frame(model.value), elem_id="live", elem_classes="bare")
    link = gr.Textbox(visible=False, label="link")

    def show_facts(model: str) -> str:
        return _facts(model, device)

    shown = [tab.select, model.change]
    show_current(shown, show_facts, [model], [facts], problem, concurrency_id="draw", show_progress="hidden")
    changed = model.change(_frame, model, frame, **QUIET)
    show_after(changed.success(lambda name: query_of("live", live=name), model, link, **QUIET), "live", link)
    address.read(_from_link, model)
    refresh_models(tab, model, _choices)


def _choices() -> list[tuple[str, str]]:
    """The models that a browser can draw, as pairs (text, name)."""
    return [choice for choice in model_choices() if is_drawable(parse_architecture(zoo.entry(choice[1]).architecture))]


def _smallest(choices: list[tuple[str, str]]) -> str:
    """The name of the model with the fewest parameters."""
    return min((name for _, name in choices), key=lambda name: parameters_of(zoo.entry(name).architecture))


def _address(model: str) -> str:
    return f"{PATH}?model={quote(model)}"


def _frame(model: str) -> str:
    """The page of a model inside this one; it is loaded when it becomes visible."""
    title = html.escape(f"Faces of {title_of(model)}, drawn by this browser", quote=True)
    return f'<iframe class="live" loading="lazy" src="{_address(model)}" title="{title}"></iframe>'


def _facts(model: str, device: torch.device) -> str:
    """What the server needs for a face, of the teacher if the model is a student, and a link to save the page."""
    entry, served = zoo.entry(model), first_choice()[0]
    other = zoo.entry(served if entry.role == "student" and served != model else model)
    seconds = gpu.latencies([other.name], device)[other.name]
    server = (
        f"<b>On this server</b>, {html.escape(other.title)} takes {1000 * seconds:.1f} ms a face on {device}, "
        f"{1 / seconds:.0f} faces a second, with {megabytes(other):.1f} MB as float16; then the face travels to you."
    )
    name = html.escape(model.removeprefix(zoo.RUN), quote=True)
    save = f'<a href="{_address(model)}" download="{name}.html">Save it as one file</a> {ALONE}'
    return f'<div class="prose"><p>{server}</p><p>{save}</p></div>'


def _from_link(parameters: Parameters) -> Any:
    """The model in the page's address, if it contains one."""
    name = parameters.get("live")
    if name is None:
        return gr.skip()
    choices = _choices()
    if name not in [each for _, each in choices]:
        gr.Warning(f"The model '{name[:60]}' in the link does not exist, or a browser cannot draw it.")
        return gr.skip()
    return gr.Dropdown(choices=choices, value=name)


def _answer(request: Request) -> Response:
    """The page of one model of the catalogue or of a run."""
    name = request.query_params.get("model", "")
    try:
        zoo.check_offered([name])
        saved = zoo.locate(name, local=False).stat().st_mtime_ns
        return HTMLResponse(_page(name, saved), headers={"Cache-Control": "no-cache"})
    except UserError as error:
        return PlainTextResponse(access.without_folders(str(error)), 404)


@functools.lru_cache(maxsize=4)
def _page(name: str, saved: int) -> str:
    """`saved` is part of the cache's key: it changes when a run saves again."""
    return page(zoo.load(name, local=False), name.removeprefix(zoo.RUN), zoo.entry(name).title)


ROUTE = Route(f"/{PATH}", _answer)
