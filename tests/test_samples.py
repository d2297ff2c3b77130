"""The sample set: faces that a model draws, made once, at the side that is asked for."""

import pytest
import torch

from ganopt import run_folder, samples, training
from ganopt.draw import draw, fused
from ganopt.latents import latents
from ganopt.recipes import R1
from ganopt.zoo import load


@pytest.fixture(autouse=True)
def few(three_models, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    monkeypatch.setattr(samples, "SEEDS", range(1_000_000, 1_000_040))


def test_it_is_what_the_model_draws_made_smaller_by_means():
    drawn = draw(fused(load("dogs-transfer"), torch.device("cpu")), latents(samples.SEEDS))  # of 64 pixels
    assert torch.equal(samples.load("dogs-transfer", 64), drawn)
    halves = drawn.float().unflatten(3, (32, 2)).unflatten(2, (32, 2)).mean(dim=(3, 5)).round().to(torch.uint8)
    assert torch.equal(samples.load("dogs-transfer", 32), halves)


def test_it_is_drawn_once_and_again_where_the_cache_is_damaged(cache, monkeypatch):
    first = samples.load("cats-teacher", 32)
    (file,) = (cache / "samples").iterdir()
    time = file.stat().st_mtime_ns
    assert torch.equal(samples.load("cats-teacher", 32), first) and file.stat().st_mtime_ns == time
    file.write_bytes(b"short")
    assert torch.equal(samples.load("cats-teacher", 32), first) and len(list(cache.glob("samples/*"))) == 1


def test_a_model_of_smaller_pictures_and_one_that_is_not_there_are_refused(refuses):
    with refuses("cats-teacher", "32 pixels"):
        samples.load("cats-teacher", 64)
    with refuses("nobody"):
        samples.load("nobody", 32)


def test_a_run_trains_on_it(tmp_path):
    recipe = R1(
        data="sample:cats-teacher", generator="big/64@32", critic="plain-critic/64", batch=4, steps=2, device="cpu"
    )
    *_, last = training.train(recipe, tmp_path / "run")
    assert last.images == 8 and run_folder.read_recipe(tmp_path / "run") == recipe
    assert run_folder.travelling(recipe)["data"] == "sample:cats-teacher"
