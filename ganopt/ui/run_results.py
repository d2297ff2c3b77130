"""What a run has made so far: a preview's faces, what its critics say of them, its weights, links to use its model."""

import html
import shutil
from pathlib import Path

import gradio as gr

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.models import zoo
from ganopt.runs import timelapse
from ganopt.runs.status import Run
from ganopt.training.recipes import Recipe
from ganopt.ui.address import query_of
from ganopt.ui.common import Scratch
from ganopt.ui.figures import plots
from ganopt.viz import diagrams
from ganopt.viz.pens import png_address

HOW_IT_LEARNS = (
    "The moving average of the generator draws the six faces. Each critic judges them and real pictures, once there is "
    "a batch those of the last one, as they are, without augmentation. The dashed arrow carries gradients, which tell "
    "the generator what would look more real."
)
NOT_SHOWN = " The training pictures are not shown on this public page."


def faces(picture: Path | None) -> str:
    """A preview as HTML that contains the picture, so that no file is copied."""
    if picture is None:
        return ""
    try:
        timelapse.read_preview(picture)
        address = png_address(picture.read_bytes())
    except UserError as error:
        return html.escape(str(error))
    step = int(picture.stem)
    text = f"The six fixed latents {f'after step {step:,}' if step else 'before training'}"
    return f'<figure><img src="{address}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def diagram(preview: Path | None, recipe: Recipe | None, public: bool) -> gr.HTML:
    """Generator and critics at a preview, with their verdicts; hidden for a run that has none.

    On a public page, real pictures are shown only if a model drew them, as others may be a visitor's.
    """
    found = timelapse.read_verdicts(preview) if preview else None
    try:
        faces = timelapse.read_preview(preview) if preview and found else None
    except UserError:  # `faces` says it
        faces = None
    if faces is None or found is None:
        return gr.HTML(value="", visible=False)
    pictures, verdicts = found
    shown = not public or (recipe is not None and recipe.data.startswith(PREFIX))
    judges = [diagrams.Judge(each.critic, each.are_probabilities, each.generated, each.real) for each in verdicts]
    drawn, real = (each.permute(0, 2, 3, 1).contiguous().numpy() for each in (faces, pictures))
    svg = diagrams.learning(drawn, real if shown else None, judges)
    return gr.HTML(value=plots([svg], [HOW_IT_LEARNS + ("" if shown else NOT_SHOWN)]), visible=True)


def links(name: str) -> str:
    """Links to the tabs that use the model of a run, as HTML."""
    model = f"{zoo.RUN}{name}"
    queries = {
        "Draw faces": query_of("generate", model=model, seeds="0-15"),
        "Compare": query_of("compare", compare=f"{model},{next(iter(zoo.catalogue()))}"),
        "Measure FID": query_of("fid", fid=model),
    }
    links = (f'<a href="?{html.escape(query)}">{text}</a>' for text, query in queries.items())
    return f"Use this model: {' · '.join(links)}"


def weights(run: Run, scratch: Scratch) -> gr.DownloadButton:
    """The button that downloads a copy of the weights of a run. Raises FileNotFoundError if they have been deleted."""
    path = scratch.folder / f"{run.name}.safetensors"
    file = run.folder / zoo.FILES["generator"]
    with open(file, "rb") as source, atomic_write(path) as temporary, open(temporary, "wb") as target:
        shutil.copyfileobj(source, target)
    return gr.DownloadButton(value=str(path), visible=True)
