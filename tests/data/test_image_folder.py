"""Folders of pictures become one tensor, whatever the files are; a cache spares the second reading."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganopt.data import image_folder
from ganopt.data.decode import SUFFIXES, central_box, decode, landmark_box
from ganopt.subprocesses import module_environment

SIDE = 20


def load_one(path: Path, side: int = SIDE) -> np.ndarray:
    """The one picture of a folder as (side, side, 3)."""
    loaded = image_folder.load(path.parent, side, minimum=1)
    assert loaded.files == [path.name] and not loaded.skipped
    return loaded.pictures[0].transpose(1, 2, 0)


def plain(colour: int | tuple[int, ...], mode: str, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    return Image.new(mode, size, colour)


def touch(path: Path) -> None:
    """A time of change that surely differs from the one before."""
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str, side: int) -> None:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(image_folder, "decode", fail)


def test_nested_folders_are_read_in_the_order_of_their_names(tmp_path, draw_face):
    names = ["z.png", "a/2.png", "a/1.png", "a/deep/er/0.png", "B/UPPER.PNG"]
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        draw_face(seed, (SIDE, SIDE)).save(tmp_path / name)
    loaded = image_folder.load(tmp_path, SIDE, minimum=1)
    assert loaded.files == sorted(names) and not loaded.skipped
    assert loaded.pictures.dtype == np.uint8 and loaded.pictures.shape == (5, 3, SIDE, SIDE)
    for name, picture in zip(loaded.files, loaded.pictures, strict=True):
        expected = np.asarray(draw_face(names.index(name), (SIDE, SIDE)))
        assert np.array_equal(picture.transpose(1, 2, 0), expected)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(suffix, {}) for suffix in (*sorted(SUFFIXES), ".JPG")] + [(".webp", {"lossless": True})],
)
def test_each_format_is_read(tmp_path, draw_face, suffix, options):
    face = draw_face(1, (SIDE, SIDE))
    face.save(tmp_path / f"face{suffix}", format={".jfif": "JPEG", ".jpe": "JPEG"}.get(suffix), **options)
    difference = np.abs(load_one(tmp_path / f"face{suffix}").astype(int) - np.asarray(face).astype(int))
    exact = suffix in (".png", ".bmp", ".pgm", ".ppm", ".tif", ".tiff") or options
    assert difference.max() == 0 if exact else difference.mean() < 25


@pytest.mark.parametrize(
    ("size", "box"), [((40, 30), (5, 0, 35, 30)), ((30, 44), (0, 7, 30, 37)), ((9, 9), (0, 0, 9, 9))]
)
def test_without_landmarks_the_central_square_is_taken(tmp_path, draw_face, size, box):
    assert central_box(*size) == box
    face, side = draw_face(2, size), box[2] - box[0]
    face.save(tmp_path / "face.png")
    left, top, right, bottom = box
    assert np.array_equal(load_one(tmp_path / "face.png", side), np.asarray(face)[top:bottom, left:right])


def test_pictures_are_resized_with_antialiasing(tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # too fine for 16 pixels: what remains is their mean
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    inner = load_one(tmp_path / "stripes.png", 16)[2:-2, 2:-2].astype(int)
    assert np.abs(inner - 127.5).max() < 5


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda a: np.rot90(a)),
    ],
)
def test_exif_orientation_is_followed(tmp_path, draw_face, orientation, upright: Callable):
    face, exif = draw_face(3, (SIDE, SIDE)), Image.Exif()
    exif[0x0112] = orientation
    face.save(tmp_path / "face.png", exif=exif)
    assert np.array_equal(load_one(tmp_path / "face.png"), upright(np.asarray(face)))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("LA", (50, 255), (50, 50, 50)),
        ("LA", (50, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 100, 200, 51), (204, 224, 244)),
    ],
)
def test_any_mode_becomes_rgb_on_white(tmp_path, mode, colour, expected):
    plain(colour, mode).save(tmp_path / "plain.png")
    difference = load_one(tmp_path / "plain.png").astype(int) - np.array(expected)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("value", [0, 1, 100, 254, 255])
def test_16_bit_greyscale_is_scaled_not_clipped(tmp_path, value):
    Image.fromarray(np.full((SIDE, SIDE), value * 257, np.uint16)).save(tmp_path / "grey.png")
    assert (load_one(tmp_path / "grey.png") == value).all()


@pytest.mark.parametrize(("ink", "colour"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0))])
def test_cmyk_is_read_as_its_colours(tmp_path, ink, colour):
    plain(ink, "CMYK").save(tmp_path / "print.jpg", quality=95)
    assert np.abs(load_one(tmp_path / "print.jpg").astype(int) - np.array(colour)).max() <= 8


def test_a_palette_is_read_and_its_transparent_colour_is_white(tmp_path):
    image = Image.fromarray(np.repeat([[0, 1, 2, 3]], SIDE, axis=0).repeat(5, axis=1).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.save(tmp_path / "palette.png", transparency=1)
    row = load_one(tmp_path / "palette.png")[7]
    assert [tuple(row[x]) for x in (2, 7, 12, 17)] == [(255, 0, 0), (255, 255, 255), (0, 0, 255), (9, 9, 9)]


@pytest.mark.parametrize("suffix", [".webp", ".png", ".tif"])
def test_of_an_animation_the_first_picture_is_taken(tmp_path, draw_face, suffix):
    first, *others = [draw_face(seed, (SIDE, SIDE)) for seed in range(3)]
    lossless = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"moving{suffix}", save_all=True, append_images=others, **lossless)
    assert np.array_equal(load_one(tmp_path / f"moving{suffix}"), np.asarray(first))


def test_files_of_other_kinds_are_counted(tmp_path, draw_face, draw_faces, capsys):
    draw_faces(tmp_path, 2, (SIDE, SIDE))
    face = draw_face(9)
    face.save(tmp_path / "icon.ico")
    face.save(tmp_path / ".hidden.png")
    (tmp_path / ".trash").mkdir()
    face.save(tmp_path / ".trash" / "face.png")
    for name in ("readme.txt", "more.TXT", "LICENCE", "face000.png.cat"):
        (tmp_path / name).write_text("9 " + "10 10 20 20 30 25 " * 3)
    loaded = image_folder.load(tmp_path, SIDE, minimum=1)
    assert loaded.files == ["face000.png", "face001.png"] and not loaded.skipped
    assert "Left out: 2 .txt, 1 .ico, 1 without a suffix.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("points", "box"),
    [  # of a picture of 120x100: the points' box, 10 px wider a side, clipped, square from its top left corner
        ([(40, 30), (70, 50), (55, 40)], (30, 20, 80, 70)),  # 50 wide, 40 high
        ([(40, 20), (50, 60), (45, 40)], (30, 10, 90, 70)),  # 30 wide, 60 high
        ([(4, 2), (34, 22), (20, 10)], (0, 0, 44, 44)),  # clipped at the left and at the top
        ([(80, 60), (115, 95), (90, 70)], (70, 50, 120, 100)),  # clipped at the right and at the bottom
        ([(95, 10), (115, 70), (100, 40)], (40, 0, 120, 80)),  # its square reaches out at the right: moved back
        ([(10, 70), (60, 95), (30, 80)], (0, 30, 70, 100)),  # and at the bottom
        ([(-20, 50), (30, 50), (10, 50)], (0, 40, 40, 80)),  # a point outside the picture
        ([(5, 5), (115, 95), (50, 50)], (0, 0, 100, 100)),  # wider than the picture is high
    ],
)
def test_landmarks_cut_out_the_face(tmp_path, draw_face, points, box):
    nine = (points * 3)[:9]
    text = " ".join(str(number) for number in (9, *(value for point in nine for value in point)))
    assert landmark_box(text, 120, 100) == box
    face = draw_face(4, (120, 100))
    face.save(tmp_path / "cat.png")
    (tmp_path / "cat.png.cat").write_text(f"{text} \n")
    left, top, right, bottom = box
    assert np.array_equal(load_one(tmp_path / "cat.png", right - left), np.asarray(face)[top:bottom, left:right])


@pytest.mark.parametrize(
    "text", ["", "8 1 2", "9 1 2 3", "9 " + "x " * 18, "10 " + "5 " * 20, "9 " + "500 " * 18, "\0ÿ"]
)
def test_a_picture_with_senseless_landmarks_is_skipped(tmp_path, draw_faces, text):
    draw_faces(tmp_path, 3, (120, 100))
    (tmp_path / "face001.png.cat").write_bytes(text.encode("latin-1"))
    loaded = image_folder.load(tmp_path, SIDE, minimum=1)
    assert loaded.files == ["face000.png", "face002.png"]
    assert list(loaded.skipped) == ["face001.png"] and "cannot be read" in loaded.skipped["face001.png"]


def damaged_files(folder: Path, draw_face: Callable[..., Image.Image]) -> dict[str, bytes]:
    jpeg = io.BytesIO()
    draw_face(1).save(jpeg, "JPEG")
    return {"text.jpg": b"no picture at all", "empty.png": b"", "cut.jpg": jpeg.getvalue()[: len(jpeg.getvalue()) // 2]}


def test_unreadable_files_are_skipped_and_named(tmp_path, draw_face, draw_faces, capsys):
    draw_faces(tmp_path, 4, (SIDE, SIDE))
    damaged = damaged_files(tmp_path, draw_face)
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
    for _ in range(2):  # read, then from the cache
        loaded = image_folder.load(tmp_path, SIDE, minimum=1)
        assert len(loaded.pictures) == len(loaded.files) == 4 and not set(loaded.files) & set(damaged)
        assert set(loaded.skipped) == set(damaged)
        assert "not a picture" in loaded.skipped["text.jpg"] and "cannot be read" in loaded.skipped["cut.jpg"]
        printed = capsys.readouterr().out
        assert all(f"Skipped {name}: it " in printed for name in damaged)


def test_a_decoder_says_why_and_raises_nothing(tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    assert decode(str(tmp_path / "text.jpg"), SIDE) == "it is not a picture"
    assert "cannot be read" in decode(str(tmp_path / "missing.jpg"), SIDE)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_of_absurd_size_is_skipped(tmp_path):
    plain(0, "1", (10_001, 10_000)).save(tmp_path / "huge.png")
    assert "100 million pixels" in decode(str(tmp_path / "huge.png"), SIDE)


def test_a_missing_folder_is_one_sentence(tmp_path, refuses):
    with refuses("There is no folder", "nowhere"):
        image_folder.load(tmp_path / "nowhere")
    (tmp_path / "file.png").write_text("")
    with refuses("There is no folder", "file.png"):
        image_folder.load(tmp_path / "file.png")


def test_too_few_pictures_are_one_sentence(tmp_path, draw_faces, refuses):
    with refuses(str(tmp_path), "contains 0 pictures", "at least 16"):
        image_folder.load(tmp_path)
    draw_faces(tmp_path, 15)
    with refuses("contains 15 pictures", "at least 16"):
        image_folder.load(tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    with refuses("Only 15 pictures", "can be read", "at least 16"):
        image_folder.load(tmp_path)
    draw_faces(tmp_path, 16)
    assert len(image_folder.load(tmp_path, SIDE).pictures) == 16


def test_a_folder_of_nothing_readable_is_one_sentence(tmp_path, refuses):
    for index in range(16):
        (tmp_path / f"{index}.jpg").write_text("no picture")
    with refuses("Only 0 pictures"):
        image_folder.load(tmp_path)


def test_class_folders_are_chosen_by_name(tmp_path, draw_faces, refuses):
    for folder, count in (("train/cat", 3), ("train/dog", 2), ("val/cat/kittens", 1), ("val/wildcat", 1)):
        draw_faces(tmp_path / folder, count)
    assert len(image_folder.load(tmp_path, SIDE, minimum=1).files) == 7
    cats = image_folder.load(tmp_path, SIDE, "cat", minimum=1).files
    assert cats == [f"train/cat/face00{index}.png" for index in range(3)] + ["val/cat/kittens/face000.png"]
    assert len(image_folder.load(tmp_path / "train" / "dog", SIDE, "dog", minimum=1).files) == 2
    with refuses("contains 0 pictures of the class horse"):
        image_folder.load(tmp_path, SIDE, "horse")


def test_the_cache_is_found_again_and_equal(tmp_path, draw_faces, monkeypatch):
    draw_faces(tmp_path, 5)
    (tmp_path / "text.jpg").write_text("no picture")
    first = image_folder.load(tmp_path, SIDE, minimum=1)
    forbid_reading(monkeypatch)
    second = image_folder.load(tmp_path, SIDE, minimum=1)
    assert np.array_equal(first.pictures, second.pictures)
    assert (first.files, first.skipped) == (second.files, second.skipped)


@pytest.mark.parametrize("module", ["data/decode.py", "data/image_folder.py"])
def test_other_code_is_another_cache(tmp_path, draw_faces, cache, other_code, module):
    draw_faces(tmp_path, 2)
    image_folder.load(tmp_path, SIDE, minimum=1)
    other_code(module)
    image_folder.load(tmp_path, SIDE, minimum=1)
    assert len(list(cache.rglob("*.npy"))) == 2


def test_another_side_is_another_cache(tmp_path, draw_faces):
    draw_faces(tmp_path, 2)
    for side in (16, 24, 16):
        assert image_folder.load(tmp_path, side, minimum=1).pictures.shape == (2, 3, side, side)


def replace_content(folder: Path, draw_face: Callable) -> None:
    draw_face(70).save(folder / "face001.png")
    touch(folder / "face001.png")


def replace_content_keeping_the_time(folder: Path, draw_face: Callable) -> None:
    before = (folder / "face001.png").stat()
    draw_face(70, (96, 96)).save(folder / "face001.png")
    assert (folder / "face001.png").stat().st_size != before.st_size
    os.utime(folder / "face001.png", ns=(before.st_atime_ns, before.st_mtime_ns))


def add_landmarks(folder: Path, draw_face: Callable) -> None:
    (folder / "face001.png.cat").write_text("9 " + "10 10 20 20 30 25 " * 3)


@pytest.mark.parametrize(
    "change",
    [
        replace_content,
        replace_content_keeping_the_time,
        add_landmarks,
        lambda folder, draw_face: draw_face(71).save(folder / "new.png"),
        lambda folder, draw_face: (folder / "face002.png").unlink(),
        lambda folder, draw_face: (folder / "face002.png").rename(folder / "renamed.png"),
    ],
    ids=["changed", "changed-keeping-its-time", "landmarks-added", "added", "removed", "renamed"],
)
def test_a_change_of_the_files_is_noticed(tmp_path, draw_face, draw_faces, change, cache):
    draw_faces(tmp_path, 4)
    before = image_folder.load(tmp_path, SIDE, minimum=1)
    change(tmp_path, draw_face)
    after = image_folder.load(tmp_path, SIDE, minimum=1)
    fresh = np.stack([decode(str(tmp_path / name), SIDE) for name in after.files])
    assert np.array_equal(after.pictures, fresh)
    assert (after.files, after.pictures.tolist()) != (before.files, before.pictures.tolist())


def test_changed_landmarks_are_noticed(tmp_path, draw_face, draw_faces):
    draw_faces(tmp_path, 4)
    add_landmarks(tmp_path, draw_face)
    before = image_folder.load(tmp_path, SIDE, minimum=1)
    (tmp_path / "face001.png.cat").write_text("9 " + "20 20 30 30 40 35 " * 3)
    touch(tmp_path / "face001.png.cat")
    after = image_folder.load(tmp_path, SIDE, minimum=1)
    changed = [bool((first != second).any()) for first, second in zip(before.pictures, after.pictures, strict=True)]
    assert changed == [False, True, False, False]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:4],
        lambda raw: raw[: len(raw) // 3] + b"damage" + raw[len(raw) // 3 + 6 :],
        lambda raw: b"no archive",
    ],
    ids=["empty", "half", "beginning", "overwritten", "text"],
)
def test_a_damaged_cache_file_is_read_anew(tmp_path, draw_faces, cache, damage, monkeypatch):
    draw_faces(tmp_path, 5)
    first = image_folder.load(tmp_path, SIDE, minimum=1).pictures.copy()
    (file,) = (path for path in cache.rglob("*") if path.is_file())
    file.write_bytes(damage(file.read_bytes()))
    assert np.array_equal(image_folder.load(tmp_path, SIDE, minimum=1).pictures, first)
    forbid_reading(monkeypatch)  # and mended
    assert np.array_equal(image_folder.load(tmp_path, SIDE, minimum=1).pictures, first)


def test_nothing_is_written_beside_the_pictures(tmp_path, draw_faces, cache):
    draw_faces(tmp_path / "faces" / "a", 3)
    (tmp_path / "faces" / "text.jpg").write_text("no picture")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    image_folder.load(tmp_path / "faces", SIDE, minimum=1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert any(path.is_file() for path in cache.rglob("*"))


def test_several_threads_give_what_one_gives(tmp_path, draw_faces, cache):
    draw_faces(tmp_path, 40, (60, 48))
    (tmp_path / "face007x.jpg").write_text("no picture")
    alone = image_folder.load(tmp_path, SIDE, workers=1)
    cached = list(cache.rglob("*.npy"))
    cached[0].unlink()
    together = image_folder.load(tmp_path, SIDE, workers=3)
    assert np.array_equal(alone.pictures, together.pictures)
    assert (alone.files, alone.skipped) == (together.files, together.skipped)


def test_a_file_name_of_another_encoding_is_read(tmp_path, draw_faces):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        draw_faces(folder, 3)[1].rename(folder / f"{folder.name}.png")
    except OSError:
        pytest.skip("this file system allows no such name")
    for _ in range(2):
        assert len(image_folder.load(folder, SIDE, minimum=1).pictures) == 3


def test_an_unwritable_cache_is_told_once_and_loses_nothing(tmp_path, draw_faces, monkeypatch, capsys):
    draw_faces(tmp_path, 3)
    monkeypatch.setenv("GANOPT_CACHE", "/dev/null/cache")
    for _ in range(2):
        assert len(image_folder.load(tmp_path, SIDE, minimum=1).pictures) == 3
    said = "The cache /dev/null/cache cannot be written (Not a directory), so results are computed again the next time"
    assert capsys.readouterr().err.count(f"{said}; set GANOPT_CACHE to a folder that you may write to.") == 1


def test_without_a_home_folder_nothing_is_cached(tmp_path, draw_faces):
    draw_faces(tmp_path / "faces", 3)
    code = (
        "import os\nos.path.expanduser = lambda path: path\n"  # as without HOME and without an entry in passwd
        "from pathlib import Path\nfrom ganopt.data import image_folder\n"
        "print(len(image_folder.load(Path('faces'), 20, minimum=1).files))\n"
    )
    hidden = dict.fromkeys(("GANOPT_CACHE", "XDG_CACHE_HOME", "HOME"), "")
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=module_environment(**hidden), capture_output=True, text=True, check=True
    )
    assert done.stdout == "3\n" and "set GANOPT_CACHE" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_names_of_any_length_links_and_special_files(tmp_path, draw_face):
    data, store = tmp_path / "data", tmp_path / "store" / "cat"
    for folder in (data / "real" / "cat", store):
        folder.mkdir(parents=True)
    names = ["a.png", "x" * 246 + ".png", "\u043a" * 120 + ".png", "real/cat/b.png"]
    for seed, path in enumerate([*(data / name for name in names), store / "c.png"]):
        draw_face(seed, (SIDE, SIDE)).save(path)
    links = {"kitten": store, "self": data, "real/up": data / "real", "root": "/", "again": data / "real"}
    for name, target in links.items():
        (data / name).symlink_to(target)
    for name in ("pipe.png", "config.json", "a.png.cat"):  # to open one would take forever
        os.mkfifo(data / name)
    loaded = image_folder.load(data, SIDE, minimum=1)
    assert loaded.files == sorted([*names, "kitten/c.png"]) and not loaded.skipped
    assert image_folder.find(data, "kitten") == ["kitten/c.png"] and not image_folder.survey(data).left_out


def test_the_current_folder_may_be_the_class(tmp_path, draw_faces, monkeypatch):
    draw_faces(tmp_path / "cat", 2)
    monkeypatch.chdir(tmp_path / "cat")
    assert len(image_folder.find(Path("."), "cat")) == 2 and not image_folder.find(Path("."), "dog")


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}, {"PYTHONIOENCODING": "cp1252"}],
    ids=["ascii", "cp1252"],
)
def test_names_are_printed_in_any_encoding(tmp_path, draw_faces, environment):
    folder = tmp_path / "\u043a\u043e\u0442"
    draw_faces(folder, 3)
    (folder / "\u043a\u043e\u0442.png").write_text("no picture")
    (folder / os.fsdecode(b"caf\xe9.png")).write_text("no picture")
    code = (
        "import sys\nfrom pathlib import Path\nfrom ganopt.data import image_folder\n"
        "print(image_folder.load(Path(sys.argv[1]), 20, minimum=1).files)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=module_environment() | environment, capture_output=True, check=True)
    assert done.stdout.count(b"Skipped ") == 2 and b"face000.png" in done.stdout and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("folders", "classes", "expected"),
    [
        (("0", "7"), "", True),
        (("A", "é"), "", True),
        (("0", "cat"), "", False),
        (("0", "cat"), "0", True),
        ((".",), "", False),
        ((), "", False),
    ],
)
def test_letters_and_digits_are_told_by_their_folders(folders, classes, expected, draw_faces, tmp_path):
    for name in folders:
        draw_faces(tmp_path / "set" / name, 1)
    assert image_folder.shows_text(tmp_path / "set", classes) == expected


def test_pictures_of_runs_are_left_out(tmp_path, draw_faces):
    draw_faces(tmp_path / "cat", 3)
    recipe = json.dumps({"recipe": "r1", "generator": "big"})
    for run in (tmp_path, tmp_path / "runs" / "r1-1", tmp_path / "cat"):
        draw_faces(run / "previews", 2)
        draw_faces(run / "verdicts", 2)
        draw_faces(run / "uploaded pictures", 1)
        (run / "config.json").write_text(recipe)
    assert image_folder.find(tmp_path) == ["uploaded pictures/face000.png"]
    inside = [f"face00{index}.png" for index in range(3)] + ["uploaded pictures/face000.png"]
    assert image_folder.find(tmp_path / "cat") == inside


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"recipe": "a cake"}', "\ufffe"])
def test_another_config_file_is_not_that_of_a_run(text, tmp_path, draw_faces):
    draw_faces(tmp_path / "cat", 3)
    (tmp_path / "cat" / "config.json").write_text(text)
    assert len(image_folder.find(tmp_path)) == 3
