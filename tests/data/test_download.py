"""Public sets of pictures, fetched by their real clients from stand-ins on 127.0.0.1."""

import gzip
import hashlib
import io
import struct
import sys
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from huggingface_hub import constants
from PIL import Image
from pyarrow import parquet
from torchvision.datasets import MNIST, OxfordIIITPet

from ganopt.cli.parser import main
from ganopt.data import download, image_folder
from ganopt.data.decode import head_box
from ganopt.errors import UserError
from ganopt.models import hub
from tests.hub import Hub

AFHQ, PET_SIZE = "huggan/AFHQv2", (120, 100)
PETS = {  # name: species, box; the last two have none
    "Abyssinian_1": (1, (40, 30, 80, 60)),
    "Abyssinian_2": (1, (1, 1, 30, 50)),
    "beagle_1": (2, (60, 50, 118, 98)),
    "Bombay_3": (1, (2, 2, 119, 99)),
    "beagle_4": (2, (10, 10, 20, 30)),
    "Bombay_9": (1, None),
    "pug_9": (2, None),
}


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def annotation(box: tuple[int, ...], before: str = "") -> str:
    corners = "".join(f"<{name}>{x}</{name}>" for name, x in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"{before}<annotation><object><name>cat</name><bndbox>{corners}</bndbox></object></annotation>"


def table(faces: list[bytes], labels: Iterable[int], column: str = "label") -> bytes:
    """A parquet file as the Hub's: rows of a picture and its label. The paths in it lead out of any folder."""
    images = [{"bytes": content, "path": "../../escape.png"} for content in faces]
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({"image": images, column: list(labels)}), file)
    return file.getvalue()


