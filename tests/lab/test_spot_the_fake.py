"""Spot the fake: the seed fixes the order, the score counts right, and a wrong choice is a sentence."""

import numpy as np
import pytest

from ganopt.lab.experiments import spot_the_fake as spotting
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("spot-the-fake")


def test_the_seed_fixes_the_order_and_four_to_eight_faces_are_fakes():
    orders = [spotting.order(seed) for seed in range(200)]
    assert all(np.array_equal(each, spotting.order(seed)) for seed, each in enumerate(orders))
    assert {int(each.sum()) for each in orders} == {4, 5, 6, 7, 8}
    assert 0.4 < np.mean([each[0] for each in orders]) < 0.6
    assert len({each.tobytes() for each in orders}) > 150


@pytest.mark.parametrize(
    ("chosen", "right"), [(set(), (0, 0, 8)), ({1, 2, 3, 4}, (4, 0, 12)), ({1, 12}, (1, 1, 8)), ({12}, (0, 1, 7))]
)
def test_the_score_counts_right(chosen, right):
    assert spotting.score(chosen, np.arange(12) < 4) == right


@pytest.mark.parametrize("text", ["0", "13", "one", "1;2", "-1"])
def test_a_wrong_choice_is_a_sentence(refuses, text):
    with refuses("write numbers from 1 to 12 with spaces"):
        EXPERIMENT.configure({"chosen": text})


def test_a_teacher_against_itself_is_refused(refuses):
    with refuses("choose another model or give a folder of photographs"):
        EXPERIMENT.configure({"fake": "cats-teacher"})


def test_the_answer_is_shown_only_after_a_choice():
    *_, asked = EXPERIMENT.frames(EXPERIMENT.parse("seed=3"))
    assert "cats-student" not in asked.pictures["Faces"].svg() and [*asked.figures] == [
        "faces judged right by guessing, in the mean"
    ]
    fakes = " ".join(str(index + 1) for index in np.flatnonzero(spotting.order(3)))
    *_, answered = EXPERIMENT.frames(EXPERIMENT.parse(f"seed=3,chosen={fakes}"))
    assert answered.figures["faces judged right"].measured == 12
    assert answered.pictures["Faces"].svg().count("cats-student, right") == len(fakes.split())


def test_photographs_of_a_folder_are_the_others(tmp_path, draw_faces):
    draw_faces(tmp_path, 16)
    settings = {"photographs": str(tmp_path), "fake": "cats-teacher", "chosen": "1 2"}
    *_, frame = EXPERIMENT.frames(EXPERIMENT.configure(settings))
    assert frame.pictures["Faces"].svg().count("photograph") == 12 - spotting.order(0).sum()
