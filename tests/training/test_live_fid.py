"""fid100 while a run trains."""

import pytest
import torch

from ganopt.data import image_folder
from ganopt.metrics import features
from ganopt.metrics.fid import fit, frechet_distance
from ganopt.models.latents import latents
from ganopt.models.sampling import draw
from ganopt.models.zoo import load
from ganopt.training import live_fid, loop, methods

TINY = {"generator": "big/32@32", "critic": "plain-critic/32", "batch": 4, "device": "cpu"}


@pytest.fixture(autouse=True)
def thin(thin_inception, monkeypatch):
    monkeypatch.setenv("GANOPT_INCEPTION", str(thin_inception))
    monkeypatch.setattr(live_fid, "GENERATED", 60)


@pytest.mark.parametrize("real", [48, 30])
def test_it_is_the_fid_of_the_average_to_pictures_of_the_run_evenly_drawn(
    real, pictures, tmp_path, extractor, monkeypatch
):
    monkeypatch.setattr(live_fid, "REAL", real)
    steps = list(loop.train(methods.recipe("r1", steps=4, live_fids=2, **TINY), tmp_path / "run", pictures))
    assert [step.step for step in steps if step.fid is not None] == [2, 4]
    faces = draw(load(tmp_path / "run"), latents(range(60)))
    some = pictures[image_folder.drawn(48, real, 0)]
    rows = [features.finish(features.of_pictures("", part, extractor)).rows for part in (faces, some)]
    expected = frechet_distance(*map(fit, rows))
    assert steps[-1].fid == pytest.approx(expected, rel=1e-4)


def test_it_changes_nothing_of_the_training(pictures):
    plain, measured = (
        list(loop.train(methods.recipe("r1", steps=2, live_fids=count, **TINY), None, pictures)) for count in (0, 2)
    )
    assert [step.losses for step in plain] == [step.losses for step in measured]
    assert all(step.fid is None for step in plain) and all(step.fid > 0 for step in measured)


def test_a_student_without_pictures_is_measured_against_its_teacher(source, monkeypatch):
    monkeypatch.setattr(live_fid, "REAL", 60)
    tiny = {**TINY, "critic": "kd-critic/32"}
    *_, last = loop.train(methods.recipe("distill", teacher=str(source), alpha=0.0, steps=2, live_fids=1, **tiny))
    assert last.fid is not None and last.fid > 0 and torch.isfinite(torch.tensor(last.fid))
