"""A pet is found on the tab Generate, and is then a face like any other; a face of its own."""

import io

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from ganopt.models.latents import encode_latent, inversion, latent, parse_faces
from ganopt.ui.address import parse
from tests.browser.conftest import check_accessible, draw_first_faces, follow
from tests.browser.test_history import wait_for


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Searches of few steps, which are not cut off on a busy machine."""
    monkeypatch.setattr(inversion, "ROUNDS", ((2, 12), (1, 24)))
    monkeypatch.setattr(inversion, "SECONDS", float("inf"))


def open_search(tab) -> None:
    if not tab.locator("#find-file").is_visible():
        tab.get_by_role("button", name="Find my pet").click()


def fetch(tab, selector: str) -> Image.Image:
    return Image.open(io.BytesIO(tab.request.get(tab.locator(selector).get_attribute("src")).body())).convert("RGB")


def test_a_photograph_is_cropped_found_and_explored(tab, draw_face, tmp_path):
    draw_face(3, (300, 200)).save(tmp_path / "my pet.png")
    open_search(tab)
    tab.locator("#find-file input[type=file]").set_input_files(tmp_path / "my pet.png")
    tab.locator("#find-pictures img").wait_for()
    before = tab.locator("#find-pictures img").get_attribute("src")
    tab.locator("#find-zoom input[type=range]").press("ArrowRight")
    tab.wait_for_function("old => document.querySelector('#find-pictures img').src !== old", arg=before)
    tab.locator("#find-start").click()
    tab.locator("#find-said", has_text="The nearest of the seeds 0-63").wait_for()
    assert tab.locator("#find-pictures .found img").count() == 2
    assert tab.locator("#find-pictures .found-strip img").count() == 8
    check_accessible(tab)
    link = parse(tab.locator("#find-said a").get_attribute("href"))
    tab.locator("#find-use").click()
    tab.get_by_role("heading", name="Around found").wait_for()
    name = tab.locator("#seeds input, #seeds textarea").input_value()
    wait_for(tab, tab="generate", seeds=name, face=name)
    assert name.startswith("z") and len(name) == 268 and link["compare_seeds"] == name


def test_a_found_face_is_a_face_like_any_other(tab):
    name = encode_latent(latent(1))
    follow(tab, f"seeds={name}&face={name}")
    value = "([end, name]) => document.querySelector(`#walk-${end} :is(input, textarea)`).value === name"
    tab.wait_for_function(value, arg=["from", name])
    tab.get_by_role("button", name="right").click()
    tab.locator("#own-said", has_text="x0.25y0").wait_for()
    tab.locator("#own-to").click()
    tab.wait_for_function(value, arg=["to", f"{name}x0.25y0"])
    tab.locator("#walk").click()
    tab.locator("#film img").wait_for()
    follow(tab, f"compare=cats-teacher,cats-student&compare_seeds={name}")
    tab.locator("#pair-title", has_text="Found").wait_for()
    tab.get_by_role("tab", name="Generate").click()


def test_what_is_no_photograph_is_a_sentence(tab, tmp_path):
    (tmp_path / "notes.txt").write_text("hi")
    open_search(tab)
    tab.locator("#find-file input[type=file]").set_input_files(tmp_path / "notes.txt")
    tab.locator("#find-problem", has_text="notes.txt cannot be used: it is not a picture").wait_for()


def test_a_cell_of_the_map_is_enlarged_saved_and_linked(tab, visit):
    draw_first_faces(tab)
    tab.locator("#faces button").nth(6).click()
    tab.locator("#own-said", has_text="seed 6").wait_for()
    assert tab.locator("#walk-from input, #walk-from textarea").input_value() == "6"
    tab.locator("#map button").nth(14).click()
    tab.locator("#own-said", has_text="x6.5y0").wait_for()
    wait_for(tab, tab="generate", face="x6.5y0")
    shown = fetch(tab, "#own-face img")
    assert shown.size == (512, 512)
    with tab.expect_download() as download:
        tab.locator("#own-save").click()
    assert download.value.suggested_filename == "cats-teacher-x6.5y0.png"
    with Image.open(download.value.path()) as saved:
        assert np.array_equal(np.asarray(saved.convert("RGB")), np.asarray(shown))
    with visit(tab.url) as again:
        again.locator("#own-said", has_text="x6.5y0").wait_for()
    check_accessible(tab)


def test_a_program_finds_the_face_too(tiny_page, draw_face, tmp_path):
    draw_face(3, (300, 200)).save(tmp_path / "my pet.png")
    client = Client(tiny_page.local_url, verbose=False, download_files=str(tmp_path))
    found = client.predict(handle_file(tmp_path / "my pet.png"), "cats-teacher", zoom=1.5, api_name="/find")
    assert parse_faces(found["face"], 1) and found["distance"] > 0 and "nearest of the seeds 0-63" in found["status"]
    with Image.open(found["picture"]) as picture:
        assert picture.size == (32, 32)
    for values, sentence in (({"zoom": 99.0}, "'zoom' must be"), ({"model": "x"}, "Unknown model"), ({}, "upload one")):
        photograph = {"photograph": handle_file(tmp_path / "my pet.png")} if values else {}
        with pytest.raises(AppError, match=sentence):
            client.predict(**photograph, **values, api_name="/find")
