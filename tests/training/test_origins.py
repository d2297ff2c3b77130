"""A run whose source or teacher has been deleted or changed: a transfer goes on, a distillation says what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganopt import recipe, resume, train
from ganopt.models import weights
from ganopt.training.run_folder import STATE, read_counters

SETTINGS = {"batch": 5, "steps": 4, "save_every": 2, "device": "cpu", "flip": True}


@pytest.fixture
def few(pictures) -> torch.Tensor:
    return pictures[:12]


@pytest.fixture
def origin(source, tmp_path) -> Path:
    """A copy of the source, which a test may spoil."""
    return shutil.copytree(source, tmp_path / "origin")


def halved(made, folder: Path, pictures: torch.Tensor, spoil: Callable[[], None]) -> bool:
    """Whether a run that is stopped half-way, and resumed after `spoil`, equals the straight one to the bit."""
    list(train(made, folder / "straight", pictures))
    steps = train(made, folder / "halved", pictures)
    next(steps), next(steps)
    steps.close()
    spoil()
    list(resume(folder / "halved", pictures))
    one, other = (load_file(folder / name / STATE) for name in ("straight", "halved"))
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def change(file: Path) -> None:
    """Train the model in a file further, so to say."""
    tensors, metadata = weights.read(file)
    next(value for value in tensors.values() if value.is_floating_point()).mul_(1.5)
    save_file(tensors, file, metadata)


@pytest.mark.parametrize("settings", [{}, {"widen": 2}, {"grow": True}, {"critic": "critic,projected/32:0.5"}], ids=str)
def test_a_transfer_goes_on_without_its_source(settings, origin, few, tmp_path):
    made = recipe("transfer", source=str(origin), freeze_d=2, n_critic=2, **SETTINGS, **settings)
    assert halved(made, tmp_path, few, lambda: shutil.rmtree(origin))


def test_a_transfer_goes_on_when_its_source_was_trained_further(origin, few, tmp_path):
    made = recipe("transfer", source=str(origin), freeze_d=2, n_critic=2, **SETTINGS)
    assert halved(made, tmp_path, few, lambda: change(origin / "generator.safetensors"))


def student(origin: Path, **settings):
    return recipe("distill", teacher=str(origin), generator="big/32@32", critic="kd-critic/16", **SETTINGS, **settings)


def test_a_student_goes_on_without_the_model_that_it_started_from(origin, source, few, tmp_path):
    assert halved(student(source, start=str(origin)), tmp_path, few, lambda: shutil.rmtree(origin))
    made = student(source, inherit=True, inherit_critic=True)
    assert halved(made, tmp_path / "second", few, lambda: None)


def test_a_student_says_that_its_teacher_is_gone_or_has_changed(origin, source, few, tmp_path, refuses):
    run = tmp_path / "run"
    steps = train(student(origin, feature=0.5), run, few)
    next(steps)
    steps.close()
    config, file = (run / "config.json").read_bytes(), origin / "generator.safetensors"
    for name in ("generator", "critic"):
        change(origin / f"{name}.safetensors")
        with refuses(f"The teacher {origin} has changed since the run was saved; restore it"):
            resume(run, few)
        shutil.copy(source / f"{name}.safetensors", origin)
    file.unlink()
    with refuses("The run needs its teacher to go on, which cannot be read", str(origin)):
        resume(run, few)
    assert (run / "config.json").read_bytes() == config
    shutil.copy(source / "generator.safetensors", file)
    assert [step.step for step in resume(run, few)] == [2, 3, 4]


def test_a_student_of_version_0_1_knows_no_hash_of_its_teacher(origin, few, tmp_path):
    steps = train(student(origin), tmp_path / "run", few)
    next(steps)
    steps.close()
    counters = {key: value for key, value in read_counters(tmp_path / "run").items() if key not in ("origin", "rate")}
    tensors = load_file(tmp_path / "run" / STATE)
    save_file(tensors, tmp_path / "run" / STATE, {"counters": json.dumps(counters)})
    assert [step.step for step in resume(tmp_path / "run", few)] == [2, 3, 4]
