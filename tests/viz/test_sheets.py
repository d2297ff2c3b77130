import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from ganopt.models.sampling import to_image
from ganopt.viz.sheets import CAPTION, GAP, comparison, save_animation, save_zip, sheet

PICTURES = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_sheet_holds_each_picture_over_its_caption():
    page = np.asarray(sheet(PICTURES, [f"seed {seed}" for seed in range(5)], columns=3))
    assert page.shape == (GAP + 2 * (32 + CAPTION + GAP), GAP + 3 * (32 + GAP), 3)
    left, top = GAP + 1 * (32 + GAP), GAP + 1 * (32 + CAPTION + GAP)  # the fifth: second row, second column
    assert np.array_equal(page[top : top + 32, left : left + 32], np.asarray(to_image(PICTURES[4])))
    caption = page[top + 32 : top + 32 + CAPTION, left : left + 32]
    assert caption.min() < 128


@pytest.mark.parametrize("scale", [1, 2])
def test_a_comparison_holds_a_column_a_model_under_its_head(scale):
    faces = PICTURES[:4].unflatten(0, (2, 2))  # two models, two seeds
    heads = [["a", "1 MB"], ["a long title of a model"]]
    given = faces, heads, [["seed 0", "seed 1"]] * 2, ["n = 2 seeds, by a program, on a device"], scale
    image = comparison(*given)
    page, gap, line, side = np.asarray(image), scale * GAP, scale * CAPTION, scale * 32
    top, row, column = 2 * gap + 2 * line, side + line + gap, (page.shape[1] - gap) // 2
    assert page.shape[0] == top + 2 * row + line + gap and column > side + gap
    for model, seed in ((0, 0), (0, 1), (1, 0), (1, 1)):
        left, above = gap + model * column + (column - gap) // 2 - side // 2, top + seed * row
        shown = Image.fromarray(page[above : above + side, left : left + side])
        face = to_image(faces[model, seed]).resize((side, side), Image.Resampling.LANCZOS)
        assert np.array_equal(shown, face)
        assert page[above + side : above + side + line, left : left + side].min() < 128
    assert page[:top, :column].min() < 128 and page[:top, column:].min() < 128
    assert page[top + 2 * row : top + 2 * row + line].min() < 128  # the note
    assert comparison(*given).tobytes() == image.tobytes()


def test_notes_of_a_comparison_are_broken_to_its_width():
    faces, note = PICTURES[:1].unflatten(0, (1, 1)), "seeds: " + ", ".join(str(seed) for seed in range(0, 400, 20))
    short, long = (comparison(faces, [["a"]], [["seed 0"]], [text], 1) for text in ("seeds: 0", note))
    assert short.width == long.width and long.height >= short.height + 3 * CAPTION
    assert min(long.crop((long.width - GAP, 0, *long.size)).convert("L").tobytes()) == 255  # nothing in the margin


def test_an_animation_runs_there_and_back_without_loss(tmp_path):
    save_animation(PICTURES, tmp_path / "walk.webp", seconds=1.0)
    with Image.open(tmp_path / "walk.webp") as film:
        frames = []
        for index in range(film.n_frames):
            film.seek(index)
            frames.append(np.asarray(film.convert("RGB")))
    expected = [np.asarray(to_image(PICTURES[index])) for index in (0, 1, 2, 3, 4, 3, 2, 1)]
    assert np.array_equal(np.stack(frames), np.stack(expected))


def test_a_zip_is_the_same_bytes_for_the_same_pictures(tmp_path):
    names = [f"seed-{seed:04}" for seed in range(5)]
    for path in (tmp_path / "a.zip", tmp_path / "b.zip"):
        save_zip(PICTURES, names, path)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == [*(f"{name}.png" for name in names), "sheet.png"]
        assert archive.testzip() is None
