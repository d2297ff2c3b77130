"""What is put into checkpoints/ is small, whole, and says nothing of the disk that it comes from."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganopt.models import model_cache, weights, zoo
from ganopt.models.catalogue import Entry
from ganopt.models.networks.efficientnet import fold
from ganopt.thesis import release
from ganopt.training import loop, methods
from ganopt.training.recipe_text import shareable
from ganopt.training.recipes import Recipe
from tests.efficientnet import random_state

FACTS = {"title": "Tiny faces", "trained_on": "drawn faces", "licence": "none"}
SMALL = {"n_critic": 1, "batch": 4, "steps": 2, "device": "cpu"}


@pytest.fixture(autouse=True)
def checkpoints(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "checkpoints"


@pytest.fixture
def tiny(source) -> Entry:
    """The one model of the catalogue."""
    return ship(source, "tiny")


@pytest.fixture
def transfer(tiny, tmp_path, pictures) -> Path:
    """A run that went on from the catalogue's model."""
    return run_of(
        methods.recipe("transfer", source="tiny", freeze_d=2, **SMALL), tmp_path / "home" / "transfer", pictures
    )


def ship(run: Path, name: str, role: str = "teacher", **options) -> Entry:
    return release.ship(run, name, role=role, **FACTS, **options)


def run_of(recipe: Recipe, folder: Path, pictures: Tensor | None) -> Path:
    """The folder of a whole run."""
    for _ in loop.train(recipe, folder, pictures):
        pass
    return folder


def rounded(run: Path, kind: str) -> dict[str, Tensor]:
    """The tensors of a run's network, rounded to float16."""
    tensors = weights.load(run / f"{kind}.safetensors").state_dict()
    return {name: value.half().float() if value.is_floating_point() else value for name, value in tensors.items()}


def assert_holds(network: torch.nn.Module, tensors: dict[str, Tensor]) -> None:
    state = network.state_dict()
    assert state.keys() == tensors.keys()
    assert all(state[name].numpy().tobytes() == value.numpy().tobytes() for name, value in tensors.items())


def recipe_in(path: Path) -> dict:
    return json.loads(weights.read_metadata(path)["recipe"])


def test_a_shipped_model_is_small_and_draws_what_the_run_draws(tiny, source):
    assert zoo.catalogue() == {"tiny": tiny} and tiny.images == 4 * 4 and tiny.source == ""
    generator = source / "generator.safetensors"
    assert tiny.bytes < 0.6 * generator.stat().st_size
    z = model_cache.latents([0, 1, 2])
    assert (zoo.load("tiny")(z) - weights.load(generator)(z)).abs().mean() < 2 / 255
    assert_holds(zoo.load("tiny"), rounded(source, "generator"))
    assert_holds(zoo.load_critic("tiny"), rounded(source, "critic"))


def test_a_transfer_is_stored_as_the_difference_to_its_source(transfer, checkpoints):
    entry = ship(transfer, "dogs", "transfer")
    assert zoo.catalogue()["dogs"] == entry and (entry.source, entry.role) == ("tiny", "transfer")
    assert_holds(zoo.load("dogs"), rounded(transfer, "generator"))
    assert_holds(zoo.load_critic("dogs"), rounded(transfer, "critic"))
    for kind, file in (("generator", entry), ("critic", entry.critic)):
        whole = checkpoints / "whole.safetensors"
        weights.save(weights.load(transfer / f"{kind}.safetensors"), whole, dtype=torch.float16)
        assert file.bytes == (checkpoints / file.file).stat().st_size < whole.stat().st_size
        assert weights.read_metadata(checkpoints / file.file)["source"] == "tiny"


def test_a_transfer_is_whole_where_its_source_is_no_other_model_of_the_catalogue(transfer, source, tmp_path, pictures):
    assert ship(transfer, "tiny", "transfer").source == ""  # in the place of its own source
    assert_holds(zoo.load("tiny"), rounded(transfer, "generator"))
    run = run_of(
        methods.recipe("transfer", source=str(source), freeze_d=2, **SMALL), tmp_path / "from-a-path", pictures
    )
    assert ship(run, "dogs", "transfer").source == ""
    assert_holds(zoo.load("dogs"), rounded(run, "generator"))


@pytest.mark.parametrize(("storage", "share"), [("float32", 1.0), ("float16", 0.5), ("int8", 0.27)])
def test_the_generator_is_stored_as_asked_and_the_critic_as_float16(source, storage, share):
    entry = ship(source, "tiny", storage=storage)
    assert entry.bytes == pytest.approx(share * (source / "generator.safetensors").stat().st_size, rel=0.15)
    kernel, shipped = (zoo.load(name).layers[1][0].weight for name in (source, "tiny"))
    assert torch.equal(kernel, shipped) == (storage == "float32")
    assert_holds(zoo.load_critic("tiny"), rounded(source, "critic"))


