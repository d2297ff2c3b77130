"""The tab About: how the methods work, results, and how to recognise a generated face."""

import html
from pathlib import Path

import gradio as gr
import torch

from ganopt.lab.release import with_figures
from ganopt.models.catalogue import catalogue
from ganopt.thesis import comparison, curves, tables
from ganopt.thesis.model_facts import sentence
from ganopt.ui import gpu
from ganopt.ui.address import Address
from ganopt.ui.common import Scratch, captioned, face_gallery, show_errors, title_of
from ganopt.ui.figures import plots
from ganopt.ui.result_tables import build_tables
from ganopt.viz import charts, diagrams

HERE = Path(__file__).parent
DIAGRAMS = {
    "Adversarial training. The dashed arrow carries gradients.": diagrams.adversarial,
    "Transfer: the first layers stay as they are.": diagrams.transfer,
    "Distillation. The dashed arrows are what the student learns from.": diagrams.distillation,
}
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


def build_about(_address: Address, tab: gr.Tab, device: torch.device, scratch: Scratch) -> None:
    """Build the tab. Its faces are drawn when it is opened."""
    gr.Markdown((HERE / "about.md").read_text(encoding="utf-8"), elem_classes="reading")
    gr.HTML(plots([draw() for draw in DIAGRAMS.values()], DIAGRAMS), elem_id="diagrams", elem_classes="bare")
    gr.Markdown(
        "## How to recognise a generated face\nLook for parts that should match but do not: both eyes, both ears, the "
        f"outline and the background. These are six poor faces of the model {title_of(MODEL)}; good ones are on the "
        "tab Generate."
    )
    gallery = face_gallery("Faces with faults", "flaws", columns=6, enlarge=True)
    gr.Markdown(with_figures((HERE / "lab.md").read_text(encoding="utf-8")), elem_classes="reading")
    sentences = (f"* **{html.escape(each.title)}** ({each.name}): {sentence(each)}" for each in catalogue().values())
    gr.Markdown("\n".join(["## The models", *sentences]), elem_classes="reading", elem_id="models")
    gr.Markdown("## Results")
    records = comparison.results()
    if lines := curves.race_curves(records):
        gr.HTML(plots([charts.lines("fid500 from scratch", lines, "minutes")]), elem_classes="bare")
    build_tables(tables.tables(records), folded=False)
    gr.Markdown((HERE / "sources.md").read_text(encoding="utf-8"), elem_classes="reading")

    @show_errors
    def flaws():
        faces = gpu.faces(MODEL, device, list(FLAWS), 1.0)
        return captioned(faces.pictures, [f"seed {seed}: {text}" for seed, text in FLAWS.items()])

    tab.select(flaws, None, gallery, api_visibility="private", concurrency_id="draw", show_progress="hidden")
