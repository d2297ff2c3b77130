"""The tab Lab: an overview of the experiments by how their networks are trained, and one of them opened."""

import html
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import gradio as gr
import torch
from gradio.components import Component

from ganopt.errors import UserError
from ganopt.lab import export
from ganopt.lab.contract import GROUPS, Experiment, Frame
from ganopt.lab.registry import all_experiments, find_experiment
from ganopt.lab.release import finished, small_picture
from ganopt.training.recipes.settings import option_type
from ganopt.ui import access, lab_view
from ganopt.ui.address import Address, Parameters, query_of, tab_of
from ganopt.ui.api import add_endpoint, as_file
from ganopt.ui.common import QUIET, Scratch, preset_buttons
from ganopt.ui.current import Turns
from ganopt.ui.messages import alert, answer, sentence_place, session_of_call

FIRST = 5  # settings that are always visible
INTRODUCTION = """Small systems of networks around the GAN, arranged by how their networks are trained. Each one runs
here, with the known right answer beside the measured one."""
READY = "A finished run, with the default settings. Press <b>Start</b> for one of your own."
AGAIN = "Press <b>Start</b> to try again."
CLOSING = """In all of these, part of a model is optimised without labels on much data, the rest on little."""


def build_lab(address: Address, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Only one experiment runs at a time, for all visitors together."""
    known, stopped, turns = all_experiments(), set[str | None](), Turns()
    with gr.Column(elem_id="lab-overview") as overview:
        cards = _overview(known)
    with gr.Column(visible=False, elem_id="lab-opened") as opened:
        back = gr.Button("← All experiments", size="sm", elem_id="lab-back")
        with gr.Row(elem_classes="sides"):
            with gr.Column(scale=1, min_width=280, elem_classes="controls"):
                forms = {name: _Form(each) for name, each in known.items()}
                problem = sentence_place("lab-problem")
            with gr.Column(scale=3, min_width=320):
                outputs = lab_view.build_outputs()
                words = gr.Markdown(elem_id="lab-words", elem_classes="reading", latex_delimiters=lab_view.LATEX)
    views = [overview, opened, *(form.column for form in forms.values()), problem, words, *outputs]

    def open_experiment(name: str) -> dict[Any, Any]:
        turns.end(session_of_call())  # a run of another experiment is no longer shown
        columns = {form.column: gr.Column(visible=each == name) for each, form in forms.items()}
        shown = dict(zip(outputs, lab_view.show(finished(name), READY), strict=True))
        both = {overview: gr.Column(visible=False), opened: gr.Column(visible=True)}
        return both | columns | {problem: "", words: lab_view.words(known[name])} | shown

    def request_stop(request: gr.Request) -> None:
        stopped.add(request.session_hash)

    running: dict[str, Any] = {"concurrency_id": "lab", "concurrency_limit": 1} | QUIET
    for name, form in forms.items():
        opening = cards[name].click(partial(open_experiment, name), None, views, **QUIET)
        opening.success(None, js=f"() => ganopt.shown('lab', {query_of('lab', lab=name)!r})", api_visibility="private")
        form.start.click(None, form.controls, js=form.address(), api_visibility="private")
        start, idle = _starter(known[name], form, stopped, turns, scratch), {outputs[0]: AGAIN}
        answer(form.start.click, start, form.controls, outputs, problem, "always_last", idle=idle, **running)
        form.stop.click(request_stop, queue=False, api_visibility="private")
    closing = back.click(lambda: (gr.Column(visible=True), gr.Column(visible=False)), None, [overview, opened], **QUIET)
    closing.success(None, js="() => ganopt.shown('lab', 'tab=lab')", api_visibility="private")
    controls = [control for form in forms.values() for control in form.controls]

    def from_link(parameters: Parameters) -> dict[Any, Any]:
        name = parameters.get("lab", "")
        if tab_of(parameters) != "lab" or name not in known:
            if tab_of(parameters) == "lab" and name:
                gr.Warning(f"The experiment '{name[:60]}' in the link does not exist; choose one.")
            return {overview: gr.skip()}
        try:
            values = vars(known[name].parse(parameters.get("lab_settings", "")[:1000]))
        except UserError as error:
            return open_experiment(name) | {problem: alert(str(error))}
        filled = {forms[name].by_name[each]: value for each, value in values.items() if each in forms[name].by_name}
        return open_experiment(name) | filled

    address.read_named("lab", from_link, [*views, *controls])
    _add_endpoint(scratch)


def _starter(
    experiment: Experiment, form: "_Form", stopped: set[str | None], turns: Turns, scratch: Scratch
) -> Callable[..., Iterator[tuple]]:
    """A handler that runs an experiment with the settings in its form, until its session is one of `stopped`.

    It also ends, and shows nothing more, as soon as it has no more turn.
    """

    def start(request: gr.Request, *values: Any) -> Iterator[tuple]:
        config, session = experiment.configure(form.values(values)), request.session_hash
        stopped.discard(session)
        with turns.take(session) as is_shown:
            yield lab_view.keep("Starting.")
            last = None
            for last in lab_view.run(
                experiment, config, access.is_public(request), lambda: session in stopped or not is_shown()
            ):
                if not is_shown():
                    yield lab_view.keep()  # or Gradio would show the last frame again at the end
                    return
                yield lab_view.keep() if last is None else lab_view.show_frame(*last)
            assert last is not None
            yield lab_view.show_end(*last, experiment, scratch)

    return start


class _Form:
    """The controls of an experiment, with buttons for presets, to start and to stop."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        settings = {name: field for name, field in experiment.settings.items() if name not in experiment.files}
        with gr.Column(visible=False) as self.column:
            gr.Markdown(f"### {experiment.title}")
            presets = preset_buttons(dict(experiment.presets)) if experiment.presets else {}
            self.by_name = {name: _control(experiment, name, field) for name, field in [*settings.items()][:FIRST]}
            with gr.Row():
                self.start = gr.Button("Start", variant="primary", min_width=100, elem_id=f"{experiment.name}-start")
                self.stop = gr.Button("Stop", min_width=100, elem_id=f"{experiment.name}-stop")
            with gr.Accordion("More settings", open=False):
                rest = [*settings.items()][FIRST:]
                self.by_name |= {name: _control(experiment, name, field) for name, field in rest}
        self.controls = [*self.by_name.values()]
        self.defaults = {name: field.default for name, field in settings.items()}
        for button, preset in presets.items():
            filled = json.dumps([*(self.defaults | dict(preset)).values()])
            button.click(None, None, self.controls, js=f"() => {{ ganopt.forgetChoices(); return {filled}; }}", **QUIET)
        if experiment.picks:  # choices are for the pictures shown
            others: list[Any] = [control for name, control in self.by_name.items() if name != experiment.picks]
            changed = [control.input for control in others]
            forget = "() => { ganopt.forgetChoices(); return ''; }"
            gr.on(changed, None, None, self.by_name[experiment.picks], js=forget, **QUIET)

    def values(self, given: tuple) -> dict[str, Any]:
        """The settings in the controls. Raises UserError for an empty one."""
        values = dict(zip(self.by_name, given, strict=True))
        if empty := [name for name, value in values.items() if value is None]:
            raise UserError(f"'{_label(empty[0])}' is empty; enter a value.")
        return values

    def address(self) -> str:
        """JavaScript that puts the experiment and the settings that are no defaults in the page's address."""
        names, defaults = json.dumps([*self.defaults]), json.dumps([*self.defaults.values()])
        return f"""(...values) => {{
  const names = {names}, defaults = {defaults};
  const changed = names.map((name, i) => [name, values[i]]).filter((pair, i) => pair[1] !== defaults[i]);
  const parameters = {{tab: "lab", lab: {self.experiment.name!r}}};
  if (changed.length) parameters.lab_settings = changed.map(pair => pair.join("=")).join(",");
  ganopt.shown("lab", new URLSearchParams(parameters).toString());
}}"""


def _overview(known: Mapping[str, Experiment]) -> dict[str, gr.Button]:
    """The groups with a card for each experiment; returns the buttons that open them."""
    gr.Markdown(INTRODUCTION, elem_classes="reading")
    buttons = {}
    with gr.Row(elem_classes="groups"):
        for group, title in GROUPS.items():
            with gr.Column(min_width=240):
                gr.Markdown(f"### {title}")
                for each in (each for each in known.values() if each.group == group):
                    with gr.Column(elem_classes="card"):
                        buttons[each.name] = gr.Button(each.title, elem_id=f"open-{each.name}")
                        address = small_picture(each.name)
                        picture = f'<img src="{address}" alt="" width="400" height="254">' if address else ""
                        gr.HTML(f"{picture}<p>{html.escape(each.summary)}</p>", elem_classes="bare")
    gr.Markdown(CLOSING, elem_classes="reading")
    return buttons


def _control(experiment: Experiment, name: str, field: Any) -> Component:
    """A control for a setting."""
    rules, kind = field.metadata, option_type(experiment.config, name)
    help = rules["help"] if rules["help"].lower() != _label(name).lower() else None
    words: dict[str, Any] = {"label": _label(name), "info": help and help[0].upper() + help[1:]}
    if rules["choices"]:
        return gr.Dropdown([*rules["choices"]], value=field.default, **words)
    if kind is bool:
        return gr.Checkbox(field.default, **words)
    if kind is str:
        return gr.Textbox(field.default, elem_classes="choices" if name == experiment.picks else None, **words)
    return gr.Number(field.default, precision=0 if kind is int else None, **words)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _add_endpoint(scratch: Scratch) -> None:
    """Add the endpoint of the tab."""

    def lab(request: gr.Request, name: str = "gan-1d", settings: dict | None = None) -> Iterator[dict]:
        """Run an experiment of the Lab by its name, such as gan-1d or q-learning; progress is streamed.

        `settings` are those of the form, by the names that `python -m ganopt lab NAME --help` lists, with underscores.
        In the result, `status` is the progress, `figures` are rows of name, measured, right answer and whether it is
        met, `series` are the curves of each chart, and at the end `picture` is a PNG file and `csv` one of the curves.
        """
        experiment = find_experiment(name)
        if hidden := set(settings or {}) & set(experiment.files):
            raise UserError(f"The setting '{min(hidden)}' is for the command line only; leave it out.")
        config = experiment.configure(settings or {})
        last = None
        for shown in lab_view.run(experiment, config, access.is_public(request), lambda: False):
            last = shown or last
            if last:
                yield {**_without_pictures(last), "picture": None, "csv": None}
        assert last is not None
        picture, table = lab_view.write(last[0], experiment, scratch)
        yield {**_without_pictures(last), "picture": as_file(picture), "csv": as_file(table) if table else None}

    add_endpoint("lab", lab, "lab")


def _without_pictures(shown: tuple[Frame, str]) -> dict[str, Any]:
    values = export.plain(shown[0])
    return {"status": shown[1], **{name: values[name] for name in ("figures", "axis", "series")}}
