"""What can be done with a run beside training it: a film, another name, its command, the Hub, the bin."""

import html
import shlex
from collections.abc import Callable

import gradio as gr

from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.models.sampling import save_png
from ganopt.runs import manager, monitor, timelapse
from ganopt.training.recipe_text import argv, parse, travelling
from ganopt.ui import access
from ganopt.ui.common import QUIET, Event, Scratch, show_errors


def build_keep(
    chosen: gr.Radio, asked: gr.State, scratch: Scratch, show_after: Callable[[Event], Event]
) -> tuple[gr.Accordion, ...]:
    """Build the folded parts under a run; `chosen` holds its name, and `asked` takes that of one to show instead.

    Returns those that visitors of a public page must not have: they are hidden until it is known who looks.
    """
    with gr.Accordion("Film", open=False):
        _film_part(chosen, scratch)
    with gr.Accordion("Command and log", open=False) as told:
        text = gr.HTML(elem_id="run-log", elem_classes="bare")
        gr.on([told.expand, chosen.change], _told, chosen, text, **QUIET)
    with gr.Accordion("Publish on the Hugging Face Hub", open=False, visible=False) as publishing:
        _publish_part(chosen)
    with gr.Accordion("Rename or delete", open=False, visible=False) as changing:
        _bin_part(chosen, asked, show_after)
    return publishing, changing


def _film_part(chosen: gr.Radio, scratch: Scratch) -> None:
    button = gr.Button("Make the film", size="sm", elem_id="run-film")
    moving = gr.Image(label="Film", format="png", interactive=False, buttons=["download"], elem_id="film-of-run")
    still = gr.Image(label="A row a latent, a column a step", format="png", interactive=False, buttons=["download"])

    @show_errors
    def make(name: str):
        """A run's six latents through time: an animated WebP, and a sheet."""
        folder, paths = runs_folder() / name, (scratch.path("film.webp"), scratch.path("history.png"))
        timelapse.save_film(folder, paths[0])
        save_png(timelapse.history(folder), paths[1])
        return [str(path) for path in paths]

    button.click(make, chosen, [moving, still], api_visibility="private")
    chosen.change(lambda: (None, None), None, [moving, still], **QUIET)  # which are another run's


def _publish_part(chosen: gr.Radio) -> None:
    gr.Markdown("The token is used for this upload and kept nowhere. It needs write access.")
    with gr.Row():
        repository = gr.Textbox(label="Repository", placeholder="you/your-cats", min_width=140)
        token = gr.Textbox(label="Token", type="password", min_width=140)
    private = gr.Checkbox(True, label="Private")
    button = gr.Button("Publish", size="sm", elem_id="run-publish")
    said = gr.HTML()

    def publish(name: str, repository: str, token: str, private: bool, request: gr.Request) -> tuple[str, str]:
        """What became of it, and an empty field for the token, whatever that was."""
        try:
            access.check_private(request, "publish runs")
            address = html.escape(zoo.publish(f"{zoo.RUN}{name}", repository, token, private))
        except UserError as error:
            return html.escape(str(error)), ""
        return f'It is at <a href="{address}">{address}</a>.', ""

    button.click(publish, [chosen, repository, token, private], [said, token], api_visibility="private")
    chosen.change(lambda: "", None, said, **QUIET)


def _bin_part(chosen: gr.Radio, asked: gr.State, show_after: Callable[[Event], Event]) -> None:
    with gr.Row(elem_classes="button-beside"):
        name = gr.Textbox(label="New name", min_width=140, elem_id="run-name")
        rename = gr.Button("Rename", min_width=80, elem_id="run-rename")
    delete, doomed = gr.Button("Delete ...", size="sm", elem_id="run-delete"), gr.State("")
    with gr.Row(visible=False) as really:
        sure = gr.Button(variant="stop", elem_id="run-sure")
        keep = gr.Button("Keep it", elem_id="run-keep")

    @show_errors
    def give(old: str, new: str, request: gr.Request) -> tuple[str, str]:
        access.check_private(request, "rename runs")
        manager.rename(runs_folder(), old, new.strip())
        return new.strip(), ""

    @show_errors
    def remove(name: str, request: gr.Request) -> tuple[str, gr.Row]:
        access.check_private(request, "delete runs")
        manager.delete(runs_folder(), name)
        return "", gr.Row(visible=False)

    def ask(name: str):
        return name, gr.Row(visible=True), gr.Button(f"Delete '{name}' and all that it saved")

    delete.click(ask, chosen, [doomed, really, sure], **QUIET)
    keep.click(lambda: gr.Row(visible=False), None, really, **QUIET)
    show_after(rename.click(give, [chosen, name], [asked, name], **QUIET))
    show_after(sure.click(remove, doomed, [asked, really], **QUIET))


@show_errors
def _told(name: str | None, request: gr.Request) -> str:
    """The command that trains as a run does, to copy, and the end of what it has printed; visitors see no folders."""
    folder = runs_folder() / (name or "")
    recipe = monitor.recipe_of(folder)
    if recipe and access.is_public(request):
        recipe = parse(travelling(recipe))
    parts = [shlex.join(["python", "-m", "ganopt", *argv(recipe)]) if recipe else "", monitor.log(folder)]
    return "".join(f"<pre>{html.escape(part)}</pre>" for part in parts if part)
