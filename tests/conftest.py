"""Fixtures for every test file: a private cache, pictures that the tests draw themselves, one-sentence errors."""

import contextlib
import json
import math
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors import safe_open

from ganopt import files
from ganopt.errors import UserError
from ganopt.metrics import features, inception_weights
from ganopt.metrics.features import Extractor
from ganopt.models import networks, weights
from ganopt.models.networks.projected import BACKBONE
from ganopt.thesis import release
from ganopt.training import loop
from ganopt.training.methods import recipe
from tests.hub import Hub
from tests.pages import page_settings, running_page

# tiny networks gain nothing from a second thread, and beside another busy program its hand-overs cost a hundredfold
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own; it does not exist yet."""
    folder = tmp_path_factory.mktemp("cache") / "ganopt"
    monkeypatch.setenv("GANOPT_CACHE", str(folder))
    return folder


@pytest.fixture
def other_code(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Changes a module, named as `data/decode.py`, of a copy of the package that `code_version` reads instead."""
    copy = tmp_path_factory.mktemp("code") / "ganopt"
    shutil.copytree(files.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(files, "PACKAGE", copy)

    def change(module: str) -> None:
        with open(copy / module, "a") as file:
            file.write("# changed\n")
        files.code_version.cache_clear()

    files.code_version.cache_clear()
    yield change
    files.code_version.cache_clear()


@contextlib.contextmanager
def mounted(disk: Path, size: str) -> Iterator[bool]:
    """Mount a disk of a size such as 64k at a folder; False where that is not allowed."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True)
    try:
        yield not done.returncode
    finally:
        if not done.returncode:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of a size such as 64k, empty but soon full, until the end of the test."""
    with contextlib.ExitStack() as disks:

        def mount(size: str) -> Path:
            disk = tmp_path / "disk"
            disk.mkdir()
            if not disks.enter_context(mounted(disk, size)):
                pytest.skip("a small disk cannot be mounted here")
            return disk

        yield mount


@pytest.fixture(scope="session")
def draw_face() -> Callable[..., Image.Image]:
    return _draw_face


@pytest.fixture(scope="session")
def draw_faces() -> Callable[..., list[Path]]:
    return _draw_faces


@pytest.fixture(scope="session")
def pictures() -> torch.Tensor:
    """48 drawn faces as training takes them: uint8 (48, 3, 32, 32)."""
    faces = [torch.frombuffer(bytearray(_draw_face(seed, (32, 32)).tobytes()), dtype=torch.uint8) for seed in range(48)]
    return torch.stack(faces).reshape(48, 32, 32, 3).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, pictures: torch.Tensor) -> Path:
    """The folder of a short run: a `big/32@32` and a `critic/16@32` whose tensors all have moved."""
    folder = tmp_path_factory.mktemp("source") / "run"
    settings = {"generator": "big/32@32", "critic": "critic/16", "n_critic": 1, "batch": 4, "steps": 4, "lr_g": 0.01}
    for _ in loop.train(recipe("wgan-gp", seed=11, device="cpu", **settings), folder, pictures):
        pass
    return folder


