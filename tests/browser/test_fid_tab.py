"""The tab FID in use."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganopt.models import zoo

MODEL = next(iter(zoo.catalogue()), "")
pytestmark = pytest.mark.skipif(not MODEL, reason="checkpoints/ contains no models")


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="FID").click()
    count = page.locator("#fid-count input[type=number]")
    count.fill("50")
    count.press("Tab")
    return page


def zip_of(path: Path, count: int) -> Path:
    """Coloured noise in PNG files."""
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(count):
            data = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(data, "PNG")
            archive.writestr(f"noise/{index}.png", data.getvalue())
    return path


def open_settings(tab) -> None:
    if not tab.locator("#fid-own").is_visible():
        tab.get_by_role("button", name="More settings").click()


def upload(tab, path: Path, role: str) -> None:
    tab.locator("#fid-own input[type=file]").set_input_files(path)
    tab.get_by_label(path.name, exact=True).wait_for()  # its name is shown in parts after the upload
    tab.get_by_label(role).check()


def measure(tab) -> None:
    tab.locator("#measure").click()
    tab.locator("#fid-status", has_text="Done after").wait_for(timeout=200_000)


def rows(tab) -> list[list[str]]:
    """The results in the CSV file."""
    with tab.expect_download() as download:
        tab.locator("#fid-csv").click()
    return list(csv.reader(Path(download.value.path()).read_text().splitlines()))[1:]


def test_a_model_is_measured_after_the_floor_and_with_a_curve(tab):
    tab.get_by_role("button", name="Quick").click()
    tab.wait_for_function("document.querySelector('#fid-count input[type=number]').value === '100'")
    measure(tab)
    floor, model = rows(tab)
    assert floor[0] == "cats: real against real" and model[0] == MODEL
    assert floor[1] == model[1] == "100"
    assert 20 < float(floor[2]) < float(model[2]) < 200
    assert model[2] in tab.locator("#fid-table").inner_text()
    tab.locator("#fid-curve svg").first.wait_for()


def test_a_measurement_stops(tab):
    count = tab.locator("#fid-count input[type=number]")
    count.fill("5000")
    count.press("Tab")
    tab.locator("#measure").click()
    tab.locator("#fid-status progress").wait_for()
    tab.locator("#fid-stop").click()
    tab.locator("#fid-status", has_text="Stopped").wait_for()
    count.fill("50")
    count.press("Tab")
    measure(tab)  # the slot is free again


def test_an_invalid_upload_is_one_sentence_and_the_page_still_works(tab, tmp_path):
    zip_of(tmp_path / "three.zip", 3)
    (tmp_path / "text.zip").write_text("this is damaged or not a zip file")
    (tmp_path / "text.npz").write_text("these are not statistics")
    open_settings(tab)
    for name, sentence in (("three.zip", "contains 3 pictures"), ("text.zip", "text.zip"), ("text.npz", "text.npz")):
        upload(tab, tmp_path / name, "the reference")
        tab.locator("#measure").click()
        tab.get_by_text(sentence).filter(has_not=tab.locator("input")).last.wait_for()
        assert "Traceback" not in tab.content()
        tab.locator("#fid-own").get_by_label("Clear").click()
    tab.get_by_label("images to evaluate").check()


def test_a_zip_of_pictures_is_measured(tab, tmp_path):
    tab.get_by_label(zoo.entry(MODEL).title).uncheck()
    open_settings(tab)
    upload(tab, zip_of(tmp_path / "noise.zip", 50), "images to evaluate")
    measure(tab)
    floor, noise = rows(tab)
    assert noise[:2] == ["noise.zip", "50"]
    assert float(noise[2]) > 2 * float(floor[2])
