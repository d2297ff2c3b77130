"""The face of its own: enlarged, to be saved, copied as a link, and used as either end of a walk."""

import html
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component
from torch import Tensor

from ganopt.models.latents import Face, file_stem, label
from ganopt.models.sampling import save_png
from ganopt.ui.address import COPY
from ganopt.ui.common import Scratch, shown_picture
from ganopt.viz.sheets import enlarged


@dataclass(frozen=True)
class OwnFace:
    """The part of the panel with the enlarged face."""

    outputs: list[Component]  # in the order of the values of `describe`
    as_start: gr.Button
    as_end: gr.Button
    scratch: Scratch

    def describe(self, picture: Tensor, face: Face, model: str) -> tuple:
        """The values for a face, uint8 (3, side, side)."""
        path = self.scratch.path(f"{model}-{file_stem(face)}.png")
        save_png(enlarged(picture), path)
        said = f"<b>{html.escape(label(face))}</b>, the face in the middle of the map"
        return str(path), said, gr.DownloadButton(value=str(path))


def build_own_face(scratch: Scratch) -> OwnFace:
    """Build it."""
    gr.Markdown("### This face")
    text = "The face in the middle of the map, enlarged"
    picture = shown_picture("This face", "own-face", show_label=False, buttons=[], alt_text=text)
    said = gr.HTML(elem_id="own-said", elem_classes="bare")
    with gr.Row():
        save = gr.DownloadButton("Save", size="sm", min_width=90, elem_id="own-save")
        copy = gr.Button("Copy link", size="sm", min_width=90, elem_id="own-copy")
    with gr.Row():
        as_start = gr.Button("Walk from it", size="sm", min_width=90, elem_id="own-from")
        as_end = gr.Button("Walk to it", size="sm", min_width=90, elem_id="own-to")
    copy.click(None, None, copy, js=COPY, api_visibility="private")
    return OwnFace([picture, said, save], as_start, as_end, scratch)
