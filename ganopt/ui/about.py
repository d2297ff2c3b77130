"""The tab About: how the methods work, results, and how to recognise a generated face."""

from pathlib import Path

import gradio as gr
import torch

from ganopt.thesis import comparison, tables
from ganopt.ui import gpu
from ganopt.ui.common import Scratch, captioned, face_gallery, show_errors
from ganopt.ui.result_tables import build_tables
from ganopt.viz import charts

HERE = Path(__file__).parent
MODEL = "cats-teacher"
# the visible faults of faces of MODEL; to be updated when the model is
FLAWS = {
    19: "One eye is normal, the other has no lids.",
    7: "Eyes without pupils.",
    11: "The ears do not match.",
    15: "The muzzle blends into the background.",
    21: "One ear is incomplete.",
    32: "Meaningless shapes in the background.",
}


def build_about(demo: gr.Blocks, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Its faces are drawn when it is opened."""
    gr.Markdown((HERE / "about.md").read_text(encoding="utf-8"), elem_classes="reading")
    gr.Markdown(
        "## How to recognise a generated face\nLook for parts that should match but do not: both eyes, both ears, the "
        f"outline and the background. These are six poor faces by {MODEL}; see the tab Generate for good ones."
    )
    gallery = face_gallery("Faces with faults", "flaws", columns=6, enlarge=True)
    gr.Markdown("## Results")
    records = comparison.results()
    if race := tables.race_curves(records):
        gr.HTML(f'<div class="plots">{charts.lines("fid500 from scratch", race, "minutes")}</div>', elem_classes="bare")
    build_tables(tables.tables(records), folded=False)
    gr.Markdown((HERE / "sources.md").read_text(encoding="utf-8"), elem_classes="reading")

    @show_errors
    def flaws():
        faces = gpu.faces(MODEL, device, list(FLAWS), 1.0)
        return captioned(faces.pictures, [f"seed {seed}: {text}" for seed, text in FLAWS.items()])

    tab.select(flaws, None, gallery, api_visibility="private", concurrency_id="draw", show_progress="hidden")
