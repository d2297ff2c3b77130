"""The form of the tab Train, without a browser."""

import gradio as gr
from gradio.helpers import special_args

from ganopt.ui import requests
from tests.ui.handlers import handlers


def start(page, name: str) -> dict[str | None, object]:
    """What the page shows after Start with a name in the form, by element id."""
    [found] = handlers(page, "train-start")
    inputs = [name if block.elem_id == "train-name" else getattr(block, "value", None) for block in found.inputs]
    values = found.fn(*special_args(found.fn, inputs, gr.Request(session_hash="somebody"))[0])
    return {block.elem_id: value for block, value in zip(found.outputs, values, strict=True)}


def test_the_name_is_empty_after_a_start_and_stays_after_an_error(page, monkeypatch):
    named = []
    monkeypatch.setattr(
        requests, "start", lambda request, files, name, public: named.append(name) or ("Started.", name)
    )
    shown = start(page, " mine ")
    assert named == ["mine"] and shown["train-name"] == "" and shown["train-said"] == "Started."
    monkeypatch.undo()
    shown = start(page, "../mine")
    assert shown["train-name"] == gr.skip() and "name may have up to" in str(shown["start-problem"])
