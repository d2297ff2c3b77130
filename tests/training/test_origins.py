"""A run whose source or teacher has been deleted or changed: a transfer goes on, a distillation says what is wrong.

And one whose source or teacher has no critic of its own: that of the model that it was trained from takes its place.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganopt import recipe, resume, train
from ganopt.models import weights, zoo
from ganopt.models.catalogue import catalogue, write_catalogue
from ganopt.models.networks import parse_architecture
from ganopt.publishing.models import upload_of
from ganopt.thesis import release
from ganopt.training.loop import prepare
from ganopt.training.methods import METHODS, borrowed_critic
from ganopt.training.run_folder import STATE, read_counters, write_recipe

BORROWED = "dogs has no critic of its own; that of cats, which it was trained from, is used."
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
    for _ in range(made.steps // 2):
        next(steps)
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


@pytest.mark.parametrize(
    "settings",
    [{}, {"widen": 2}, {"grow": True}, {"critic": "critic,projected/32:0.5", "steps": 2, "save_every": 1}],
    ids=str,
)
def test_a_transfer_goes_on_without_its_source(settings, origin, few, tmp_path):
    made = recipe("transfer", source=str(origin), freeze_d=2, n_critic=2, **SETTINGS | settings)
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


def ship(run: Path, name: str, **options) -> None:
    release.ship(run, name, name.title(), "teacher", "drawn faces", "none", **options)


@pytest.fixture
def dogs(source, few, tmp_path, monkeypatch) -> str:
    """A model of the catalogue, stored as a difference to `cats`, which it was trained from; its critic is left out."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
    ship(source, "cats")
    list(train(from_model("cats"), tmp_path / "dogs", few))
    ship(tmp_path / "dogs", "dogs", without_critic=True)
    return "dogs"


def from_model(name: str, **settings):
    return recipe("transfer", source=name, **{"freeze_g": 1, "freeze_d": 0, "n_critic": 1} | SETTINGS | settings)


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    values = other.state_dict()
    return all(torch.equal(value, values[name]) for name, value in one.state_dict().items())


def test_a_transfer_of_a_model_without_a_critic_starts_from_that_of_its_source(dogs, few, tmp_path, capsys):
    made = from_model(dogs)
    state = prepare(made, None, few)
    assert capsys.readouterr().err == f"{BORROWED}\n"
    assert equal(state.generator, zoo.load("dogs")) and equal(state.critics[0].network, zoo.load_critic("cats"))
    write_recipe(tmp_path / "run", made)  # as the page starts a run
    assert [step.step for step in resume(tmp_path / "run", few)] == [1, 2, 3, 4]
    assert capsys.readouterr().err == f"{BORROWED}\n"
    resume(tmp_path / "run", few, {"steps": 5}).close()
    assert not capsys.readouterr().err
    assert not equal(zoo.load_critic(tmp_path / "run"), zoo.load_critic("cats"))
    assert not borrowed_critic(from_model("cats")) and not borrowed_critic(from_model(str(tmp_path / "run")))


def test_a_student_inherits_and_sees_by_the_critic_of_its_teachers_source(dogs, few):
    made = student(dogs, inherit_critic=True, feature=0.5)
    state = prepare(made, None, few)
    for critic in (state.critics[0].network, state.frozen["teacher_critic"]):
        assert equal(critic, zoo.load_critic("cats"))
    assert borrowed_critic(made) == borrowed_critic(student(dogs, feature=0.5)) == BORROWED
    assert not borrowed_critic(student(dogs))
    suggested = METHODS["distill"].suggest(dogs, parse_architecture("big/64@32"), {"alpha": 0})
    assert (suggested["inherit_critic"], suggested["feature"]) == (True, 1.0)


def test_the_critic_of_a_source_is_not_published_as_that_of_a_model(dogs):
    assert "critic.safetensors" in upload_of("cats", "me/cats").files
    assert "critic.safetensors" not in upload_of(dogs, "me/dogs").files


def test_a_model_whose_source_has_no_critic_either_is_refused(dogs, few, refuses):
    write_catalogue({name: dataclasses.replace(entry, critic=None) for name, entry in catalogue().items()}, {})
    with refuses("cats has no critic"):
        prepare(from_model(dogs), None, few)


def test_training_starts_from_the_shipped_dogs():
    pictures = torch.randint(256, (4, 3, 128, 128), dtype=torch.uint8)
    settings = {"critic": "plain-critic/2", "batch": 2, "steps": 2}
    assert [step.step for step in train(from_model("dogs-transfer", **settings), None, pictures)] == [1, 2]