def test_a_transfer_in_8_bits_shares_its_frozen_layers(transfer):
    entry = ship(transfer, "dogs", "transfer", storage="int8")
    assert entry.bytes < ship(transfer, "dogs", "transfer").bytes
    ship(transfer, "dogs", "transfer", storage="int8")
    assert_holds(zoo.load("dogs").layers[:2], zoo.load("tiny").layers[:2].state_dict())


def test_a_run_without_a_critic_is_shipped_without_one(tiny, tmp_path, refuses):
    student = methods.recipe("distill", teacher="tiny", generator="kd/32@32", critic="kd-critic/16", alpha=0.0, **SMALL)
    run = run_of(student, tmp_path / "student", None)
    entry = ship(run, "student", "student")
    assert entry.critic is None and entry.images == 0
    assert_holds(zoo.load("student"), rounded(run, "generator"))
    with refuses("student has no critic"):
        zoo.load_critic("student")


def test_pictures_of_a_student_that_was_trained_on_count(tiny, tmp_path, pictures):
    settings = {"teacher": "tiny", "generator": "kd/32@32", "critic": "kd-critic/16"} | SMALL
    first = ship(run_of(methods.recipe("distill", **settings), tmp_path / "first", pictures), "student", "student")
    on = methods.recipe("distill", start="student", **settings)
    assert ship(run_of(on, tmp_path / "on", pictures), "student", "student").images == 2 * first.images > 0


def test_a_critic_that_nobody_needs_stays_out_with_that_of_a_namesake(tiny, source, checkpoints):
    assert (checkpoints / tiny.critic.file).exists()
    assert ship(source, "tiny", without_critic=True).critic is None
    assert sorted(path.name for path in checkpoints.iterdir()) == ["catalogue.json", "tiny.safetensors"]


def test_no_path_travels(tiny, tmp_path, draw_faces, checkpoints):
    faces = tmp_path / "home" / "faces"
    draw_faces(faces, 16)
    common = {"data": "home/faces/", **SMALL}
    runs = {role: tmp_path / "home" / role for role in ("teacher", "transfer", "student")}
    run_of(
        methods.recipe("dcgan", generator="big/32@32", critic="kd-critic/16", **common | {"data": str(faces)}),
        runs["teacher"],
        None,
    )
    run_of(methods.recipe("transfer", source=str(runs["teacher"]), freeze_d=2, **common), runs["transfer"], None)
    student = methods.recipe("distill", teacher="home/teacher", generator="kd/32@32", critic="kd-critic/16", **common)
    run_of(student, runs["student"], None)
    (tmp_path / "home" / "faces").rename(tmp_path / "elsewhere")  # a path is one, even if nothing is there any more
    for role, run in runs.items():
        entry = ship(run, role, role)
        for file in (entry, entry.critic):
            recipe = recipe_in(checkpoints / file.file)
            assert recipe["method"] and recipe["data"] == "faces" and "home" not in json.dumps(recipe)
    assert recipe_in(checkpoints / "transfer.safetensors")["source"] == "teacher"
    assert recipe_in(checkpoints / "student.safetensors")["teacher"] == "teacher"


def test_names_of_models_travel(transfer, checkpoints):
    ship(transfer, "dogs", "transfer")
    assert recipe_in(checkpoints / "dogs.safetensors")["source"] == "tiny"
    for name in ("tiny", "cat/cats", f"cat/cats@{'0' * 40}"):
        assert shareable(methods.recipe("transfer", source=name, **SMALL))["source"] == name


def test_the_command_ships_and_a_mistake_is_one_sentence(transfer, tmp_path, capsys):
    texts = [word for key, text in FACTS.items() for word in (f"--{key.replace('_', '-')}", text)]
    options = [*texts, "--role", "transfer", "--storage", "int8", "--without-critic"]
    release.main(["model", str(transfer), "dogs", *options])
    assert "dogs.safetensors" in capsys.readouterr().out
    assert zoo.catalogue()["dogs"].critic is None and zoo.load("dogs")
    with pytest.raises(SystemExit) as ended:
        release.main(["model", str(tmp_path / "nowhere"), "cats", *options])
    assert str(ended.value).startswith("ganopt: ") and "contains no readable run" in str(ended.value)
    assert "cats" not in zoo.catalogue()


def test_the_backbone_of_the_projected_critic_is_folded(tmp_path, checkpoints, refuses):
    state = random_state()
    torch.save(state, tmp_path / "lite0.pth")
    release.main(["backbone", str(tmp_path / "lite0.pth")])
    stored = load_file(checkpoints / "efficientnet-lite0.safetensors")
    folded = fold(state)
    assert stored.keys() == folded.keys()
    assert all(torch.equal(stored[name], folded[name].half()) for name in folded)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    (tmp_path / "notes.pth").write_text("no weights")
    for name in ("other.pth", "notes.pth", "absent.pth"):
        with refuses(f"{name} does not contain the weights of EfficientNet-Lite0"):
            release.ship_backbone(tmp_path / name)
