"""The summary of a run, and the form for another one with the same settings."""

import dataclasses
import shutil

import pytest

from ganopt.runs import monitor
from ganopt.training import methods
from ganopt.ui import requests, run_curves, run_summary
from ganopt.ui.requests import PRESETS, RunRequest

TINY = {"network": "big/64", "side": 32}


@pytest.fixture(autouse=True)
def environment(three_models, monkeypatch, tmp_path):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("GANOPT_PRIVATE", "1")


@pytest.mark.parametrize(
    "asked",
    [
        PRESETS["Cats from scratch in two minutes"],
        RunRequest("distill", 3, origin="cats-teacher", more={"alpha": 0.0}, **TINY),
        RunRequest("r1", 20, "sample:cats-teacher", second_critic="projected", more={"lr_d": 1e-3, "seed": 5}, **TINY),
        RunRequest("transfer", 5, "sample:cats-teacher", "cats-student", side=32, more={"freeze_g": 0, "freeze_d": 1}),
    ],
    ids=lambda asked: asked.method,
)
def test_a_run_is_asked_for_again_with_the_same_settings(asked, tmp_path):
    recipe = requests.make_recipe(asked, public=False)
    again, lost = run_summary.request_of(recipe)
    assert requests.make_recipe(again, public=False) == recipe and not lost
    assert set(again.more) <= set(asked.more)


def test_a_run_that_has_taken_the_critic_of_its_source_is_asked_for_again(monkeypatch):
    monkeypatch.delenv("GANOPT_CHECKPOINTS")
    asked = dataclasses.replace(PRESETS["My pets, starting from the dogs"], data="sample:dogs-transfer")
    saved = methods.resolved(requests.make_recipe(asked, public=False))
    again, lost = run_summary.request_of(saved)
    assert (again.origin, again.second_critic, again.more, lost) == ("dogs-transfer", "projected", {}, [])


def test_a_setting_without_effect_is_not_asked_for_again(tmp_path):
    recipe = requests.make_recipe(RunRequest("distill", 3, origin="cats-teacher", more={"alpha": 0.0}, **TINY), False)
    odd = dataclasses.replace(recipe, critics=(dataclasses.replace(recipe.critics[0], lr=0.1),))
    assert run_summary.request_of(odd) == run_summary.request_of(recipe)


def test_what_the_form_does_not_have_is_named(tmp_path):
    asked = RunRequest("r1", 5, "sample:cats-teacher", **TINY)
    recipe = dataclasses.replace(requests.make_recipe(asked, public=False), beta1=0.5, n_critic=3)
    assert run_summary.request_of(recipe)[1] == ["n_critic", "beta1"]


def test_the_summary_says_method_pictures_networks_and_budget(tmp_path):
    asked = RunRequest("transfer", 5, "sample:dogs-transfer", "cats-teacher", side=32, more={"freeze_g": 0})
    text = run_summary.summary(requests.make_recipe(asked, public=False), tmp_path)
    for part in (
        "Transfer, from Cats, &lt;teacher&gt;",
        "2,000 faces drawn by Dogs, Transfer",
        "big/32@32",
        "5 minutes",
    ):
        assert part in text, text


def test_fid_is_measured_by_default_in_long_runs_only():
    fids = [
        requests.make_recipe(RunRequest("r1", minutes, "sample:cats-teacher", more=more, **TINY), False).live_fids
        for minutes, more in ((5, {}), (requests.CHEAP, {}), (requests.CHEAP, {"live_fids": 0}))
    ]
    assert fids == [0, requests.LIVE_FIDS, 0]


def test_curves_of_two_runs_are_in_one_plot(source, tmp_path):
    watch = monitor.watch(source).refresh()
    other = shutil.copytree(source, tmp_path / "another")
    alone, both = run_curves.curves(watch, source), run_curves.curves(watch, source, other)
    assert "class='curve0'" in alone and "class='curve1'" not in alone and "another" not in alone
    assert "class='curve1'" in both and both.count("<svg") == alone.count("<svg") == 1
    assert ">another</text>" in both and f">{source.name}</text>" in both
