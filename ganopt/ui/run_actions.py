"""Actions on a run: making a film, showing its command and log, publishing, renaming and deleting."""

import html
from collections.abc import Callable

import gradio as gr

from ganopt.errors import UserError, shell_command
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.models.sampling import save_png
from ganopt.publishing import models
from ganopt.runs import manager, monitor, timelapse
from ganopt.runs.status import folder_of
from ganopt.training.recipe_text import argv, parse, shareable
from ganopt.ui import access
from ganopt.ui.common import QUIET, Event, Scratch, shown_picture
from ganopt.ui.current import show_current
from ganopt.ui.messages import alert, answer, sentence_place

TICK = 2  # seconds between updates


def build_run_actions(
    chosen: gr.Radio, requested: gr.State, scratch: Scratch, show_after: Callable[[Event], Event]
) -> tuple[gr.Accordion, ...]:
    """Build the accordions below a run. `chosen` is its name, and `requested` shows another.

    Returns the private accordions, which are hidden until it is known that the request is private.
    """
    with gr.Accordion("Film", open=False):
        _film_part(chosen, scratch)
    with gr.Accordion("Command and log", open=False) as accordion:
        text, problem = gr.HTML(elem_id="run-log", elem_classes="bare"), sentence_place("log-problem")
        timer = gr.Timer(TICK, active=False)  # only while the log can be seen
        for event, is_open in ((accordion.expand, True), (accordion.collapse, False)):
            event(None, None, timer, js=f"() => ({{ __type__: 'update', active: {str(is_open).lower()} }})", **QUIET)
        changed = [accordion.expand, chosen.change, timer.tick]
        show_current(changed, _command_and_log, [chosen], [text], problem, show_progress="hidden")
    with gr.Accordion("Publish on the Hugging Face Hub", open=False, visible=False) as publishing:
        _publish_part(chosen)
    with gr.Accordion("Rename or delete", open=False, visible=False) as changing:
        _change_part(chosen, requested, show_after)
    return publishing, changing


def _film_part(chosen: gr.Radio, scratch: Scratch) -> None:
    button = gr.Button("Make a film", size="sm", elem_id="run-film")
    moving = shown_picture("Film", "film-of-run")
    still = shown_picture("A row per latent, a column per step")
    problem = sentence_place("film-problem")

    def make(name: str):
        """Write the previews of a run as a film and a sheet; returns their paths."""
        folder = folder_of(runs_folder(), name)
        film, sheet = scratch.path(f"{name}-film.webp"), scratch.path(f"{name}-history.png")
        timelapse.save_film(folder, film)
        save_png(timelapse.history(folder), sheet)
        return [str(film), str(sheet)]

    films = [moving, still]
    show_current(button.click, make, [chosen], films, problem)
    chosen.change(lambda: (None, None, ""), None, [*films, problem], **QUIET)  # they are of another run


def _publish_part(chosen: gr.Radio) -> None:
    gr.Markdown(
        "Uploads the run's generator, its critic if it has one, and a model card. The token needs write access. It is "
        "used for this upload only and not stored."
    )
    with gr.Row():
        repository = gr.Textbox(label="Repository", placeholder="you/your-cats", min_width=140)
        token = gr.Textbox(label="Token", type="password", min_width=140)
    private = gr.Checkbox(True, label="Private")
    button = gr.Button("Publish", size="sm", elem_id="run-publish")
    message = gr.HTML()

    def publish(name: str, repository: str, token: str, private: bool, request: gr.Request) -> tuple[str, str]:
        """Publish a run; returns a message, and an empty text to clear the token in any case."""
        try:
            access.check_private(request, "publish runs")
            url = html.escape(models.publish(f"{zoo.RUN}{name}", repository, token, private).url)
        except UserError as error:
            return alert(str(error)), ""
        return f'Published at <a href="{url}">{url}</a>.', ""

    button.click(publish, [chosen, repository, token, private], [message, token], api_visibility="private")
    chosen.change(lambda: "", None, message, **QUIET)


def _change_part(chosen: gr.Radio, requested: gr.State, show_after: Callable[[Event], Event]) -> None:
    with gr.Row(elem_classes="button-beside"):
        name = gr.Textbox(label="New name", min_width=140, elem_id="run-name")
        rename = gr.Button("Rename", min_width=80, elem_id="run-rename")
    delete, to_delete = gr.Button("Delete ...", size="sm", elem_id="run-delete"), gr.State("")
    with gr.Row(visible=False) as confirmation:
        confirm = gr.Button(variant="stop", elem_id="run-sure")
        cancel = gr.Button("Cancel", elem_id="run-keep")

    problem = sentence_place("change-problem")

    def rename_run(old: str, new: str, request: gr.Request) -> tuple[str, str]:
        access.check_private(request, "rename runs")
        manager.rename(runs_folder(), old, new.strip())
        return new.strip(), ""

    def delete_run(name: str, request: gr.Request) -> tuple[str, gr.Row]:
        access.check_private(request, "delete runs")
        manager.delete(runs_folder(), name)
        return "", gr.Row(visible=False)

    def ask_to_confirm(name: str):
        return name, gr.Row(visible=True), gr.Button(f"Delete '{name}'")

    delete.click(ask_to_confirm, chosen, [to_delete, confirmation, confirm], **QUIET)
    cancel.click(lambda: gr.Row(visible=False), None, confirmation, **QUIET)
    show_after(answer(rename.click, rename_run, [chosen, name], [requested, name], problem, **QUIET))
    show_after(answer(confirm.click, delete_run, to_delete, [requested, confirmation], problem, **QUIET))


def _command_and_log(name: str | None, request: gr.Request) -> str:
    """The command line for a run, and the end of its log, as HTML. Public visitors do not see the paths of folders."""
    if not name:
        return ""
    folder = folder_of(runs_folder(), name)
    recipe = monitor.recipe_of(folder)
    if recipe and access.is_public(request):
        recipe = parse(shareable(recipe))
    log = access.visible(monitor.log(folder), request)
    parts = [shell_command(*argv(recipe)) if recipe else "", log]
    return "".join(f"<pre>{html.escape(part)}</pre>" for part in parts if part)
