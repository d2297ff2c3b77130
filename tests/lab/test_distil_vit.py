"""Distilling a vision transformer: a teacher from a stand-in Hub, pixels, loss, noise, and what is refused."""

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save
from torch import nn
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from ganopt.lab.classifiers import networks, pictures, teacher
from ganopt.lab.experiments import distil_vit
from ganopt.lab.experiments.distil_classifier import distillation_loss
from ganopt.lab.registry import find_experiment
from ganopt.models import hub

EXPERIMENT = find_experiment("distil-vit")
NAME, SIDE = "cat/tiny-vit", 32
CONFIG, PROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The folder of a tiny ViT with random weights, which knows more classes than the pictures have."""
    torch.manual_seed(0)
    folder, names = tmp_path_factory.mktemp("vit"), dict(enumerate(("dog", "bird", "cat")))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = ViTConfig(image_size=SIDE, patch_size=8, initializer_range=0.5, id2label=names, **sizes)
    ViTForImageClassification(config).save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    ViTImageProcessor(size=size, image_mean=[0.4] * 3, image_std=[0.3] * 3).save_pretrained(folder)
    return folder


@pytest.fixture
def files(saved) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in saved.iterdir()}


@pytest.fixture
def folder(tmp_path, draw_faces) -> Path:
    """Twelve cats and twelve dogs, that differ in their shape."""
    draw_faces(tmp_path / "pictures" / "cat", 12, (48, 40))
    draw_faces(tmp_path / "pictures" / "dog", 12, (40, 60))
    return tmp_path / "pictures"


def configured(folder: Path, name: str = NAME, **settings):
    return EXPERIMENT.configure({"folder": str(folder), "teacher": name, "epochs": 1, "batch": 4} | settings)


def run(folder: Path, name: str = NAME, **settings):
    *_, frame = EXPERIMENT.frames(configured(folder, name, **settings))
    return frame


class Recorded(nn.Module):
    """A small student that keeps what it sees."""

    def __init__(self, classes: int, chance: torch.Generator) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []
        self.layer = nn.Linear(3, classes)
        nn.init.normal_(self.layer.weight, generator=chance)
        nn.init.zeros_(self.layer.bias)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(pixels.clone())
        return self.layer(pixels.mean((2, 3)))


@pytest.fixture
def students(monkeypatch) -> list[Recorded]:
    """The students of a run, each a `Recorded`."""
    made: list[Recorded] = []

    def make(classes: int, chance: torch.Generator) -> Recorded:
        made.append(Recorded(classes, chance))
        return made[-1]

    monkeypatch.setattr(distil_vit, "mobilenet", make)
    return made


def test_a_teacher_of_the_hub_and_two_students(server, files, folder):
    server.add("merve/beans-vit-224", files)
    frame = run(folder, "merve/beans-vit-224")
    assert frame.progress == 1 and "On 5 test pictures, the gain of" in frame.said and "noise." in frame.said
    figures = frame.figures
    assert figures["test pictures"].measured == 5
    accuracies = [figures[f"accuracy, {kind}"] for kind in ("labels only", "soft targets")]
    assert [each.exact for each in accuracies] == [0.63, 0.6875] and accuracies[0].is_right is None
    gain = figures["gain by soft targets"].measured
    assert gain == pytest.approx(accuracies[1].measured - accuracies[0].measured)
    assert {name for chart in frame.series.values() for name in chart} == {"labels only", "soft targets"}
    assert server.downloads() == 1


def test_students_see_the_pixels_of_the_teacher_s_processor_and_keep_their_best_epoch(saved, folder, students):
    frame = run(folder, str(saved), epochs=3, lr=1.0)
    processor, found = ViTImageProcessor.from_pretrained(saved), pictures.in_folder(str(folder), 0)
    images = [Image.open(path) for path in sorted(folder.rglob("*.png"))]
    pixels = processor(images=images, return_tensors="pt")["pixel_values"]
    assert pixels.shape == (24, 3, SIDE, SIDE) and len(students) == 2
    rows = {row.numpy().tobytes() for row in pixels}
    assert {row.numpy().tobytes() for each in students for seen in each.seen for row in seen} == rows
    train, validation, test = found.parts
    for each, curve in zip(students, frame.series["Accuracy on the validation pictures"].values(), strict=True):
        right = each(pixels[validation]).argmax(1) == found.labels[validation]
        assert right.float().mean().item() == max(accuracy for _, accuracy in curve)
    network = ViTForImageClassification.from_pretrained(saved)
    logits = network(pixel_values=pixels[test]).logits[:, [2, 0]]  # cat, dog
    accuracy = (logits.argmax(1) == found.labels[test]).float().mean().item()
    assert frame.figures["accuracy, teacher"].measured == pytest.approx(accuracy)


def test_the_loss_by_hand():
    student, wanted, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, -2.0]]), torch.tensor([1])
    p, q = 1 / (1 + math.exp(-5 / 5)), 1 / (1 + math.exp(-1 / 5))  # of the first class, softened by T = 5
    soft = 25 * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
    hard = math.log(1 + math.e)
    assert distillation_loss(student, wanted, labels, 0.5, 5.0).item() == pytest.approx(0.5 * hard + 0.5 * soft)


@pytest.mark.usefixtures("students")
def test_without_weight_on_soft_targets_the_students_are_equal(saved, folder):
    frame = run(folder, str(saved), mix=0.0, epochs=3)
    first, second = frame.series["Accuracy on the validation pictures"].values()
    assert first == second and frame.figures["gain by soft targets"].measured == 0
    assert frame.said.endswith("the gain of 0.0 points has a standard error of 0.0 points, so it is about noise.")


@pytest.mark.usefixtures("students")
def test_without_a_name_a_teacher_is_trained_here(folder, monkeypatch):
    monkeypatch.setattr(distil_vit, "TEACHER_EPOCHS", 1)
    monkeypatch.setitem(sys.modules, "transformers", None)
    frame = run(folder, "")
    assert [*frame.series["Accuracy on the validation pictures"]] == ["teacher", "labels only", "soft targets"]
    assert frame.figures["accuracy, soft targets"].exact is None  # the article has another teacher


def test_a_folder_with_parts_keeps_them(tmp_path, draw_faces):
    for part, count in (("train", 6), ("validation", 3), ("test", 2)):
        for kind in ("cat", "dog"):
            draw_faces(tmp_path / part / kind, count)
    found = pictures.in_folder(str(tmp_path), 0)
    assert found.classes == ("cat", "dog") and [len(part) for part in found.parts] == [12, 6, 4]
    assert all(found.labels[part].float().mean() == 0.5 for part in found.parts)


def test_parts_under_other_names_are_no_classes(tmp_path, draw_faces, refuses):
    for part in ("train", "test"):
        for kind in ("cat", "dog"):
            draw_faces(tmp_path / part / kind, 4)
    with refuses("has the parts test, train; give it train, validation, test"):
        pictures.in_folder(str(tmp_path), 0)


def test_a_part_needs_more_than_one_picture(tmp_path, draw_faces, refuses):
    for part, kind, count in (("train", "cat", 14), ("train", "dog", 4), ("validation", "cat", 2), ("test", "dog", 1)):
        draw_faces(tmp_path / part / kind, count)
    with refuses("has a single picture; put at least 2 in each"):
        pictures.in_folder(str(tmp_path), 0)


def test_random_weights_come_from_the_generator_and_are_spread_as_torchvision_s():
    for build in (networks.SmallViT, networks.mobilenet):
        torch.rand(1)  # a global generator in another state
        first, same, other = (build(3, torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2))
        assert all(torch.equal(first[name], same[name]) and first[name].isfinite().all() for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)
    assert first["features.18.0.weight"].std().item() == pytest.approx(
        math.sqrt(2 / 1280), rel=0.01
    )  # that many outputs


def test_the_article_s_five_points_are_about_noise():
    assert distil_vit.standard_error(0.6875, 128) == pytest.approx(0.041, abs=0.0001)
    assert "68.75% with soft targets against about 63% without" in EXPERIMENT.notes
    assert "one standard error is 4.1 points,\nso its five points are about noise." in EXPERIMENT.notes


def test_a_page_offers_neither_folders_nor_downloads():
    assert EXPERIMENT.files == ("folder", "teacher")


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "fragment"),
        [
            ({CONFIG: b'{"architectures": ["ViTModel"]}'}, "is no image classifier but ViTModel"),
            ({CONFIG: b"{}"}, "is no image classifier; "),
            ({CONFIG: b"{"}, "The config.json of cat/tiny-vit is damaged"),
            ({CONFIG: None}, "has no config.json, so it is no image classifier of transformers"),
            ({PROCESSOR: None}, "has no preprocessor_config.json, so it is no image classifier"),
            ({WEIGHTS: None, "pytorch_model.bin": b"\0"}, "weights in pickles are not read"),
            ({WEIGHTS: b"\0" * 99}, "cannot be read by transformers"),
        ],
    )
    def test_files_of_the_teacher(self, server, files, folder, refuses, changes, fragment):
        server.add(NAME, {name: each for name, each in (files | changes).items() if each is not None})
        with refuses(NAME, fragment):
            run(folder)
        assert server.downloads() == (WEIGHTS in changes and changes[WEIGHTS] is not None)

    def test_code_of_a_repository(self, server, files, folder, refuses):
        config = json.loads(files[CONFIG]) | {"model_type": "own"}
        config["auto_map"] = dict.fromkeys(("AutoConfig", "AutoModelForImageClassification"), "own.Own")
        server.add(NAME, files | {CONFIG: json.dumps(config).encode(), "own.py": b"raise SystemExit('was run')"})
        with refuses("cannot be read by transformers"):
            run(folder)

    def test_weights_without_a_classifier(self, saved, folder, tmp_path, refuses):
        shutil.copytree(saved, tmp_path / "copy")
        tensors = load((tmp_path / "copy" / WEIGHTS).read_bytes())
        (tmp_path / "copy" / WEIGHTS).write_bytes(save({k: v for k, v in tensors.items() if "classifier" not in k}))
        with refuses("lack classifier.bias"):
            run(folder, str(tmp_path / "copy"))

    def test_a_processor_that_keeps_each_picture_s_size(self, saved, folder, tmp_path, refuses):
        shutil.copytree(saved, tmp_path / "copy")
        values = json.loads((tmp_path / "copy" / PROCESSOR).read_text()) | {"do_resize": False}
        (tmp_path / "copy" / PROCESSOR).write_text(json.dumps(values))
        with refuses("does not make pixels of one size"):
            run(folder, str(tmp_path / "copy"))

    @pytest.mark.parametrize(
        ("name", "fragment"),
        [("cat/none", "has no model cat/none that you may read"), ("no teacher!", "There is no teacher no teacher!")],
    )
    def test_no_such_teacher(self, server, folder, refuses, name, fragment):
        with refuses(fragment):
            run(folder, name)

    def test_a_teacher_that_is_too_large(self, server, files, folder, refuses, monkeypatch):
        monkeypatch.setattr(hub, "LARGEST", len(files[WEIGHTS]) - 1)
        server.add(NAME, files)
        with refuses("model.safetensors of cat/tiny-vit has", "more than ganopt downloads"):
            run(folder)

    def test_no_network(self, server, folder, refuses):
        server.stop()
        with refuses("cannot be reached for config.json of cat/tiny-vit"):
            run(folder)

    def test_no_transformers(self, folder, refuses, monkeypatch):
        monkeypatch.setitem(sys.modules, "transformers", None)
        with refuses("needs the package transformers", "pip install", "ganopt[vit]"):
            run(folder)

    def test_classes_that_the_teacher_does_not_know(self, saved, folder, refuses):
        (folder / "dog").rename(folder / "cow")
        with refuses("has no class 'cow', only dog, bird, cat; name the folders after its classes"):
            run(folder, str(saved))

    def test_folders(self, saved, folder, tmp_path, refuses):
        with refuses("There is no folder"):
            run(tmp_path / "nothing", str(saved))
        (folder / "dog" / "face000.png").write_text("no picture")
        with refuses("face000.png cannot be used, because it is not a picture"):
            run(folder, str(saved))
        (folder / "dog" / "face000.png").rename(folder / "face000.png")
        with refuses("face000.png is in no class"):
            run(folder, str(saved))
        shutil.rmtree(folder / "dog")
        (folder / "face000.png").unlink()
        with refuses("contains 12 pictures; at least 16 are needed"):
            run(folder, str(saved))

    def test_one_class(self, saved, tmp_path, draw_faces, refuses):
        draw_faces(tmp_path / "pictures" / "cat", 16)
        with refuses("are of one class"):
            run(tmp_path / "pictures", str(saved))


def test_pixels_of_our_own_teacher():
    picture = np.zeros((3, 20, 30), np.uint8)
    picture[0] = 255
    assert torch.equal(teacher.plain_pixels([picture]).mean((2, 3)), torch.tensor([[1.0, -1.0, -1.0]]))
