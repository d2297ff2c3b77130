"""Handlers of the built page, called without a server."""

import inspect
from collections.abc import Iterator

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.helpers import special_args


def handlers(page: gr.Blocks, control: str, event: str = "click") -> list[BlockFunction]:
    """The handlers of an event of a control, which is named by its element id."""
    [number] = [block._id for block in page.blocks.values() if block.elem_id == control]
    return [each for each in page.fns.values() if (number, event) in each.targets and each.fn]


def press(page: gr.Blocks, button: str, values: dict[int, object] | None = None) -> Iterator[tuple]:
    """The values of a button's generator, for the inputs that the page has at first, or other `values` by place."""
    [found] = [each for each in handlers(page, button) if inspect.isgeneratorfunction(each.fn)]
    inputs = [getattr(each, "value", None) for each in found.inputs]
    for place, value in (values or {}).items():
        inputs[place] = value
    return found.fn(*special_args(found.fn, inputs, gr.Request(session_hash="somebody"))[0])
