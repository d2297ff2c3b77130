"""The sample set: faces that a model draws, made once, at the side that is asked for."""

import dataclasses

import pytest
import torch

from ganopt.data import synthetic
from ganopt.models.latents import latents
from ganopt.models.sampling import draw, inference_copy
from ganopt.models.zoo import load
from ganopt.training import loop, methods, run_folder
from ganopt.training.recipe_text import shareable


@pytest.fixture(autouse=True)
def few(three_models, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    monkeypatch.setattr(synthetic, "SEEDS", range(1_000_000, 1_000_040))


def test_it_is_what_the_model_draws_made_smaller_by_means():
    drawn = draw(inference_copy(load("dogs-transfer"), torch.device("cpu")), latents(synthetic.SEEDS))  # of 64 pixels
    assert torch.equal(synthetic.load("dogs-transfer", 64), drawn)
    halves = drawn.float().unflatten(3, (32, 2)).unflatten(2, (32, 2)).mean(dim=(3, 5)).round().to(torch.uint8)
    assert torch.equal(synthetic.load("dogs-transfer", 32), halves)


def test_it_is_drawn_once_and_again_where_the_cache_is_damaged(cache, monkeypatch):
    first = synthetic.load("cats-teacher", 32)
    (file,) = (cache / "samples").iterdir()
    time = file.stat().st_mtime_ns
    assert torch.equal(synthetic.load("cats-teacher", 32), first) and file.stat().st_mtime_ns == time
    file.write_bytes(b"short")
    assert torch.equal(synthetic.load("cats-teacher", 32), first) and len(list(cache.glob("samples/*"))) == 1


@pytest.mark.parametrize("module", ["models/networks.py", "models/sampling.py", "data/synthetic.py"])
def test_other_code_draws_for_itself(cache, other_code, module):
    synthetic.load("cats-teacher", 32)
    other_code(module)
    synthetic.load("cats-teacher", 32)
    assert len(list(cache.glob("samples/*"))) == 2


def test_a_model_of_smaller_pictures_and_one_that_is_not_there_are_refused(refuses):
    with refuses("cats-teacher", "32 pixels"):
        synthetic.load("cats-teacher", 64)
    with refuses("nobody"):
        synthetic.load("nobody", 32)


def test_a_run_trains_on_it(tmp_path):
    recipe = methods.recipe(
        "r1",
        data="sample:cats-teacher",
        generator="big/64@32",
        critic="plain-critic/64",
        batch=4,
        steps=2,
        device="cpu",
    )
    recipe = dataclasses.replace(recipe, flip=True)
    *_, last = loop.train(recipe, tmp_path / "run")
    assert last.images == 8 and run_folder.read_recipe(tmp_path / "run") == recipe
    assert shareable(recipe)["data"] == "sample:cats-teacher"
