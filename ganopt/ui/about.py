"""The tab About: how the methods work, what was measured, and how to recognise a generated face."""

from pathlib import Path

import gradio as gr
import torch

from ganopt.thesis import comparison, tables
from ganopt.ui import gpu
from ganopt.ui.common import Scratch, captioned, face_gallery, show_errors
from ganopt.ui.measured import build_measured

HERE = Path(__file__).parent
MODEL = "cats-teacher"
# what is wrong with faces of MODEL, seen by eye: to be looked at again when it is shipped anew
FLAWS = {
    19: "One eye looks at you, the other has no lids.",
    7: "Eyes without pupils.",
    11: "Two ears of two cats.",
    15: "The muzzle dissolves into what is behind it.",
    21: "An ear that ends in nothing.",
    32: "Shapes behind the head that are no things.",
}


def build_about(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab inside the page; its faces are drawn when it is opened."""
    gr.Markdown((HERE / "about.md").read_text(encoding="utf-8"), elem_classes="reading")
    gr.Markdown(
        "## How to recognise a generated face\nLook where two things must agree: eye and eye, ear and ear, an edge and "
        f"what lies behind it. The six below are by {MODEL}; its good ones are on the tab Generate."
    )
    gallery = face_gallery("Faces with faults", "flaws", columns=6, enlarge=True)
    gr.Markdown("## What was measured")
    build_measured(tables.tables(comparison.results()), folded=False)
    gr.Markdown((HERE / "sources.md").read_text(encoding="utf-8"), elem_classes="reading")

    @show_errors
    def flaws():
        faces = gpu.faces(MODEL, device, list(FLAWS), 1.0)
        return captioned(faces.pictures, [f"seed {seed}: {text}" for seed, text in FLAWS.items()])

    tab.select(flaws, None, gallery, api_visibility="private", concurrency_id="draw", show_progress="hidden")
