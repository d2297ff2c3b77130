"""A pair of faces of the same seed in detail: which one, the before/after slider, and the difference map."""

import html

import gradio as gr
import torch
from gradio.components import Component

from ganopt.models import zoo
from ganopt.models.latents import Face, label
from ganopt.thesis import comparison as comparing
from ganopt.thesis.comparison import BRIGHTEST, Comparison
from ganopt.ui import gpu
from ganopt.ui.common import shown_picture, store_png


def build_pair() -> list[Component]:
    """The outputs for a pair of faces."""
    title = gr.HTML(elem_id="pair-title", elem_classes="bare")
    with gr.Row():
        slider = gr.ImageSlider(
            label="Both faces", show_label=False, format="png", interactive=False, buttons=["download"], elem_id="wipe"
        )
        text = "Map of the differences between the two faces"
        difference = shown_picture("Difference", "difference", show_label=False, alt_text=text)
    return [title, slider, difference, gr.HTML(elem_id="distances", elem_classes="bare")]


def pair_at(drawn: tuple[list[str], list[Face]], index: int) -> tuple[str, str, str]:
    """The first model, the model of a face in the gallery, or the second model if it is the first, and the seed."""
    models, seeds = drawn
    row, column = divmod(index, len(models))
    return models[0], models[column or min(1, len(models) - 1)], str(seeds[row])


def index_of(drawn: tuple[list[str], list[Face]], wanted: tuple[str, str]) -> int:
    """The place in the gallery of the face of a model and a seed; 0 if it is not there."""
    (models, seeds), (model, seed) = drawn, wanted
    if model not in models or seed not in map(str, seeds):
        return 0
    return list(map(str, seeds)).index(seed) * len(models) + models.index(model)


def describe_pair(compared: Comparison, device: torch.device) -> tuple:
    """For two models and one seed: a title, both faces, the difference map and a summary."""
    first, second = compared.pictures[:, 0]
    cosine = gpu.cosines(first[None], second[None], device)[0]
    difference = store_png(comparing.difference_map(first, second))
    entries = [zoo.entry(name) for name in compared.models]
    left, right = (html.escape(entry.title) for entry in entries)
    name = label(compared.seeds[0])
    title = f"<b>{name[0].upper()}{name[1:]}</b>: {left} (left) and {right} (right)."
    text = (
        f"L1 {compared.differences[1, 0]:.3f}: mean absolute difference, from 0 to 1. Cosine {cosine:.3f}: similarity "
        "of the Inception features, 1 for equal features. In the difference map, black is 0 and pale yellow is "
        f"{BRIGHTEST} or more."
    )
    if entries[1].role == "transfer":
        text += " A transferred model keeps the coarse structure of its source: compare pose, gaze and colours."
    return title, store_png(first), store_png(second), difference, text
