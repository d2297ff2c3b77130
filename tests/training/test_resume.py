"""Resuming a run: nothing is written before all is checked, and no two processes train one run."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ganopt.errors import UserError
from ganopt.locks import is_locked
from ganopt.models import weights
from ganopt.training import live_fid, loop
from ganopt.training.methods import recipe
from ganopt.training.recipe_text import describe
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import read_counters, read_recipe
from ganopt.training.run_metrics import follow

TINY = {"generator": "big/64@32", "batch": 4, "device": "cpu", "save_every": 2, "preview_every": 2}


def tiny(**settings) -> Recipe:
    return recipe("dcgan", **{**TINY, "critic": "kd-critic/16", "steps": 4, **settings})


def finished(folder: Path, pictures: torch.Tensor, made: Recipe | None = None) -> Path:
    for _ in loop.train(made or tiny(), folder, pictures):
        pass
    return folder


def contents(folder: Path) -> dict[str, object]:
    """All files of a run: networks as metadata and tensors, because safetensors writes metadata in any order."""
    found: dict[str, object] = {}
    for path in filter(Path.is_file, folder.rglob("*")):
        data: object = path.read_bytes()
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                data = file.metadata(), {name: file.get_tensor(name).numpy().tobytes() for name in file.keys()}
        found[str(path.relative_to(folder))] = data
    return found


@pytest.mark.parametrize("budget", [{"steps": 2}, {"images": 16}, {"minutes": 1e-6}, {"steps": 4}])
def test_a_budget_that_is_spent_changes_nothing(budget, pictures, tmp_path):
    before = contents(finished(tmp_path / "run", pictures))
    assert list(loop.resume(tmp_path / "run", pictures, budget)) == []
    assert contents(tmp_path / "run") == before and read_recipe(tmp_path / "run").steps == 4


def test_a_refused_resume_changes_nothing(pictures, tmp_path, refuses, monkeypatch):
    before = contents(finished(tmp_path / "run", pictures))
    with refuses("pictures have changed"):
        loop.resume(tmp_path / "run", pictures.flip(0), {"steps": 9})
    with refuses("The device 'abacus' is not available"):
        loop.resume(tmp_path / "run", pictures, {"steps": 9}, device="abacus")

    def fail(state):
        raise UserError("Inception is missing; restore it.")

    monkeypatch.setattr(live_fid, "measure", fail)
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"live_fids": 0', '"live_fids": 2'))
    before["config.json"] = config.read_bytes()
    with refuses("Inception is missing"):
        loop.resume(tmp_path / "run", pictures, {"steps": 9})
    assert contents(tmp_path / "run") == before
    with refuses("Inception is missing"):
        loop.train(tiny(live_fids=2), tmp_path / "new", pictures)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "damage",
    [b"\xff\xfe", b"7\n", b'"step"\n', b"[1]\n", b'{"step": "x"}\n', b'{"step": 4}', b"\xff\n7\n", b"{" * 99],
)
def test_damaged_metrics_are_cut_off_as_the_page_skips_them(damage, pictures, tmp_path):
    folder = finished(tmp_path, pictures)
    file, good = folder / "metrics.jsonl", (folder / "metrics.jsonl").read_bytes()
    file.write_bytes(good + damage)
    shown = follow(folder)[0]
    assert [line["step"] for line in shown] == [1, 2, 3, 4]
    *_, last = loop.resume(folder, pictures, {"steps": 5})
    assert last.step == 5 and [line["step"] for line in follow(folder)[0]] == [1, 2, 3, 4, 5]
    assert file.read_bytes().startswith(good) and all(map(json.loads, file.read_bytes().splitlines()))


def test_metrics_that_cannot_be_read_are_one_sentence(pictures, tmp_path, refuses):
    folder = finished(tmp_path, pictures)
    (folder / "metrics.jsonl").unlink()
    (folder / "metrics.jsonl").mkdir()
    with refuses("metrics.jsonl cannot be read"):
        loop.resume(folder, pictures, {"steps": 5})


def test_a_run_at_work_is_not_resumed(pictures, tmp_path, refuses):
    folder = tmp_path / "run"
    run = loop.train(tiny(), folder, pictures)
    next(run)
    for _ in range(2):
        with refuses("already training or waiting", "stop it first"):
            loop.resume(folder, pictures)
    run.close()
    forgotten = loop.resume(folder, pictures)
    assert is_locked(folder)
    del forgotten
    assert [step.step for step in loop.resume(folder, pictures)] == [2, 3, 4]
    assert not is_locked(folder) and not (folder / "lock").exists()


def test_pictures_and_device_may_have_moved(draw_faces, tmp_path, refuses):
    draw_faces(tmp_path / "here", 16, (32, 32))
    for _ in loop.train(tiny(data=str(tmp_path / "here"), device="auto"), tmp_path / "run"):
        pass
    (tmp_path / "here").rename(tmp_path / "there")
    with refuses("There is no folder"):
        loop.resume(tmp_path / "run", budget={"steps": 5})
    there = str(tmp_path / "there")
    assert [step.step for step in loop.resume(tmp_path / "run", budget={"steps": 5}, data=there, device="cpu")] == [5]
    saved = read_recipe(tmp_path / "run")
    assert (saved.data, saved.device, saved.steps) == (there, "cpu", 5)
    draw_faces(tmp_path / "other", 17, (32, 32))
    with refuses("pictures have changed"):
        loop.resume(tmp_path / "run", budget={"steps": 6}, data=str(tmp_path / "other"))
    assert read_recipe(tmp_path / "run") == saved


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("plain-critic/64", "plain-critic/64,projected:0.5"),
        ("plain-critic/64,projected:0.5", "plain-critic/64"),
        ("plain-critic/64,projected:0.5", "plain-critic/64,projected-fine:0.5"),
    ],
)
def test_other_critics_in_the_config_are_called_that(first, second, pictures, tmp_path, refuses):
    finished(tmp_path, pictures, recipe("r1", **{**TINY, "critic": first, "steps": 1}))
    other = describe(recipe("r1", **{**TINY, "critic": second, "steps": 1}))
    (tmp_path / "config.json").write_text(json.dumps(other))
    with refuses("does not fit the networks of config.json"):
        loop.resume(tmp_path, pictures, {"steps": 2})


def test_a_run_in_the_folder_of_its_pictures_is_resumed(draw_faces, tmp_path):
    draw_faces(tmp_path / "cats", 16, (32, 32))
    for folder in (tmp_path / "cats" / "runs" / "first", tmp_path / "cats"):
        for _ in loop.train(tiny(data=str(tmp_path / "cats")), folder):
            pass
        assert list((folder / "previews").glob("*.png"))
        assert [step.step for step in loop.resume(folder, budget={"steps": 5})] == [5]


def test_a_resumed_run_says_its_new_budget_in_its_weights(pictures, tmp_path):
    folder = finished(tmp_path / "run", pictures)
    shutil.copytree(folder, tmp_path / "stopped")
    for step in (run := loop.resume(folder, pictures, {"steps": 9})):
        if step.step == 6:
            break
    run.close()
    for name in ("generator", "critic"):
        metadata = weights.read_metadata(folder / f"{name}.safetensors")
        assert json.loads(metadata["recipe"])["steps"] == 9 == read_recipe(folder).steps
    assert read_counters(folder)["step"] == 6


def test_a_run_without_an_end_is_resumed_with_a_budget_that_can_be_spent(source, tmp_path, refuses):
    student = recipe("distill", **TINY, teacher=str(source), critic="kd-critic/16", alpha=0.0, steps=3)
    run = loop.train(student, tmp_path)
    next(run)
    run.close()
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"steps": None, "images": 100}))
    with refuses("--images is no budget"):
        loop.resume(tmp_path)
    assert [step.step for step in loop.resume(tmp_path, budget={"steps": 2})] == [2]
    assert (read_recipe(tmp_path).steps, read_recipe(tmp_path).images) == (2, None)
