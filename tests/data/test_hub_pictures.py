"""Training pictures from a dataset of the Hub, fetched by the real clients from a stand-in on 127.0.0.1."""

import io
import itertools
import sys

import datasets
import httpx
import numpy as np
import pyarrow
import pytest
from huggingface_hub.errors import RemoteEntryNotFoundError
from PIL import Image
from pyarrow import parquet

from ganopt.cli.parser import main
from ganopt.data import hub_pictures, stored
from ganopt.data.decode import decode
from ganopt.data.hub_pictures import load
from ganopt.models import hub
from ganopt.runs import manager
from ganopt.runs.needs import check_needs
from ganopt.training import loop, methods
from ganopt.training.recipe_text import shareable
from tests.hub import Hub

SIDE, CLASSES = 8, ["cat", "dog"]
NAME = "hub:cat/faces"


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 10, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def table(contents: list[bytes | None], column: str = "image", path: str = "../../escape.png") -> bytes:
    """A parquet file as the Hub's, in which cats and dogs alternate."""
    features = datasets.Features({column: datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)})
    images = [{"bytes": content, "path": path} for content in contents]
    labels = [number % 2 for number in range(len(contents))]
    file = io.BytesIO()
    rows = pyarrow.table({column: images, "label": labels}).cast(features.arrow_schema)
    parquet.write_table(rows, file, row_group_size=8)
    return file.getvalue()


PICTURES = [encoded(number) for number in range(40)]
EXPECTED = np.stack([decode(content, SIDE) for content in PICTURES])
FILES = {f"data/train-{part}-of-2.parquet": table(PICTURES[20 * part : 20 * part + 20]) for part in range(2)}


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def server(monkeypatch, tmp_path, cache):
    with Hub() as server:
        server.connect(monkeypatch, tmp_path / "hub")
        settings = {"HF_ENDPOINT": server.url, "HF_DATASETS_CACHE": tmp_path / "datasets"}
        for name in ("STREAMING_READ_MAX_RETRIES", "STREAMING_OPEN_MAX_RETRIES"):
            settings[name] = 1
        for name, value in settings.items():
            monkeypatch.setattr(datasets.config, name, value)
        yield server


def test_it_is_what_folders_give_and_is_downloaded_once(server, cache, capsys):
    server.add("cat/faces", FILES)
    found = load(NAME, SIDE)
    assert np.array_equal(found.mapped, EXPECTED) and found.skipped == {}
    before = server.downloads()
    assert load(NAME, SIDE).hash == found.hash and server.downloads() == before
    server.stop()
    assert load(NAME, SIDE).hash == found.hash  # the commit that was the last one
    assert sorted(path.suffix for path in cache.rglob("*.*")) == [".commit", ".npy"]


def test_a_new_commit_is_another_set_and_an_old_one_can_be_named(server, monkeypatch):
    old = server.add("cat/faces", FILES)
    new = server.add("cat/faces", {"data/train-0-of-2.parquet": table(PICTURES[5:25])})
    assert np.array_equal(load(NAME, SIDE).mapped, EXPECTED[[*range(5, 25), *range(20, 40)]])
    assert np.array_equal(load(f"{NAME}@{old}", SIDE).mapped, EXPECTED)
    monkeypatch.setattr(hub_pictures, "decode", interrupt)  # the newest has been downloaded under another name
    assert len(load(f"{NAME}@{new}", SIDE)) == 40


def test_only_one_class_or_another_split(server, refuses):
    server.add("cat/faces", {**FILES, "data/test-0-of-1.parquet": table(PICTURES[:20])})
    assert np.array_equal(load(NAME, SIDE, "dog").mapped, EXPECTED[1::2])
    assert np.array_equal(load(f"{NAME}:test", SIDE).mapped, EXPECTED[:20])
    with refuses("no class bird", "cat, dog"):
        load(NAME, SIDE, "bird")
    with refuses("no split valid", "train or test"):
        load(f"{NAME}:valid", SIDE)
    with refuses("Only 10 pictures of the class cat in cat/faces", "at least 16"):
        load(f"{NAME}:test", SIDE, "cat")


def test_files_of_pictures_are_read_and_their_folders_are_classes(server):
    server.add("cat/faces", {f"train/{CLASSES[n % 2]}/{n:02}.png": content for n, content in enumerate(PICTURES[:36])})
    assert np.array_equal(load(NAME, SIDE, "dog").mapped, EXPECTED[1:36:2])


def test_rows_without_a_picture_are_skipped_and_no_other_file_is_read(server, tmp_path, capsys):
    (tmp_path / "own.png").write_bytes(PICTURES[0])
    rows = [None, *PICTURES[:20], b"no picture"]
    server.add("cat/faces", {"data/train-0-of-1.parquet": table(rows, path=str(tmp_path / "own.png"))})
    found = load(NAME, SIDE)
    assert found.skipped == {"picture 0": "it is missing", "picture 21": "it is not a picture"}
    assert np.array_equal(found.mapped, EXPECTED[:20])
    assert "Skipped picture 21: it is not a picture." in capsys.readouterr().out


