"""Whatever is drawn is what the field, the captions and the address say, also when answers are slow."""

import time

import pytest

from ganopt.ui import gpu, requests
from tests.browser.conftest import draw_first_faces

SLOW = 1.0  # seconds that a drawing takes longer


@pytest.fixture
def slow(monkeypatch):
    for name in ("faces", "face_map", "compare"):
        draw = getattr(gpu, name)
        monkeypatch.setattr(gpu, name, lambda *values, draw=draw: (time.sleep(SLOW), draw(*values))[1])


def agree(tab, count: int) -> str:
    """JavaScript for whether the captions, the field and the address contain the same range of seeds."""
    return f"""() => {{
      const seeds = document.querySelector('#seeds input, #seeds textarea').value;
      const captions = [...document.querySelectorAll('#faces .caption-label')].map(each => each.innerText.trim());
      const first = Number(seeds.split('-')[0]);
      const drawn = Array.from({{ length: {count} }}, (_, index) => `seed ${{first + index}}`);
      const said = new URLSearchParams(location.search).get('seeds');
      return first && said === seeds && captions.join() === drawn.join();
    }}"""


def test_random_pressed_twice_shows_the_faces_of_the_second_seeds(tab, slow):
    dice = tab.locator("#dice")
    dice.click()
    tab.wait_for_timeout(300)
    dice.click()
    tab.wait_for_timeout(2500 * SLOW)  # or the first answer alone could agree
    tab.wait_for_function(agree(tab, 16))


def test_the_number_of_faces_is_that_of_the_last_change(tab, slow):
    tab.locator("#dice").click()
    number = tab.locator("#count input[type=number]")
    for count in ("2", "3", "5"):
        number.fill(count)
        number.press("Tab")
    tab.wait_for_function(agree(tab, 5))


def test_seeds_typed_during_a_drawing_are_drawn_after_it(tab, slow):
    seeds = tab.locator("#seeds input, #seeds textarea")
    for text in ("7", "70-72", "8-9"):
        seeds.fill(text)
        seeds.press("Enter")
    tab.wait_for_function(agree(tab, 2))
    assert tab.locator("#faces .caption-label").all_inner_texts() == ["seed 8", "seed 9"]


def test_seeds_that_are_typed_but_not_drawn_are_not_in_the_address(tab, slow):
    before = tab.url
    tab.locator("#dice").click()
    tab.locator("#seeds input, #seeds textarea").fill("5-6")
    tab.wait_for_function("before => location.href !== before", arg=before)
    drawn = tab.locator("#faces .caption-label").first.inner_text().removeprefix("seed ")
    assert tab.evaluate("new URLSearchParams(location.search).get('seeds')").startswith(f"{drawn}-")


def test_each_press_of_an_arrow_moves_the_map(tab, slow):
    draw_first_faces(tab)
    tab.locator("#faces button").nth(6).click()
    tab.locator("#map img").nth(24).wait_for()
    shown = tab.locator("#map img").evaluate_all("all => all.map(each => each.src)")
    for _ in range(3):
        tab.get_by_role("button", name="right").click()
    tab.wait_for_function("src => document.querySelectorAll('#map img')[10].src === src", arg=shown[13])


def test_the_pair_is_that_of_the_last_clicked_face(tab, slow):
    tab.get_by_role("tab", name="Compare").click()
    tab.locator("#distances", has_text="Cosine").wait_for()
    for index in (3, 5, 9):
        tab.locator("#compared button").nth(index).click()
    tab.locator("#pair-title", has_text="Seed 4:").wait_for()
    tab.wait_for_function("new URLSearchParams(location.search).get('pair_seed') === '4'")


def test_a_late_estimate_leaves_the_answer_to_start(tab, monkeypatch):
    def estimate(*_):
        time.sleep(SLOW)
        yield "A step takes 1 s."

    monkeypatch.setattr(requests, "estimate", estimate)
    monkeypatch.setattr(requests, "start", lambda *_: ("'b' is waiting for 'a'.", "b"))
    tab.get_by_role("tab", name="Train").click()
    tab.locator("#train-cost").click()
    tab.locator("#train-start").click()
    tab.locator("#train-estimate", has_text="A step takes").wait_for()
    assert tab.locator("#train-said").inner_text() == "'b' is waiting for 'a'."
