"""Faces whose eyes match are told from those whose eyes do not, and seeds stay what they are."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor

from ganopt.cli.parser import main
from ganopt.errors import UserError
from ganopt.metrics import eyes
from ganopt.metrics.evaluation import Plan, faces
from ganopt.metrics.features import finish, load_extractor
from ganopt.models import weights, zoo
from ganopt.models.latents import latents
from ganopt.models.networks import build_generator
from ganopt.models.sampling import draw, inference_copy

CPU = torch.device("cpu")


def face(seed: int, other_eye: str = "") -> Tensor:
    """A drawn cat with two eyes of one colour, uint8 (3, 128, 128); `other_eye` is the colour of its right eye."""
    chance = random.Random(seed)
    coat = tuple(chance.randrange(60, 200) for _ in range(3))
    colour = chance.choice(("green", "gold", "orange", "skyblue"))
    image = Image.new("RGB", (128, 128), coat)
    pencil = ImageDraw.Draw(image)
    for x, fill in ((45, colour), (83, other_eye or colour)):
        x, y, radius = x + chance.randrange(-2, 3), 66 + chance.randrange(-2, 3), chance.randrange(8, 10)
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill)
        pencil.ellipse((x - 3, y - 6, x + 3, y + 6), "black")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


@pytest.fixture(scope="module")
def fitted() -> eyes.Eyes:
    return eyes.fit(torch.stack([face(seed) for seed in range(300, 380)]), "cat")


def test_odd_eyes_are_farther_apart_than_equal_ones(fitted):
    equal = fitted.mismatch(torch.stack([face(seed) for seed in range(12)]))
    odd = fitted.mismatch(torch.stack([face(seed, "magenta") for seed in range(12)]))
    assert equal.max() < odd.min()


def test_a_mirrored_face_has_the_same_mismatch(fitted):
    drawn = torch.stack([face(seed, "magenta" if seed % 2 else "") for seed in range(6)])
    assert torch.allclose(fitted.mismatch(drawn), fitted.mismatch(drawn.flip(3)), rtol=1e-3)


def test_the_shipped_gaussians_tell_odd_eyes_of_drawn_faces():
    cats = eyes.load("cat")
    equal = cats.mismatch(torch.stack([face(seed) for seed in range(12)]))
    odd = cats.mismatch(torch.stack([face(seed, "magenta") for seed in range(12)]))
    assert (odd > equal).float().mean() > 0.9
    assert eyes.load("dog").whitening.shape == cats.whitening.shape == (176, 176)


def test_chosen_seeds_are_those_with_the_smallest_mismatch_and_in_order(fitted):
    generator, seeds = inference_copy(zoo.load("cats-fast"), CPU), [9, 3, *range(20, 38)]
    drawn = draw(generator, latents(seeds))
    chosen = [seeds[index] for index in fitted.best(drawn, 5)]
    found = fitted.mismatch(drawn)
    best = {seeds[index] for index in found.argsort()[:5]}
    assert set(chosen) == best and chosen == [seed for seed in seeds if seed in best]
    assert fitted.best(drawn, 100) == list(range(len(seeds)))


def test_the_animal_of_a_model_is_that_of_its_training_pictures(tmp_path):
    assert (eyes.of_model("cats-teacher").animal, eyes.of_model("dogs-transfer").animal) == ("cat", "dog")
    path = tmp_path / "model.safetensors"
    network = build_generator("big/32@32")
    folder = {"data": "old/sample:cats-fast", "classes": "dog"}
    for recipe, animal in (({"classes": "dog"}, "dog"), ({"data": "sample:cats-fast"}, "cat"), (folder, "dog")):
        weights.save(network, path, recipe)
        assert eyes.of_model(str(path)).animal == animal
    for recipe in ({"classes": "horse"}, {"data": f"sample:{path}"}):
        weights.save(network, path, recipe)
        with pytest.raises(UserError, match="not known where the eyes .* --classes cat or dog"):
            eyes.of_model(str(path))


def test_a_damaged_file_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    save_file({"other": torch.zeros(1)}, tmp_path / "eyes-cat.safetensors")
    (tmp_path / "eyes-dog.safetensors").write_bytes(b"none")
    for animal in ("cat", "dog"):
        with pytest.raises(UserError, match="missing or damaged"):
            eyes.load(animal)
    save_file({"whitening": torch.tensor([[1.0, torch.nan]])}, tmp_path / "eyes-cat.safetensors")
    with pytest.raises(UserError, match="missing or damaged"):
        eyes.load("cat")


def test_the_command_writes_the_chosen_seeds_as_they_are_without_a_choice(tmp_path, capsys):
    main(["generate", "--model", "cats-fast", "--seeds", "0-11", "--out", str(tmp_path / "all")])
    main(["generate", "--model", "cats-fast", "--seeds", "0-11", "--best", "3", "--out", str(tmp_path / "best")])
    chosen = sorted((tmp_path / "best").glob("seed-*.png"))
    assert len(chosen) == 3
    assert all(path.read_bytes() == (tmp_path / "all" / path.name).read_bytes() for path in chosen)
    assert "3 faces" in (said := capsys.readouterr().out) and "The seeds with the best eyes: " in said


@pytest.mark.parametrize("count", ["0", "13", "-1"])
def test_an_impossible_choice_is_refused(count, tmp_path):
    with pytest.raises(SystemExit, match=rf"^ganopt: --best is {count}; it must be a number from 1 to 12.*\.$"):
        main(["generate", "--model", "cats-fast", "--seeds", "0-11", "--best", count, "--out", str(tmp_path / "a")])
    assert not (tmp_path / "a").exists()


def test_a_measured_choice_draws_that_many_more_seeds():
    plan = Plan(models=("cats-fast",), count=50, best_of=4, seed=10)
    assert (plan.seeds(0), plan.seeds(1)) == (range(10, 210), range(210, 410))
    for values in ({"best_of": 0}, {"best_of": 101}, {"best_of": 2, "against": "cats-teacher"}):
        with pytest.raises(UserError):
            Plan(models=("cats-fast",), **values)


def test_fid_says_which_faces_were_taken(tmp_path, monkeypatch, capsys, thin_inception):
    monkeypatch.chdir(tmp_path)
    main(["fid", "--model", "cats-fast", "--n", "50", "--repeats", "1", "--best-of", "2", "--json", "--results", ""])
    record = json.loads(capsys.readouterr().out)["records"][-1]
    assert record["seeds"] == ["0-99"] and record["count"] == 50
    assert record["drawn"] == "of 100 faces, the 50 whose eyes match best"
    assert not Path("results.json").exists()
    thin = str(thin_inception)
    main(["fid", "--model", "cats-fast", "--n", "50", "--best-of", "2", "--save", "best.npz", "--inception", thin])
    extractor = load_extractor(CPU, "float32", thin)
    sample = finish(faces(Plan(models=("cats-fast",), count=50, best_of=2), "cats-fast", 0, extractor))
    with np.load("best.npz") as saved:
        assert len(sample.rows) == 50 and np.allclose(saved["mu"], sample.rows.double().mean(0), atol=1e-5)
