"""The tab Generate in use."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganopt.metrics import eyes
from ganopt.models import model_cache, zoo
from ganopt.models.devices import pick_device
from ganopt.models.latents import parse_seeds
from tests.browser.conftest import draw_first_faces, draw_seeds, resized

MODEL = next(iter(zoo.catalogue()), "")
pytestmark = pytest.mark.skipif(not MODEL, reason="checkpoints/ contains no models")


def captions(page) -> list[str]:
    return page.locator("#faces .caption-label").all_inner_texts()


def pixels(page, gallery: str, index: int) -> np.ndarray:
    """A face as the browser received it, (H, W, 3)."""
    address = page.locator(f"{gallery} img").nth(index).get_attribute("src")
    answer = page.request.get(address)
    assert answer.ok and answer.body().startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(answer.body())))


def drawn(seeds: list[int], scale: float = 1.0) -> np.ndarray:
    """The same faces, drawn by the test, (N, H, W, 3)."""
    return model_cache.faces(MODEL, pick_device("cpu"), seeds, scale).pictures.permute(0, 2, 3, 1).numpy()


def same(shown: np.ndarray, expected: np.ndarray) -> bool:
    """Equal except for the last bit of a byte: the order of sums depends on threads and batches."""
    return shown.shape == expected.shape and np.abs(shown.astype(int) - expected).max() <= 1


def test_the_page_opens_with_the_faces_of_the_first_seeds(page):
    assert captions(page) == [f"seed {seed}" for seed in range(16)]
    assert same(pixels(page, "#faces", 7), drawn(list(range(16)))[7])
    assert "16 faces in" in page.locator("#facts").inner_text()


def test_best_eyes_draws_the_best_of_four_times_as_many_random_seeds(page):
    page.evaluate("Math.random = () => 5e-6")  # the first seed is 5
    page.get_by_role("button", name="Best eyes").click()  # Random is patched until the page is loaded again
    page.wait_for_url(lambda url: "seeds=" in url, timeout=120_000)
    page.wait_for_function("document.querySelector('#faces .caption-label').innerText !== 'seed 0'", timeout=60_000)
    seeds = list(range(5, 69))
    faces = model_cache.faces(MODEL, pick_device("cpu"), seeds, 1.0).pictures
    expected = [seeds[index] for index in eyes.of_model(MODEL).best(faces, 16)]
    assert captions(page) == [f"seed {seed}" for seed in expected]
    assert parse_seeds(page.locator("#seeds input, #seeds textarea").input_value(), 16) == expected


def test_seeds_are_drawn_and_the_link_shows_them_again(page, server):
    draw_seeds(page, "3, 70-71", 3)
    page.wait_for_url(lambda url: "seeds=3" in url)
    assert captions(page) == ["seed 3", "seed 70", "seed 71"]
    shown = [pixels(page, "#faces", index) for index in range(3)]
    assert same(np.stack(shown), drawn([3, 70, 71]))
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_function("document.querySelectorAll('#faces img').length === 3")
    assert captions(page) == ["seed 3", "seed 70", "seed 71"]
    assert np.array_equal(pixels(page, "#faces", 1), shown[1])


def test_an_invalid_link_shows_the_default_and_says_why(visit, server):
    with visit(f"{server}/?model=../../etc/passwd&scale=nan&seeds=4") as page:
        page.get_by_text("in the link does not exist").wait_for()
        page.wait_for_function("document.querySelectorAll('#faces img').length === 1")
        assert captions(page) == ["seed 4"]


def test_invalid_seeds_are_a_sentence_and_the_page_still_works(page):
    invalid = (
        ("5-2", "runs backwards"),
        ("a", "'a' is not a seed"),
        ("-1", "'-1' is not a seed"),
        ("0-9999", "more than 64 seeds"),
        ("4294967296", "too large"),
        ("", "There are no seeds"),
    )
    for valid, (seeds, sentence) in enumerate(invalid, 8):
        page.locator("#seeds input, #seeds textarea").fill(seeds)
        page.get_by_role("button", name="Draw", exact=True).click()
        page.get_by_text(sentence).wait_for()
        assert "Traceback" not in page.content()
        draw_seeds(page, str(valid), 1)
        page.locator("#faces .caption-label", has_text=f"seed {valid}").wait_for()
        assert captions(page) == [f"seed {valid}"]


def test_random_seeds_are_as_many_as_requested(page):
    page.locator("#count input[type=number]").fill("5")
    page.locator("#count input[type=number]").press("Enter")
    page.get_by_role("button", name="Random").click()
    page.wait_for_function("document.querySelectorAll('#faces img').length === 5")
    page.wait_for_function("!document.querySelector('#faces .caption-label').innerText.match(/^seed [0-4]$/)")
    seeds = [int(caption.removeprefix("seed ")) for caption in captions(page)]
    assert seeds == list(range(seeds[0], seeds[0] + 5))


def test_a_clicked_face_opens_a_map_that_moves(page):
    draw_first_faces(page)
    page.locator("#faces button").nth(6).click()
    page.get_by_role("heading", name="Around seed 6").wait_for()
    page.locator("#map img").nth(24).wait_for()
    middle = pixels(page, "#map", 12)
    assert same(middle, drawn([6])[0])
    right = pixels(page, "#map", 13)
    before = page.locator("#map img").nth(12).get_attribute("src")
    page.get_by_role("button", name="right").click()
    page.wait_for_function("src => document.querySelectorAll('#map img')[12].src !== src", arg=before)
    assert np.array_equal(pixels(page, "#map", 12), right)


def test_a_walk_gives_a_film_and_its_frames(page):
    draw_first_faces(page)
    page.locator("#faces button").nth(2).click()
    page.get_by_role("heading", name="Around seed 2").wait_for()
    page.locator("#walk-to input, #walk-to textarea").fill("9")
    page.get_by_role("button", name="Walk", exact=True).click()
    film = page.locator("#film img")
    film.wait_for()
    with Image.open(io.BytesIO(page.request.get(film.get_attribute("src")).body())) as image:
        assert image.format == "WEBP" and image.n_frames == 24 + 22  # forwards and backwards
        first = np.asarray(image.convert("RGB"))
        image.seek(23)
        last = np.asarray(image.convert("RGB"))
    assert same(first, drawn([2])[0])
    assert same(last, drawn([9])[0])


def test_all_faces_can_be_downloaded_as_a_zip(page):
    draw_seeds(page, "1, 22", 2)
    with page.expect_download() as download:
        page.locator("#download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["seed-0001.png", "seed-0022.png", "sheet.png"]
        with archive.open("seed-0022.png") as file:
            assert same(np.asarray(Image.open(file)), drawn([1, 22])[1])


def test_a_phone_shows_whole_seeds_below_faces(page):
    with resized(page, 390):
        draw_seeds(page, "4294967292-4294967295", 4)
        cut = "labels => labels.filter(label => label.scrollWidth > label.clientWidth).map(label => label.innerText)"
        assert page.locator("#faces .caption-label").evaluate_all(cut) == []
        assert captions(page)[-1] == "seed 4294967295"


def test_a_phone_shows_faces_first_and_scrolls_in_one_direction(page):
    with resized(page, 390):
        draw_first_faces(page)
        page.locator("#faces button").first.click()
        page.locator("#map img").nth(24).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        tops = "['#faces', '#seeds'].map(id => document.querySelector(id).getBoundingClientRect().y)"
        faces, seeds = page.evaluate(tops)  # at once: the page may be scrolling
        assert faces < seeds
