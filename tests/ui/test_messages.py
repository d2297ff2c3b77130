"""Errors beside the controls: what was there stays, and nothing seems to go on that has failed."""

import gradio as gr
import numpy as np
import pytest

from ganopt.errors import UserError
from ganopt.ui import fid, gpu, lab, lab_view, requests
from ganopt.ui.explore import find
from ganopt.ui.messages import beside
from tests.ui.handlers import press

KEPT = gr.skip()
SENTENCE = '<p role="alert">The disk is full; make room.</p>'


def fail(*_):
    raise UserError("The disk is full; make room.")
    yield


@pytest.mark.parametrize(
    ("button", "module", "task", "values", "idle"),
    [
        ("measure", gpu, "evaluate", {}, fid.READY),
        ("find-start", gpu, "find", {1: np.zeros((3, 99, 99), np.uint8)}, find.ADVICE),
        ("q-learning-start", lab_view, "run", {}, lab.AGAIN),
    ],
)
def test_an_error_at_the_start_leaves_the_results_and_resets_the_status(
    page, monkeypatch, button, module, task, values, idle
):
    monkeypatch.setattr(module, task, fail)
    *interim, last = press(page, button, values)
    place = 1 if button == "find-start" else 0  # of the status among the outputs
    for shown in (*interim, last):
        assert all(value == KEPT for index, value in enumerate(shown[:-1]) if index != place)
    assert last[place] == idle and last[-1] == SENTENCE


def test_a_measurement_replaces_the_last_results_with_its_first_one(page, monkeypatch):
    def measure(*_):
        yield "50 of 100", None, "", []
        yield "100 of 100", fid.table_of([]), "fid.csv", []
        yield "Done", None, "", []

    monkeypatch.setattr(fid, "_measure", measure)
    started, early, first, last = press(page, "measure")
    assert started[1:4] == early[1:4] == last[1:4] == (KEPT,) * 3
    assert "<table" in first[1] and first[2].visible and first[3] == ""


def test_an_empty_setting_of_the_lab_is_a_sentence_beside_its_button(page):
    [answer] = press(page, "q-learning-start", {0: None})
    assert answer[:-1] == (KEPT,) * 6 and "is empty; enter a value." in answer[-1]


def test_only_the_progress_is_reset(page):
    def work(count: int):
        yield from [(1, 2)] * count
        raise UserError("No.")

    handler = beside(work, ["one", "two"], idle={"two": 0})
    assert [*handler(2)][-1] == (KEPT, 0, '<p role="alert">No.</p>')
    assert [*handler(0)] == [(KEPT, KEPT, '<p role="alert">No.</p>')], "nothing has told progress yet"


def test_where_nothing_else_can_change_the_answer_is_the_sentence():
    assert beside(lambda: None, [])() == ""
    assert [*beside(fail, [])()] == [SENTENCE]


def test_a_failed_estimate_is_not_said_to_go_on(page, monkeypatch):
    def estimate(*_):
        yield "Estimating: 0 s."
        yield from fail()

    monkeypatch.setattr(requests, "estimate", estimate)
    assert [*press(page, "train-cost")] == [("Estimating: 0 s.", ""), ("", SENTENCE)]
