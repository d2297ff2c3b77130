"""What the view of a run shows, from its folder: nothing is left over from another run or an earlier moment."""

import dataclasses
import os
import shutil

import gradio as gr
import pytest
from PIL import Image

from ganopt.models.latents import FIXED_SEEDS
from ganopt.runs import monitor, timelapse
from ganopt.runs.queue import EXIT, LOCK, PROCESS
from ganopt.runs.status import read
from ganopt.training import loop, methods
from ganopt.training.run_metrics import METRICS
from ganopt.ui import run_results, run_view
from ganopt.ui.common import Scratch


@pytest.fixture
def runs(source, tmp_path, monkeypatch):
    """Two finished runs with three previews each."""
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("GANOPT_PRIVATE", "1")
    for name in ("one", "two"):
        folder = shutil.copytree(source, tmp_path / "runs" / name)
        (folder / "previews").mkdir(exist_ok=True)
        for step in (1, 2, 3):
            Image.new("RGB", (6 * 32, 32)).save(folder / "previews" / f"{step:07}.png")
        (folder / EXIT).write_text("0")
        (folder / LOCK).touch()
    return tmp_path / "runs"


def test_another_run_is_shown_at_its_end_and_the_same_one_where_it_was_scrubbed_to(runs, tmp_path):
    def parts(last: str) -> dict:
        return run_view._parts(("two", last), 0, "", Scratch(tmp_path / "scratch"), gr.Request())

    previews = timelapse.files(runs / "two")
    assert parts("one")["faces"][0] == ("two", previews[-1])
    assert parts("one")["scrubber"][1]().value == run_view.LATEST
    assert parts("two")["faces"][0] == ("two", previews[0])
    assert "value" not in parts("two")["scrubber"][1]().constructor_args


def test_a_run_at_its_end_is_saving_and_one_that_was_just_resumed_is_starting(runs):
    folder = runs / "one"
    run = dataclasses.replace(read(folder), status="training")
    (folder / PROCESS).write_text("1")
    for older, newer, doing in (
        (PROCESS, METRICS, "is saving its last step"),
        (METRICS, PROCESS, "is starting"),
    ):
        os.utime(folder / older, (1000, 1000))
        os.utime(folder / newer, (2000, 2000))
        watch = monitor.Watch(folder).refresh()
        assert f"<b>one</b> {doing}." in run_view._status(run, watch, "")
        shown = run_view._status(run, watch, f"first\n\n  Reading <pictures>{'.' * 200}\n \n")
        assert (
            f"{doing}. Reading &lt;pictures&gt;{'.' * 142}" in shown and "first" not in shown and "." * 143 not in shown
        )


def test_the_verdicts_of_a_preview_are_shown_and_real_pictures_only_where_they_may_be_seen(runs, pictures, tmp_path):
    settings = {"generator": "big/64@32", "critic": "plain-critic/16", "batch": 8, "device": "cpu"}
    recipe = methods.recipe("r1", **settings, steps=2, preview_every=1)
    for _ in loop.train(recipe, runs / "three", pictures):
        pass
    (runs / "three" / EXIT).write_text("0")
    (runs / "three" / LOCK).touch()
    before, *_, last = timelapse.files(runs / "three")
    drawn = dataclasses.replace(recipe, data="sample:cats-teacher")
    for preview, made, public, images in (
        (before, recipe, False, 12),
        (last, recipe, False, 12),
        (last, recipe, True, 6),
        (last, None, True, 6),
        (last, drawn, True, 12),
    ):
        shown = run_results.diagram(preview, made, public)
        _, [verdicts] = timelapse.read_verdicts(preview)
        assert shown.visible and shown.value.count("<image") == images
        assert all(f">{value:.0%}<" in shown.value for value in (*verdicts.generated, *verdicts.real))
        assert ("not shown on this public page" in shown.value) == (images == len(FIXED_SEEDS))
    old = timelapse.files(runs / "one")[-1]
    assert not run_results.diagram(old, recipe, False).visible and not run_results.diagram(None, None, False).visible
    parts = run_view._parts(("three", "three"), 0, "", Scratch(tmp_path / "scratch"), gr.Request())
    assert parts["diagram"][0] == ("three", before) and parts["diagram"][1]().visible


def test_weights_that_were_just_deleted_are_not_said_to_be_unwritable(runs, tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    run = read(runs / "one")
    assert run_results.weights(run, scratch).value
    shutil.rmtree(runs / "one")
    with pytest.raises(FileNotFoundError):  # which the page takes for a run that another page has deleted
        run_results.weights(run, scratch)
