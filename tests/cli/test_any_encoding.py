"""Names of files that are not UTF-8, as Linux allows them and as any other name is where LC_ALL is C."""

import os
from pathlib import Path

import pytest

from ganopt.cli.parser import main
from ganopt.publishing import models
from tests.cli.test_cli import TINY

NAME = os.fsdecode(b"caf\xe9")


@pytest.fixture
def place(tmp_path, draw_faces, monkeypatch) -> Path:
    """A folder with such a name, with pictures and the cache in such folders."""
    place = tmp_path / NAME
    try:
        draw_faces(place / NAME, 20, (32, 32))[0].rename(place / NAME / f"{NAME}.png")
    except OSError:
        pytest.skip("this file system allows no such name")
    (place / NAME / f"a.{NAME}").touch()
    monkeypatch.setenv("GANOPT_CACHE", str(place / "cache"))
    return place


def test_a_run_is_trained_resumed_and_used(place, capsys):
    run, data = str(place / "run"), ["--data", str(place / NAME)]
    main(["train", *data, "--steps", "2", "--out", run, *TINY])
    main(["train", "--resume", run, *data, "--steps", "3"])
    transfer = ["transfer", "--source", run, "--freeze-d", "1", "--batch", "4", "--steps", "1", "--device", "cpu"]
    main([*transfer, *data, "--out", str(place / "transfer")])
    main(["film", run, "--out", str(place / "film.webp")])
    (place / "run" / "generator.safetensors").rename(place / f"{NAME}.safetensors")
    main(["export", str(place / f"{NAME}.safetensors"), "--html", str(place / "cat.html")])
    main(["generate", "--model", str(place / f"{NAME}.safetensors"), "--seeds", "0", "--out", str(place / "faces")])
    assert capsys.readouterr().out.count("Done at step") == 3
    assert "caf\\udce9" in (place / "cat.html").read_text(encoding="utf-8")
    card = models.upload_of(place / "transfer", "me/cats").files["README.md"]
    assert isinstance(card, bytes) and b"caf\\udce9" in card


def test_its_faces_and_pictures_are_measured(place, thin_inception, draw_faces, capsys):
    draw_faces(place / NAME, 50, (32, 32))
    pictures, statistics = str(place / NAME), str(place / f"{NAME}.npz")
    fid = ["fid", "--inception", str(thin_inception), "--device", "cpu"]
    main([*fid, pictures, "--save", statistics])
    for _ in range(2):  # from the cache the second time
        main([*fid, statistics, pictures, "--results", str(place / "results.json")])
        assert "left out: 1 .caf\\udce9" in capsys.readouterr().out
