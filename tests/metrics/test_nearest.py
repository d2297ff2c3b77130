"""Copies of training pictures are found, and the command shows what is near."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganopt.cli.parser import main
from ganopt.data import image_folder
from ganopt.metrics.nearest import nearest
from ganopt.metrics.samples import from_rows


def test_copies_are_found_at_distance_zero(pictures, extractor):
    copies = pictures[[7, 3]]
    found = nearest(copies, pictures, None, extractor)
    assert found.indices.shape == found.distances.shape == (2, 3)
    assert found.indices[:, 0].tolist() == [7, 3] and found.typical is None
    assert found.distances[:, 0] == pytest.approx([0, 0], abs=1e-2)
    assert (found.distances[:, 1:] > 0.1).all() and (found.distances.diff(dim=1) >= 0).all()


def test_of_many_training_pictures_some_are_drawn_evenly(pictures, extractor, monkeypatch):
    monkeypatch.setattr("ganopt.metrics.nearest.KEPT", 20)
    chosen = image_folder.drawn(48, 20, 0)
    assert chosen[-1] > 40
    found = nearest(pictures[chosen], pictures, None, extractor)
    assert found.indices[:, 0].tolist() == chosen and found.drawn == "20 of 48 pictures, drawn with seed 0"
    assert nearest(pictures[:1], pictures[:20], None, extractor).drawn == ""


def test_held_out_pictures_say_what_is_typical(pictures, extractor):
    known = nearest(pictures[:1], pictures[:32], from_rows("held out", extractor.network(pictures[32:])), extractor)
    distances = torch.cdist(extractor.network(pictures[32:]), extractor.network(pictures[:32])).amin(dim=1)
    assert known.typical == pytest.approx(float(distances.median()), rel=1e-3)


def test_too_few_training_pictures_are_one_sentence(pictures, extractor, refuses):
    with refuses("2 training pictures"):
        nearest(pictures[:1], pictures[:2], None, extractor)


def test_the_command_shows_faces_beside_what_is_nearest(
    source, draw_faces, thin_inception, tmp_path, capsys, monkeypatch
):
    draw_faces(tmp_path / "pictures", 20, (32, 32))
    arguments = ["nearest", "--model", str(source), "--data", str(tmp_path / "pictures"), "--seeds", "0-2"]
    arguments += ["--inception", str(thin_inception), "--device", "cpu", "--out", str(tmp_path / "sheet.png")]
    main([*arguments, "--dry-run"])
    assert not (tmp_path / "sheet.png").exists()
    capsys.readouterr()
    monkeypatch.setattr("ganopt.metrics.nearest.KEPT", 19)
    main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["seed 0", "seed 1", "seed 2"]
    assert lines[-1] == "They were compared with 19 of 20 pictures, drawn with seed 0."
    named = tmp_path / "pictures" / lines[0].split(", ")[1]
    with Image.open(tmp_path / "sheet.png") as sheet, Image.open(named) as picture:
        shown = np.asarray(sheet)[8:40, 48:80]  # the second cell of the first row
        assert np.array_equal(shown, np.asarray(picture.convert("RGB")))


def test_the_command_refuses_what_it_cannot_compare(source, tmp_path):
    with pytest.raises(SystemExit) as caught:
        main(["nearest", "--model", str(source), "--data", str(tmp_path), "--seeds", "0-999"])
    assert str(caught.value).startswith("ganopt: ") and "\n" not in str(caught.value)