def parquet_name(number: int) -> str:
    return f"data/train-{number:05}-of-00003.parquet"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.heard()
        content = self.server.files.get(Path(self.path).name, b"")
        if self.server.trouble == "garbage":
            content = b"<html>Log in to the hotel's network</html>"
        self.send_response(503 if self.server.trouble == "busy" else 200 if content else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A server of files, which calls `heard` at each request. `trouble` makes it answer `garbage` or be `busy`."""

    def __init__(self, heard: Callable[[], None]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.files: dict[str, bytes] = {}
        self.heard, self.trouble = heard, ""

    def put(self, files: dict[str, bytes]) -> list[tuple[str, str]]:
        """Serve these files; returns their names and checksums, as torchvision wants them."""
        self.files.update(files)
        return [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]

    def stop(self) -> None:
        """Go down: connections are refused from here on."""
        self.shutdown()
        self.server_close()


@pytest.fixture
def said() -> list[str]:
    """What had been printed when each request arrived."""
    return []


@pytest.fixture
def server(said, capsys) -> Iterator[Server]:
    running = Server(lambda: said.append(capsys.readouterr().out))
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.stop()


@pytest.fixture
def afhq(tmp_path_factory, monkeypatch, draw_face) -> Iterator[Hub]:
    """A Hub with three parquet files, sorted by label: 3 cats; a cat and 2 dogs; a dog and 3 wild ones."""
    with Hub() as running:
        running.connect(monkeypatch, tmp_path_factory.mktemp("hub"))
        kinds, labels = ["PNG", "JPEG", "WEBP"] + ["PNG"] * 7, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
        faces = [encode(draw_face(seed), kind) for seed, kind in enumerate(kinds)]
        for number, part in enumerate((slice(0, 3), slice(3, 6), slice(6, 10))):
            running.add(AFHQ, {parquet_name(number): table(faces[part], labels[part])})
        running.add(AFHQ, {"README.md": b"about", ".gitattributes": b""})
        yield running


@pytest.fixture
def pets(server, monkeypatch, draw_face) -> Server:
    serve_pets(server, monkeypatch, draw_face)
    return server


@pytest.fixture
def mnist(server, monkeypatch) -> Server:
    """30 digits in the training set, 0 to 9 in turn, and one for testing."""
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    monkeypatch.setattr(MNIST, "resources", server.put(digits(30)))
    return server


def serve_pets(server: Server, monkeypatch, draw_face: Callable, others: dict[str, str] | None = None) -> None:
    """Archives laid out as Oxford's, with other annotations for some pictures."""
    images, annotations = {}, {}
    for seed, (name, (_, box)) in enumerate(PETS.items()):
        images[f"images/{name}.jpg"] = encode(draw_face(seed, PET_SIZE))  # lossless, so that crops can be compared
        if box:
            annotations[f"annotations/xmls/{name}.xml"] = annotation(box).encode()
    for name, text in (others or {}).items():
        annotations[f"annotations/xmls/{name}.xml"] = text.encode()
    lines = [f"{name} 1 {species} 1" for name, (species, _) in PETS.items()]
    annotations["annotations/trainval.txt"] = "\n".join(lines[:3]).encode()
    annotations["annotations/test.txt"] = "\n".join(lines[3:]).encode()
    sums = server.put({"images.tar.gz": archive(images), "annotations.tar.gz": archive(annotations)})
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", [(server.url + name, checksum) for name, checksum in sums])


def archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def digits(count: int) -> dict[str, bytes]:
    """MNIST's four files; a digit's pixels are all its number in the set."""
    files = {}
    for part, many in (("train", count), ("t10k", 1)):
        pixels = np.arange(many, dtype=np.uint8)
        images = struct.pack(">4I", 0x803, many, 28, 28) + pixels.repeat(28 * 28).tobytes()
        labels = struct.pack(">2I", 0x801, many) + (pixels % 10).tobytes()
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(images)
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(labels)
    return files


def nothing_is_left(folder: Path, cache: Path) -> None:
    assert not list(folder.iterdir()) and not list(cache.glob("downloads/*"))


class TestAfhq:
    def test_faces_come_in_their_classes_and_formats(self, afhq, tmp_path, draw_face):
        assert download.fetch("afhq", tmp_path / "out") == ({"cat": 4, "dog": 3, "wild": 3}, 0)
        cats = ["cat/00000.png", "cat/00001.jpg", "cat/00002.webp", "cat/00003.png"]
        others = [f"{label}/0000{number}.png" for label in ("dog", "wild") for number in range(3)]
        assert files_of(tmp_path / "out") == cats + others
        loaded = image_folder.load(tmp_path / "out", 48, "dog", minimum=1)
        assert loaded.files == others[:3] and not loaded.skipped
        assert np.array_equal(loaded.pictures[0].transpose(1, 2, 0), np.asarray(draw_face(4)))
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_the_client_keeps_what_it_downloaded(self, afhq, tmp_path):
        for name in ("first", "second"):
            download.fetch("afhq", tmp_path / name)
        assert afhq.downloads() == 3
        assert files_of(tmp_path / "first") == files_of(tmp_path / "second")

    @pytest.mark.parametrize(("most", "counts", "downloads"), [(1, (1, 1, 1), 2), (2, (2, 2, 2), 3), (9, (4, 2, 4), 3)])
    def test_no_more_is_downloaded_than_needed(self, afhq, tmp_path, draw_face, most, counts, downloads):
        faces = [encode(draw_face(seed)) for seed in range(3)]
        afhq.add(AFHQ, {parquet_name(1): table(faces, (0, 1, 2))})
        assert download.fetch("afhq", tmp_path / "out", most)[0] == dict(
            zip(("cat", "dog", "wild"), counts, strict=True)
        )
        assert afhq.downloads() == downloads

    def test_what_is_no_picture_is_left_out(self, afhq, tmp_path, draw_face):
        good = encode(draw_face(1))
        bad = [b"", b"<html></html>", good[: len(good) // 2], encode(draw_face(2), "GIF")]
        afhq.add(AFHQ, {parquet_name(0): table([*bad, good], [0] * 5)})
        counts, skipped = download.fetch("afhq", tmp_path / "out")
        assert skipped == len(bad) and counts["cat"] == 2
        assert (tmp_path / "out" / "cat" / "00000.png").read_bytes() == good

    @pytest.mark.parametrize(
        "content",
        [b"PAR1 no parquet \0", b"", table([b""], [7]), table([b""], [0], "species")],
        ids=["damaged", "empty", "another label", "no label"],
    )
    def test_a_file_of_something_else_is_named(self, afhq, tmp_path, cache, refuses, content):
        afhq.add(AFHQ, {parquet_name(2): content})
        with refuses("is not a parquet file of AFHQ", "remove it", constants.HF_HUB_CACHE):
            download.fetch("afhq", tmp_path / "out")
        nothing_is_left(tmp_path, cache)

    def test_a_file_that_was_damaged_in_the_cache_is_named_and_removing_it_helps(self, afhq, tmp_path):
        download.fetch("afhq", tmp_path / "before")
        path = next(Path(constants.HF_HUB_CACHE).rglob("train-00001-of-*"))
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(UserError) as caught:
            download.fetch("afhq", tmp_path / "out")
        Path(str(caught.value).partition(" is not")[0]).unlink()
        download.fetch("afhq", tmp_path / "out")
        assert files_of(tmp_path / "out") == files_of(tmp_path / "before")

    def test_without_pyarrow_nothing_is_asked_for(self, afhq, tmp_path, cache, refuses, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with refuses("pip install pyarrow"):
            download.fetch("afhq", tmp_path / "out")
        assert not afhq.requests
        nothing_is_left(tmp_path, cache)

    def test_trouble(self, afhq, tmp_path, cache, refuses, monkeypatch):
        for trouble, needle in (
            ("garbage", "invalid answer"),
            ("busy", "cannot be reached"),
            ("short", "invalid answer"),
        ):
            afhq.trouble = trouble
            with refuses(afhq.url, needle):
                download.fetch("afhq", tmp_path / "out")
        afhq.trouble = ""
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with refuses("HF_HUB_OFFLINE"):
            download.fetch("afhq", tmp_path / "out")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        del afhq.repositories[AFHQ]
        with refuses("has no dataset huggan/AFHQv2"):
            download.fetch("afhq", tmp_path / "out")
        afhq.stop()
        with refuses(afhq.url, "cannot be reached"):
            download.fetch("afhq", tmp_path / "out")
        nothing_is_left(tmp_path, cache)

    def test_a_repository_without_pictures(self, afhq, tmp_path, cache, refuses):
        afhq.repositories[AFHQ].commits.clear()
        afhq.add(AFHQ, {"README.md": b"moved"})
        with refuses("No picture"):
            download.fetch("afhq", tmp_path / "out")
        nothing_is_left(tmp_path, cache)


class TestPets:
    def test_heads_are_cut_out_of_both_splits(self, pets, tmp_path, cache, draw_face):
        assert download.fetch("pets", tmp_path / "out") == ({"cat": 3, "dog": 2}, 0)
        expected = {
            "cat/00000.png": (0, (36, 21, 84, 69)),  # 40 wide, so 48
            "cat/00001.png": (1, (0, 0, 59, 59)),  # reached out at the left and at the top
            "cat/00002.png": (3, (10, 0, 110, 100)),  # wider than the picture is high
            "dog/00000.png": (2, (50, 30, 120, 100)),  # reached out at the right and at the bottom
            "dog/00001.png": (4, (3, 8, 27, 32)),
        }
        assert files_of(tmp_path / "out") == list(expected)
        for name, (seed, (left, top, right, bottom)) in expected.items():
            with Image.open(tmp_path / "out" / name) as image:
                assert np.array_equal(image, np.asarray(draw_face(seed, PET_SIZE))[top:bottom, left:right]), name
        assert len(image_folder.load(tmp_path / "out", 32, "cat", minimum=3).files) == 3
        assert not list(cache.glob("downloads/*"))

    def test_most_keeps_the_first_of_each_class(self, pets, tmp_path):
        assert download.fetch("pets", tmp_path / "out", 1) == ({"cat": 1, "dog": 1}, 0)
        assert files_of(tmp_path / "out") == ["cat/00000.png", "dog/00000.png"]

    @pytest.mark.parametrize(
        "text",
        [
            annotation((40, 30, 80, 60), '<!DOCTYPE a [<!ENTITY b "c">]>'),
            "<annotation><object>",
            "",
            "<annotation/>",
            annotation(("a", "b", "c", "d")),
            annotation((200, 30, 280, 60)),
            annotation((80, 30, 40, 60)),
            annotation(("inf", "nan", "1e9", 60)),
        ],
    )
    def test_an_unreadable_box_is_counted(self, server, tmp_path, monkeypatch, draw_face, text):
        with pytest.raises((ValueError, SyntaxError)):
            head_box(text, *PET_SIZE)
        serve_pets(server, monkeypatch, draw_face, {"Abyssinian_1": text})
        assert download.fetch("pets", tmp_path / "out") == ({"cat": 2, "dog": 2}, 1)


class TestMnist:
    def test_digits_of_the_training_set(self, mnist, tmp_path, cache):
        assert download.fetch("mnist", tmp_path / "out") == (dict.fromkeys("0123456789", 3), 0)
        assert files_of(tmp_path / "out") == [f"{digit}/0000{number}.png" for digit in range(10) for number in range(3)]
        with Image.open(tmp_path / "out" / "7" / "00002.png") as image:
            assert image.size == (28, 28) and (np.asarray(image) == 27).all()
        assert (image_folder.load(tmp_path / "out", 32).pictures[-1] == 29).all()
        assert not list(cache.glob("downloads/*"))

    def test_most(self, mnist, tmp_path):
        assert download.fetch("mnist", tmp_path / "out", 2)[0] == dict.fromkeys("0123456789", 2)


@pytest.mark.parametrize("name", ["pets", "mnist"])
class TestTorchvision:
    @pytest.fixture
    def source(self, name, request) -> Server:
        return request.getfixturevalue(name)

    def test_the_licence_is_said_before_the_first_request(self, source, name, said, tmp_path, capsys):
        out = ["--out", str(tmp_path / "out")]
        main(["data", "fetch", name, *out, "--dry-run"])
        assert not said and not (tmp_path / "out").exists()
        announced = capsys.readouterr().out
        assert all(getattr(download.SOURCES[name], key) in announced for key in ("licence", "size", "address", "title"))
        main(["data", "fetch", name, *out, "--most", "1"])
        assert said[0] == announced
        assert f"pictures are in {tmp_path / 'out'}" in capsys.readouterr().out

    @pytest.mark.parametrize(("trouble", "needle"), [("garbage", "invalid answer"), ("busy", "cannot be reached")])
    def test_trouble(self, source, name, tmp_path, cache, refuses, trouble, needle):
        source.trouble = trouble
        with refuses(download.SOURCES[name].address, needle):
            download.fetch(name, tmp_path / "out")
        nothing_is_left(tmp_path, cache)

    def test_server_down(self, source, name, tmp_path, cache, refuses):
        source.stop()
        with refuses("cannot be reached", name):
            download.fetch(name, tmp_path / "out")
        nothing_is_left(tmp_path, cache)

    def test_a_wrong_checksum_and_a_true_one_of_garbage(self, source, name, tmp_path, cache, refuses, monkeypatch):
        for content in (gzip.compress(b"no pictures"), b"no archive"):
            served = source.put(dict.fromkeys(source.files, content))
            with refuses("invalid answer"):
                download.fetch(name, tmp_path / "out")
            if name == "mnist":
                monkeypatch.setattr(MNIST, "resources", served)
            else:
                monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", [(source.url + file, md5) for file, md5 in served])
            with refuses("invalid answer"):
                download.fetch(name, tmp_path / "out")
            nothing_is_left(tmp_path, cache)

    def test_ctrl_c_leaves_nothing(self, source, name, tmp_path, cache, monkeypatch):
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "write_bytes", interrupt)  # the moment at which the user presses it
        with pytest.raises(SystemExit) as ended:
            main(["data", "fetch", name, "--out", str(tmp_path / "out")])
        assert ended.value.code == 130
        nothing_is_left(tmp_path, cache)

    def test_a_full_disk_is_one_sentence(self, source, name, tmp_path, cache, refuses, monkeypatch, small_disk):
        disk = small_disk("4k")
        with refuses("disk is full", str(disk / "out")):
            download.fetch(name, disk / "out")
        nothing_is_left(disk, cache)
        monkeypatch.setenv("GANOPT_CACHE", str(disk))
        with refuses("disk is full", str(disk / "downloads")):
            download.fetch(name, tmp_path / "out")
        assert not files_of(disk)

    def test_folders_that_cannot_be_used(self, source, name, said, tmp_path, refuses, monkeypatch):
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine.txt").write_text("mine")
        with refuses("full is not empty", "choose another"):
            download.fetch(name, tmp_path / "full")
        with refuses("mine.txt", "cannot be written"):
            download.fetch(name, tmp_path / "full" / "mine.txt")
        with refuses("/dev/null/out", "cannot be written"):
            download.fetch(name, Path("/dev/null/out"))
        with refuses("--most is 0"):
            download.fetch(name, tmp_path / "out", 0)
        assert not said and files_of(tmp_path) == ["full/mine.txt"]
        monkeypatch.setenv("GANOPT_CACHE", "/dev/null/cache")
        with refuses("/dev/null/cache/downloads", "cannot be written"):
            download.fetch(name, tmp_path / "out")
        assert not said and files_of(tmp_path) == ["full/mine.txt"]

    def test_an_empty_folder_is_filled(self, source, name, tmp_path):
        (tmp_path / "out").mkdir()
        assert download.fetch(name, tmp_path / "out", 1)
        assert files_of(tmp_path / "out")


def test_afhq_says_its_licence_before_anything_is_asked_for(afhq, tmp_path, capsys):
    afhq.stop()
    with pytest.raises(SystemExit):
        main(["data", "fetch", "afhq", "--out", str(tmp_path / "out")])
    assert "CC BY-NC 4.0" in capsys.readouterr().out


def test_files_of_a_data_set_come_one_at_a_time(afhq):
    files = hub.dataset_files(AFHQ, ".parquet")
    assert not afhq.requests
    assert next(files).name == "train-00000-of-00003.parquet" and afhq.downloads() == 1
