"""From what is asked for on the page to a recipe, within the page's limits."""

import dataclasses
import functools
import os

import pytest

from ganopt.models import zoo
from ganopt.runs.queue import LOCK, take
from ganopt.runs.status import Run
from ganopt.training.methods import METHODS, Distill, Transfer
from ganopt.training.recipes import R1
from ganopt.ui import access, requests
from ganopt.ui.requests import PRESETS, RunRequest

TINY = {"network": "big/64", "side": 32}
recipe = functools.partial(requests.recipe, public=False)
publicly = functools.partial(requests.recipe, public=True)


@pytest.fixture(autouse=True)
def here(three_models, monkeypatch, tmp_path):
    """The three tiny models, on a page of one's own."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    monkeypatch.delenv("GANOPT_TRAIN_MINUTES", raising=False)
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))


def test_each_preset_is_a_recipe():
    made = {text: recipe(asked) for text, asked in PRESETS.items() if asked.method != "transfer"}
    scratch, student = made.values()
    assert isinstance(scratch, R1) and scratch.generator == "big/8@32" and scratch.critic == "plain-critic/4@32"
    assert scratch.data == "sample:cats-teacher" and (scratch.minutes, scratch.batch) == (2, 32)
    assert isinstance(student, Distill) and not student.needs_pictures and student.side == 32  # its teacher's here


def test_a_transfer_takes_the_networks_of_its_source_and_the_settings_of_ours():
    made = recipe(RunRequest("transfer", 20, "pictures", "cats-teacher", more={"freeze_g": 0, "freeze_d": None}))
    assert isinstance(made, Transfer) and (made.loss, made.freeze_g, made.freeze_d) == ("r1", 0, 2)
    assert made.preview_every == 100 and recipe(dataclasses.replace(PRESETS["Cats become dogs"])).preview_every == 20


@pytest.mark.parametrize(
    ("asked", "fragments"),
    [
        (RunRequest("magic", 1, **TINY), ("magic", "no method")),
        (RunRequest("r1", -1, "pictures", **TINY), ("minutes",)),
        (RunRequest("r1", None, "pictures", **TINY), ("minutes",)),
        (RunRequest("r1", 1, "pictures", network="tiny"), ("Unknown network",)),
        (RunRequest("r1", 1, "pictures", **TINY, more={"batch": 1}), ("--batch",)),
        (RunRequest("transfer", 1, "pictures"), ("model to start from",)),
        (RunRequest("transfer", 1, "pictures", "run:gone"), ("run:gone",)),
        (RunRequest("transfer", 1, "pictures", "cats-teacher", more={"freeze_g": 4}), ("layers",)),
        (RunRequest("distill", 1, "pictures", "nobody"), ("nobody",)),
    ],
)
def test_what_does_not_fit_is_one_sentence(asked, fragments, refuses):
    with refuses(*fragments):
        recipe(asked)


def test_a_model_without_a_critic_is_no_source(refuses, three_models, monkeypatch, tmp_path):
    entries = zoo.catalogue()
    entries["cats-student"] = dataclasses.replace(entries["cats-student"], critic=None)
    monkeypatch.setattr(zoo, "catalogue", lambda: entries)
    with refuses("has no critic"):
        recipe(RunRequest("transfer", 1, "pictures", "cats-student"))


def test_at_home_there_are_no_limits():
    assert access.limits(public=False) == "" and access.most_minutes(public=False) is None
    assert recipe(RunRequest("r1", 600, "a folder", network="big", side=128, more={"batch": 64})).batch == 64


def test_a_public_page_limits_time_batch_and_size_and_says_so(refuses):
    said = access.limits(public=True)
    assert access.most_minutes(public=True) == 5 and "public" in said and "5 min" in said
    assert publicly(RunRequest("r1", 5, "sample:cats-teacher", **TINY)).minutes == 5
    for asked, fragment in (
        (RunRequest("r1", 6, "sample:cats-teacher", **TINY), "5 min"),
        (RunRequest("r1", 5, "sample:cats-teacher", **TINY, more={"batch": 64}), "32 pictures"),
        (RunRequest("r1", 5, "sample:cats-teacher", **TINY, more={"live_fids": 9}), "8 times"),
        (RunRequest("r1", 5, "sample:cats-teacher", network="big", side=64), "M parameters"),
        (RunRequest("r1", 5, "/etc", **TINY), "cannot read folders on the server; upload pictures instead"),
    ):
        with refuses(fragment):
            publicly(asked)


def test_a_setting_turns_training_off_or_allows_more(refuses, monkeypatch):
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "0")
    assert "switched off" in access.limits(public=True) == access.limits(public=False)
    with refuses("switched off"):
        publicly(RunRequest("r1", 1, "sample:cats-teacher", **TINY))
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "60")
    access.check_minutes(60, public=True)
    for public in (True, False):
        with refuses("60 min"):
            access.check_minutes(61, public)
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "inf")
    assert "as long as you like" in access.limits(public=True)
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "")
    assert access.most_minutes(public=True) == 5
    for wrong in ("an hour", "nan", "-1"):
        monkeypatch.setenv("GANOPT_TRAIN_MINUTES", wrong)
        with refuses("GANOPT_TRAIN_MINUTES"):
            access.most_minutes(public=True)


def test_a_run_goes_on_within_the_limits_too(refuses, tmp_path):
    run = Run("a", tmp_path, "stopped", 5, 80, 2.0)
    made = recipe(RunRequest("r1", 4, "sample:cats-teacher", **TINY))
    assert requests.going_on(run, made, None, True) is None and requests.going_on(run, made, 3, True) == 5
    assert requests.going_on(run, dataclasses.replace(made, batch=64), 60, False) == 62
    for more, fragment in ((6, "5 min"), (0, "some minutes")):
        with refuses(fragment):
            requests.going_on(run, made, more, True)
    with refuses("some minutes"):  # its first end is behind it
        requests.going_on(dataclasses.replace(run, status="finished"), made, None, True)
    with refuses("5 min"):
        requests.going_on(run, dataclasses.replace(made, minutes=60), None, True)
    with refuses("32 pictures"):
        requests.going_on(run, dataclasses.replace(made, batch=64), None, True)


def test_a_public_queue_has_an_end(refuses, tmp_path):
    locks = []
    for number in range(4):
        (tmp_path / "runs" / str(number)).mkdir(parents=True)
        locks.append(take(tmp_path / "runs" / str(number) / LOCK))
    with refuses("4 runs"):
        publicly(RunRequest("r1", 5, "sample:cats-teacher", **TINY))
    os.close(locks.pop())
    assert publicly(RunRequest("r1", 5, "sample:cats-teacher", **TINY))
    for lock in locks:
        os.close(lock)


def test_a_teacher_without_a_critic_is_imitated_without_it(monkeypatch):
    entries = zoo.catalogue()
    entries["cats-student"] = dataclasses.replace(entries["cats-student"], critic=None)
    monkeypatch.setattr(zoo, "catalogue", lambda: entries)
    alone, judged = (
        recipe(RunRequest("distill", 1, "pictures", name, **TINY)) for name in ("cats-student", "cats-teacher")
    )
    assert (alone.feature, alone.inherit_critic, alone.critic) == (0, False, "plain-critic/32@32")
    assert (judged.feature, judged.inherit_critic) == (1, True)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_recipe(method):
    made = recipe(RunRequest(method, 1, "pictures", "cats-teacher", **TINY))
    assert made.name == method
