"""Every tab, in light and dark, wide and narrow: how it looks, how it is read aloud, how it is used by keys.

Where the page was changed on purpose, `python -m tests.browser.renew` makes the pictures of it anew: look at them.
"""

import json

import pytest
from PIL import Image

from tests.browser import looks, tabs

MOVED = "#draw { transform: translateX(12px); }"
SMOOTHED = "body { -webkit-text-stroke: .15px; }"  # letters a little bolder, as another smoothing draws them
MOST_KEYS = 80
SEEN = "({ outlineStyle, boxShadow }) => outlineStyle !== 'none' || boxShadow !== 'none'"
# the first action of each tab, and what is to be seen once it was pressed
ACTIONS = {
    "Generate": ("#draw", "#facts", "16 faces"),
    "Compare": ("#compare", "#compare-facts", "16 faces"),
    "Train": ("#train-cost", "#train-said", "A step takes"),
    "FID": ("#measure", "#fid-status progress", ""),
}


@pytest.fixture(scope="module", params=looks.WINDOWS, ids=lambda window: "-".join(map(str, window)))
def window(request, browser, filled):
    """A window, its colours and its width."""
    with looks.window(browser, filled, *request.param) as page:
        yield page, *request.param


@pytest.mark.parametrize("tab", tabs.FILL)
def test_a_tab_looks_as_it_did(window, tab, tmp_path):
    page, scheme, width = window
    tabs.show(page, tab)
    expected, found = json.loads(looks.MADE_WITH.read_text()), looks.made_with(page)
    if expected != found:
        pytest.skip(f"the baselines were made with {expected}, and here is {found}")
    picture, hidden = looks.photograph(page)
    cells = looks.differing(picture, Image.open(looks.path(tab, scheme, width)), hidden)
    if cells.sum() > looks.MOST:
        picture.save(tmp_path / "now.png")
        Image.fromarray(cells).save(tmp_path / "differing.png")
        pytest.fail(f"{cells.sum()} cells differ, see {tmp_path}; if that is meant, python -m tests.browser.renew")


@pytest.mark.parametrize(("style", "is_told"), [(MOVED, True), (SMOOTHED, False)])
def test_a_button_that_moved_is_told_and_smoother_letters_are_not(window, style, is_told):
    page, _, _ = window
    tabs.show(page, "Generate")
    before, hidden = looks.photograph(page)
    added = page.add_style_tag(content=style)
    after, _ = looks.photograph(page)
    added.evaluate("style => style.remove()")
    assert before.tobytes() != after.tobytes()
    assert (looks.differing(before, after, hidden).sum() > looks.MOST) == is_told


@pytest.mark.parametrize("tab", tabs.FILL)
def test_a_tab_is_no_wider_than_its_window(window, tab):
    page, _, width = window
    tabs.show(page, tab)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("tab", tabs.FILL)
def test_axe_finds_nothing_serious(window, tab):
    driver = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    page, _, _ = window
    tabs.show(page, tab)
    found = driver.Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], node["target"], node["html"]) for each in serious for node in each["nodes"]]


def reach(page, target) -> None:
    """Press Tab until the target has the focus, which is to be seen then."""
    for _ in range(MOST_KEYS):
        if target.evaluate("target => target === document.activeElement"):
            break
        page.keyboard.press("Tab")
    else:
        pytest.fail(f"{MOST_KEYS} times Tab do not lead to {target}")
    assert page.evaluate(f"({SEEN})(getComputedStyle(document.activeElement))")


@pytest.mark.parametrize("name", ACTIONS)
def test_the_first_action_of_a_tab_is_reached_and_pressed_by_keys(visit, filled, name):
    button, place, text = ACTIONS[name]
    with visit(filled) as page:
        page.locator("#faces img").nth(15).wait_for()
        reach(page, page.get_by_role("tab", name=name, exact=True))
        page.keyboard.press("Enter")
        reach(page, page.locator(button))
        page.keyboard.press("Enter")
        page.locator(place, has_text=text).wait_for()
