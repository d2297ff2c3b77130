"""What is shown is what is chosen now, also when answers are slow."""

import gradio as gr
import numpy as np
import pytest
import torch

from ganopt.errors import UserError
from ganopt.models.latents.inversion import Search
from ganopt.ui import gpu, lab_view
from ganopt.ui.current import Turns, show_current
from ganopt.ui.messages import sentence_place
from tests.ui.handlers import handlers, press

KEPT = gr.skip()
CHOICES = {"input", "change", "release", "blur", "submit", "upload"}
PHOTOGRAPH = np.zeros((3, 99, 99), np.uint8)


def answer(name: str) -> str:
    if name == "gone":
        raise UserError("It is gone.")
    return f"about {name}"


@pytest.fixture
def steps():
    """The two handlers behind an answer: the first one calls `answer`, the second one shows what it returned."""
    with gr.Blocks() as blocks:
        chosen, text = gr.Textbox(), gr.HTML()
        show_current(chosen.change, answer, [chosen], [text], sentence_place())
    first, second = blocks.fns.values()
    return first.fn, second.fn


def test_an_answer_is_shown_while_its_question_is_asked(steps):
    ask, show = steps
    assert show(ask("one"), "one") == ("about one", "")
    assert show(ask("one"), "two") == (KEPT, KEPT)
    assert show(ask("gone"), "gone") == (KEPT, '<p role="alert">It is gone.</p>')
    assert show(ask("gone"), "two") == (KEPT, KEPT)


def test_a_choice_during_an_answer_is_answered_after_it(page):
    lost = [
        (block.elem_id, event, each.name)
        for each in page.fns.values()
        for number, event in each.targets
        if event in CHOICES and each.fn and each.trigger_mode == "once" and (block := page.blocks[number])
    ]
    assert not lost
    assert [each.trigger_mode for each in handlers(page, "run-film")] == ["always_last"]


@pytest.mark.parametrize("control", ["run-film", "live-model", "train-folder"])
def test_slow_answers_are_checked_when_they_arrive(page, control):
    event = {"run-film": "click", "train-folder": "blur"}.get(control, "change")
    answers = [each for each in handlers(page, control, event) if isinstance(each.outputs[0], gr.State)]
    assert len(answers) == 1 and len(answers[0].outputs) == 1


def test_only_the_last_task_of_a_session_has_its_turn():
    turns = Turns()
    with turns.take("me") as first, turns.take("you") as other:
        assert first()
        with turns.take("me") as second:
            assert second() and not first()
        turns.end("me")
        assert not first() and other()
    assert not turns._tasks


def test_a_run_of_the_lab_shows_nothing_in_another_experiment(page, monkeypatch):
    monkeypatch.setattr("ganopt.ui.lab.session_of_call", lambda: "somebody")
    monkeypatch.setattr(lab_view, "PAUSE", 0)
    run = press(page, "q-learning-start")
    assert next(run)[0] == "Starting." and "<progress" in next(run)[0]
    [opening] = handlers(page, "open-gan-1d")
    opening.fn()
    assert [*run] == [(KEPT,) * 6 + ("",)]


def test_a_search_shows_nothing_after_another_crop(page, monkeypatch):
    ended, face = [], torch.zeros(3, 32, 32, dtype=torch.uint8)

    def search(*_):
        try:
            yield from [Search(torch.zeros(100, 1, 1), face, 1.0, 0.1, 0, torch.ones(64))] * 5
        finally:
            ended.append(True)

    monkeypatch.setattr(gpu, "find", search)
    found = press(page, "find-start", {1: PHOTOGRAPH})
    assert "Searching" in next(found)[1] and "Distance" in next(found)[1]
    [crop] = handlers(page, "find-zoom", "release")
    crop.fn(gr.Request(session_hash="somebody"), PHOTOGRAPH, 50, 50, 1)
    assert [*found] == [(KEPT,) * 4 + ("",)] and ended