@pytest.fixture(scope="session")
def three_models(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """Checkpoints with tiny models: cats-teacher and cats-student of 32 pixels, dogs-transfer of 64, and results."""
    run, folder = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("three")
    shutil.copytree(source, run, dirs_exist_ok=True)
    student = weights.load(source / "generator.safetensors")
    with torch.no_grad():
        student.layers[-1][0].bias += 0.3
    drawing = {"latency": 0.0123, "device": "cpu", "parameters": 1, "operations": 1}
    training = {"epoch_seconds": 1.0, "peak": 1, "baseline": 0, "device": "cpu", "threads": 1}
    cost = {"kind": "cost", "name": "cats-teacher", "generator": "big/32@32", "images": 16}
    records = [cost | {"drawing": drawing, "training": training}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(folder))
        release.ship(source, "cats-teacher", "Cats, <teacher>", "teacher", "drawn faces", "none")
        for name, role, network in (
            ("dogs-transfer", "transfer", networks.build_generator("big/32@64").eval()),
            ("cats-student", "student", student),
        ):
            weights.save(network, run / "generator.safetensors")
            release.ship(run, name, name.replace("-", ", ").title(), role, "drawn faces", "none")
    for name, fid in (("cats-teacher", 40.0), ("cats-student", 50.0), ("dogs-transfer", 60.0), ("floor-cats", 20.0)):
        record = {"kind": "fid", "name": name, "fid": fid, "fids": [fid - 1, fid + 1], "count": 500, "inception": "a"}
        reference = "dogs" if name.startswith("dogs") else "cats"
        records.append(record | {"reference": reference, "reference_hash": reference, "arithmetic": "float32"})
    (folder / "results.json").write_text(json.dumps({"records": records}))
    (folder / BACKBONE).symlink_to(Path(__file__).parents[1] / "checkpoints" / BACKBONE)
    return folder


@pytest.fixture(scope="module")
def launch_page() -> Iterator[Callable[..., Any]]:
    """Starts the page in this process, with some environment variables, until the module ends."""
    with contextlib.ExitStack() as stack:

        def launch(**settings: object) -> Any:
            stack.enter_context(page_settings(**settings))
            return stack.enter_context(running_page())

        yield launch


@pytest.fixture(scope="session")
def inception_state() -> Callable[..., dict[str, torch.Tensor]]:
    return _inception_state


@pytest.fixture(scope="session")
def thin_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as pytorch-fid's with an Inception of a sixteenth of the channels: 128 features, in milliseconds."""
    path = tmp_path_factory.mktemp("inception") / "thin.pth"
    torch.save(_inception_state(16), path)
    return path


@pytest.fixture(scope="session")
def extractor(thin_inception: Path) -> Extractor:
    """An extractor with that network."""
    return features.load_extractor(torch.device("cpu"), "float32", str(thin_inception))


@pytest.fixture(scope="session")
def refuses() -> Callable[..., contextlib.AbstractContextManager[None]]:
    return _refuses


@contextlib.contextmanager
def _refuses(*fragments: str) -> Iterator[None]:
    """The block ends in a UserError of one sentence that holds all the fragments."""
    with pytest.raises(UserError) as caught:
        yield
    text = str(caught.value)
    assert text.endswith(".") and ". " not in text and "\n" not in text, text
    for fragment in fragments:
        assert fragment in text, text


def _inception_state(shrink: int = 1) -> dict[str, torch.Tensor]:
    """Random weights under pytorch-fid's names, in its shapes or with fewer channels, that keep a signal's size."""
    chance = torch.Generator().manual_seed(0)
    state = {"fc.weight": torch.zeros(1008, 2048 // shrink), "fc.bias": torch.zeros(1008)}
    with safe_open(Path(__file__).parents[1] / "checkpoints" / inception_weights.SHIPPED, framework="pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys() if name.endswith(".weight")}
    for name, (wide, deep, *kernel) in shapes.items():
        name, wide, deep = name.removesuffix(".weight"), wide // shrink, deep // shrink if deep > 3 else deep
        weight = torch.randn(wide, deep, *kernel, generator=chance)
        state[f"{name}.conv.weight"] = weight * math.sqrt(2 / (deep * math.prod(kernel)))
        for part, least, most in (("weight", 0.8, 1.2), ("bias", -0.1, 0.1)):
            state[f"{name}.bn.{part}"] = torch.empty(wide).uniform_(least, most, generator=chance)
        for part, least, most in (("running_mean", -0.1, 0.1), ("running_var", 0.7, 1.3)):
            state[f"{name}.bn.{part}"] = torch.empty(wide).uniform_(least, most, generator=chance)
    return state


def _draw_face(seed: int, size: tuple[int, int] = (48, 48)) -> Image.Image:
    """A face of coloured ellipses; another seed is another face."""
    draw_of = random.Random(seed)
    image = Image.new("RGB", size, tuple(draw_of.randrange(256) for _ in range(3)))
    pen, (width, height) = ImageDraw.Draw(image), size

    def ellipse(x: float, y: float, radius: float) -> None:
        box = ((x - radius) * width, (y - radius) * height, (x + radius) * width, (y + radius) * height)
        pen.ellipse(box, fill=tuple(draw_of.randrange(256) for _ in range(3)))

    ellipse(0.5, 0.5, draw_of.uniform(0.3, 0.45))
    for x, y, radius in ((0.35, 0.4, 0.08), (0.65, 0.4, 0.08), (0.5, 0.65, 0.12)):
        ellipse(x + draw_of.uniform(-0.05, 0.05), y + draw_of.uniform(-0.05, 0.05), radius)
    return image


def _draw_faces(folder: Path, count: int, size: tuple[int, int] = (48, 48), suffix: str = ".png") -> list[Path]:
    """Write `count` faces into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"face{seed:03}{suffix}" for seed in range(count)]
    for seed, path in enumerate(paths):
        _draw_face(seed, size).save(path)
    return paths


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of checkpoints, which does not exist yet, in the working directory."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(folder))
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    return folder


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A stand-in Hub, to which the client is connected."""
    with Hub() as running:
        running.connect(monkeypatch, tmp_path)
        yield running
