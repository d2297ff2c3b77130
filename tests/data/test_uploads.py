"""Uploads -> a folder of pictures."""

import json
import zipfile

import pytest
from PIL import Image

from ganopt.data import image_folder
from ganopt.data.uploads import collect
from ganopt.subprocesses import run_module


def test_pictures_come_under_our_names(draw_faces, tmp_path):
    loose = draw_faces(tmp_path / "loose", 3)
    loose[0].rename(strange := loose[0].with_name("a ; strange name.PNG"))
    collect([strange, *loose[1:]], tmp_path / "out")
    assert image_folder.find(tmp_path / "out") == ["00000.png", "00001.png", "00002.png"]


def test_a_zip_keeps_its_folders(draw_faces, tmp_path, refuses):
    with zipfile.ZipFile(tmp_path / "more.ZIP", "w") as archive:
        for index, path in enumerate(draw_faces(tmp_path / "zipped", 16)):
            archive.write(path, f"cats/{index:02}.png")
    collect([tmp_path / "more.ZIP"], tmp_path / "out")
    assert len(image_folder.load(tmp_path / "out", 32, "cats").files) == 16
    with refuses("either pictures or one zip"):
        collect([tmp_path / "more.ZIP"] * 2, tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "content", "fragment"), [("notes.txt", b"hi", "neither"), ("a.zip", b"hi", "not a zip")]
)
def test_anything_else_is_refused(name, content, fragment, tmp_path, refuses):
    (tmp_path / name).write_bytes(content)
    with refuses(name, fragment):
        collect([tmp_path / name], tmp_path / "out")


def test_a_way_out_of_the_zip_is_refused(draw_face, tmp_path, refuses):
    draw_face(0).save(tmp_path / "face.png")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.write(tmp_path / "face.png", "../../face.png")
    with refuses("outside its folder"):
        collect([tmp_path / "bad.zip"], tmp_path / "out")


def test_pictures_of_too_many_pixels_are_left_out_and_counted(draw_faces, tmp_path, refuses):
    faces, huge = draw_faces(tmp_path / "faces", 16), tmp_path / "huge.png"
    Image.new("1", (4001, 4000)).save(huge)
    words = ["ganopt.data.uploads", str(tmp_path / "out"), "32", "", "16"]
    said = run_module(words, json.dumps([str(file) for file in [huge, *faces]]))
    assert said == "Pictures skipped because they have more than 16 million pixels: 1.\n"
    assert len(image_folder.find(tmp_path / "out")) == 16
    words[1] = str(tmp_path / "few")
    with refuses("Only 15 of the pictures have up to 16 million pixels", "at least 16"):
        run_module(words, json.dumps([str(file) for file in [huge, *faces[:15]]]))


def test_files_that_are_no_pictures_are_deleted(draw_faces, tmp_path):
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for path in draw_faces(tmp_path / "faces", 16):
            archive.write(path, path.name)
        for name in ("noise.png", "noise.png.cat", "more/noise.jpg"):
            archive.writestr(name, b"9 " * 1000)
    words = ["ganopt.data.uploads", str(tmp_path / "out"), "32", "", "16"]
    assert "Skipped noise.png" in run_module(words, json.dumps([str(tmp_path / "faces.zip")]))
    assert sorted(path.suffix for path in (tmp_path / "out").rglob("*.*")) == [".png"] * 16
    assert len(image_folder.load(tmp_path / "out", 32).files) == 16