def test_an_interrupted_download_goes_on(server, monkeypatch, refuses):
    server.add("cat/faces", FILES)
    monkeypatch.setattr(hub_pictures, "CHUNK", 6)
    asked, decoded = itertools.count(), []

    def until_the_server_is_gone(content: bytes, side: int) -> np.ndarray | str:
        if next(asked) == 23:
            raise ConnectionError("Server Disconnected")
        decoded.append(content)
        return decode(content, side)

    monkeypatch.setattr(hub_pictures, "decode", until_the_server_is_gone)
    with refuses("cannot be reached", "cat/faces"):
        load(NAME, SIDE)
    decoded.clear()
    assert np.array_equal(load(NAME, SIDE).mapped, EXPECTED)
    assert set(decoded) == set(PICTURES[18:])


@pytest.mark.parametrize(
    "files, fragments",
    [
        ({"faces.py": b"import os\n", "data/train-0-of-1.parquet": FILES["data/train-0-of-2.parquet"]}, ("code",)),
        ({"train.csv": b"a,b\n1,2\n"}, ("no parquet files or pictures",)),
        ({"README.md": b"# Faces\n"}, ("no files of pictures",)),
        ({"data/train-0-of-1.parquet": table(PICTURES[:3])}, ("Only 3 pictures", "at least 16")),
        ({"data/train-0-of-1.parquet": b"PAR1\0" * 9}, ("invalid answer",)),
    ],
)
def test_what_is_no_dataset_of_pictures_is_refused(server, refuses, cache, files, fragments):
    server.add("cat/faces", files)
    with refuses("cat/faces", *fragments):
        load(NAME, SIDE)
    assert not [*cache.rglob("*.part"), *cache.rglob("*.log")]


def test_a_dataset_that_cannot_be_had_is_refused(server, monkeypatch, refuses):
    for text in ("hub:faces", "hub:../cat/faces", "hub:cat/faces:a/b/c", "hub:cat/faces@", "hub:"):
        with refuses("is not the name of a dataset", "hub:USER/NAME"):
            load(text, SIDE)
    with refuses("no dataset cat/none"):
        load("hub:cat/none", SIDE)
    server.add("cat/closed", FILES, gated=True)
    with refuses("terms that you must accept", "/datasets/cat/closed"):
        load("hub:cat/closed", SIDE)
    server.add("cat/faces", FILES)
    with refuses("no revision v9"):
        load(f"{NAME}@v9", SIDE)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "datasets", None)
        with refuses("pip install datasets"):
            load(NAME, SIDE)
        patch.setitem(sys.modules, "datasets", datasets)
        patch.setattr(datasets, "__version__", "3.6.0")
        with refuses("datasets 3.6.0 can run code"):
            load(NAME, SIDE)
    server.stop()
    with refuses("cannot be reached"):
        load(NAME, SIDE)


def test_a_missing_file_is_a_sentence():
    answer = httpx.Response(404, request=httpx.Request("GET", "http://hub"))
    error = hub.dataset_error(RemoteEntryNotFoundError("404", response=answer), "cat/faces", "main")
    assert str(error) == "A file of cat/faces is missing; choose another dataset."


def test_a_run_trains_on_it(server, tmp_path, capsys):
    server.add("cat/faces", FILES)
    networks = {"generator": "big/64@32", "critic": "plain-critic/64", "device": "cpu"}
    recipe = methods.recipe("r1", data=NAME, batch=4, steps=1, **networks)
    *_, last = loop.train(recipe, tmp_path / "run")
    assert last.images == 4 and shareable(recipe)["data"] == NAME
    check_needs(recipe)
    main(["data", "inspect", NAME, "--side", "32"])
    assert "40 pictures of 32x32" in capsys.readouterr().out


def test_a_run_of_the_page_reads_it_first(monkeypatch, tmp_path):
    asked: list[list[str]] = []
    monkeypatch.setattr(manager, "run_module", lambda argv, **_: asked.append(argv))
    manager._check_pictures(methods.recipe("r1", data=NAME, steps=1, generator="big/64@32"), tmp_path, [])
    assert asked == [["ganopt.data.hub_pictures", NAME, "32", "", "16"]]


def test_a_download_that_was_complete_but_not_finished_is_not_repeated(server, monkeypatch):
    server.add("cat/faces", FILES)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stored, "_finish", interrupt)
        load(NAME, SIDE)
    monkeypatch.setattr(hub_pictures, "decode", interrupt)
    assert np.array_equal(load(NAME, SIDE).mapped, EXPECTED)
