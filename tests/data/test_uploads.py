"""Uploads -> a folder of pictures."""

import json
import zipfile

import pytest
from PIL import Image

from ganopt.data import image_folder
from ganopt.data.crops import Crop, listed
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


def test_a_picture_is_cropped_as_asked_and_others_are_left_out(tmp_path):
    halves = Image.new("RGB", (400, 200), "red")
    halves.paste("blue", (200, 0, 400, 200))
    halves.save(tmp_path / "halves.png")
    (tmp_path / "notes.txt").write_text("hi")
    uploads = [(tmp_path / "halves.png", Crop(100, 50, 1)), tmp_path / "notes.txt", tmp_path / "halves.png"]
    assert collect(uploads, tmp_path / "out") == (0, ["notes.txt"])
    assert image_folder.find(tmp_path / "out") == ["00000.png", "00002.png"]
    with Image.open(tmp_path / "out" / "00000.png") as image:
        assert image.size == (256, 256)
        (_, high), _, (least, _) = image.crop((8, 0, 256, 256)).getextrema()
    assert high < 10 and least > 240  # only the blue half
    assert listed(uploads[:2]) == [[str(tmp_path / "halves.png"), 100, 50, 1], [str(tmp_path / "notes.txt")]]


@pytest.mark.parametrize(
    ("values", "box"),
    [((50, 50, 1), (100, 0, 300, 200)), ((0, 100, 2), (0, 100, 100, 200)), ((100, 0, 4), (350, 0, 400, 50))],
)
def test_a_crop_is_a_square_in_the_picture(values, box):
    assert Crop(*values).box(400, 200) == box


@pytest.mark.parametrize("values", [(-1, 50, 1), (50, 101, 1), (50, 50, 0.5), (50, 50, 7), (None, 50, 1)])
def test_a_crop_out_of_bounds_is_refused(values, refuses):
    with refuses("of the crop must be a number"):
        Crop(*values)


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
    said = run_module(words, json.dumps(listed([huge, *faces])))
    assert said == "Pictures skipped because they have more than 16 million pixels: 1.\n"
    assert len(image_folder.find(tmp_path / "out")) == 16
    words[1] = str(tmp_path / "few")
    with refuses("Only 15 of the pictures have up to 16 million pixels", "at least 16"):
        run_module(words, json.dumps(listed([huge, *faces[:15]])))


def test_files_that_are_no_pictures_are_deleted(draw_faces, tmp_path):
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for path in draw_faces(tmp_path / "faces", 16):
            archive.write(path, path.name)
        for name in ("noise.png", "noise.png.cat", "more/noise.jpg"):
            archive.writestr(name, b"9 " * 1000)
        archive.writestr("notes.txt", "hi")
    words = ["ganopt.data.uploads", str(tmp_path / "out"), "32", "", "16"]
    said = run_module(words, json.dumps(listed([tmp_path / "faces.zip"])))
    assert "Skipped noise.png" in said and "\nLeft out: 1 .txt.\n" in said
    assert sorted(path.suffix for path in (tmp_path / "out").rglob("*.*")) == [".png"] * 16
    assert len(image_folder.load(tmp_path / "out", 32).files) == 16
