"""Films and sheets from the previews of a run."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganopt.cli.parser import main
from ganopt.models.sampling import save_png, strip
from ganopt.runs import timelapse

STEPS = (5, 10, 15, 20, 25)
FACES = torch.randint(0, 256, (len(STEPS), 6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
ENLARGED = FACES.repeat_interleave(4, dim=3).repeat_interleave(4, dim=4)  # to 128 pixels


@pytest.fixture
def run(tmp_path):
    for step, faces in zip(STEPS, FACES, strict=True):
        save_png(strip(faces), tmp_path / "run" / "previews" / f"{step:07}.png")
    return tmp_path / "run"


def test_previews_are_read_and_a_selection_includes_the_last_one(run):
    steps, pictures = timelapse.previews(run, 60)
    assert steps == list(STEPS) and torch.equal(pictures, ENLARGED)
    assert timelapse.previews(run, 3)[0] == [5, 15, 25] and timelapse.previews(run, 1)[0] == [25]


def test_a_film_shows_all_six_faces(run, tmp_path):
    main(["film", str(run), "--out", str(tmp_path / "film.webp"), "--sheet", str(tmp_path / "sheet.png")])
    with Image.open(tmp_path / "film.webp") as image:
        assert image.size == (6 * 128, 128) and image.n_frames == 2 * len(STEPS) - 2
        assert np.array_equal(np.asarray(image.convert("RGB")), strip(ENLARGED[0]))
    with Image.open(tmp_path / "sheet.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(timelapse.history(run)))


def test_a_sheet_has_a_row_for_each_latent(run):
    page = np.asarray(timelapse.history(run, 2))
    for face in (*ENLARGED[0], *ENLARGED[-1]):
        pixels = face.permute(1, 2, 0).numpy()
        corners = np.argwhere((page == pixels[0, 0]).all(axis=2))
        assert any(np.array_equal(page[y : y + 128, x : x + 128], pixels) for y, x in corners)


def test_a_run_without_previews_is_one_sentence(tmp_path, refuses):
    with refuses("no previews"):
        timelapse.history(tmp_path)
