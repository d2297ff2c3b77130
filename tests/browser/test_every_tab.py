"""Every tab, in light and dark, wide and narrow: how it looks, how it is read aloud, how it is used by keys, and what
the page does before anybody touches it.

Where the page was changed on purpose, `python -m tests.browser.renew` makes the pictures of it anew: look at them.
"""

import contextlib
import functools
import json

import pytest
from PIL import Image

from ganopt.ui.about import FLAWS
from tests.browser import looks, tabs

WATCH = """
window.shift = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1  # cumulative: of the window's area times how far it moved

SHOWN = [(*window, tab) for window in looks.WINDOWS for tab in tabs.FILL]
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


def label(shown) -> str:
    """What stands for a window and a tab in the name of a test."""
    return "-".join(map(str, shown))


@pytest.fixture(scope="module")
def window(browser, filled):
    """Opens a window of some colours and a width, and closes the one before it."""
    with contextlib.ExitStack() as opened:

        @functools.lru_cache(maxsize=1)
        def open_window(scheme, width):
            opened.close()
            return opened.enter_context(looks.window(browser, filled, scheme, width))

        yield open_window


@pytest.fixture(scope="module", params=SHOWN, ids=label)
def shown(request, window):
    """A window that shows a tab; its colours, its width and the tab's name."""
    *colours_and_width, tab = request.param
    page = window(*colours_and_width)
    tabs.show(page, tab)
    return page, *request.param


@pytest.fixture(scope="module", params=[1280, 390])
def fresh(request, browser, filled):
    """A fresh page of a width, which adds up in `window.shift` what moves by itself, and what it asked for."""
    with browser.new_page() as page:
        page.set_viewport_size({"width": request.param, "height": looks.HEIGHT})
        page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.add_init_script(WATCH)
        asked = []
        page.on("request", lambda request: asked.append(request))
        page.goto(filled)
        yield page, asked


def test_the_page_stays_where_it_is_while_it_fills(fresh):
    page, _ = fresh
    for name in ("Generate", "Compare", "Train", "About"):
        tabs.show(page, name)
        assert page.evaluate("window.shift") < MOST_SHIFT, name
        page.evaluate("window.shift = 0")


def test_nothing_comes_from_elsewhere_and_no_font_is_downloaded(fresh, filled):
    page, asked = fresh
    for name in ("Generate", "About"):
        tabs.show(page, name)
    addresses = [request.url for request in asked]
    assert any(address.startswith(f"{filled}/") for address in addresses)
    assert not [address for address in addresses if not address.startswith((f"{filled}/", "data:", "blob:"))]
    assert not [request.url for request in asked if request.resource_type == "font"]


def test_a_tab_looks_as_it_did(shown, tmp_path):
    page, scheme, width, tab = shown
    expected, found = json.loads(looks.MADE_WITH.read_text()), looks.made_with(page)
    if expected != found:
        pytest.skip(f"the baselines were made with {expected}, and here is {found}")
    picture, hidden = looks.photograph(page)
    cells = looks.differing(picture, Image.open(looks.path(tab, scheme, width)), hidden)
    if cells.sum() > looks.MOST:
        picture.save(tmp_path / "now.png")
        Image.fromarray(cells).save(tmp_path / "differing.png")
        pytest.fail(f"{cells.sum()} cells differ, see {tmp_path}; if that is meant, python -m tests.browser.renew")


@pytest.mark.parametrize("shown", [each for each in SHOWN if "Generate" in each], indirect=True, ids=label)
def test_a_button_that_moved_is_told_and_smoother_letters_are_not(shown):
    page, *_ = shown
    before, hidden = looks.photograph(page)
    for style, is_told in ((MOVED, True), (SMOOTHED, False)):
        added = page.add_style_tag(content=style)
        after, _ = looks.photograph(page)
        added.evaluate("style => style.remove()")
        assert before.tobytes() != after.tobytes()
        assert (looks.differing(before, after, hidden).sum() > looks.MOST) == is_told


def test_a_tab_is_no_wider_than_its_window(shown):
    page, _, width, _ = shown
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_axe_finds_nothing_serious(shown):
    driver = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    page, *_ = shown
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


@pytest.fixture(scope="module")
def untouched(visit, filled):
    """The page in a window that only keys are used on."""
    with visit(filled) as page:
        page.locator("#faces img").nth(15).wait_for()
        yield page


@pytest.mark.parametrize("name", ACTIONS)
def test_the_first_action_of_a_tab_is_reached_and_pressed_by_keys(untouched, name):
    button, place, text = ACTIONS[name]
    reach(untouched, untouched.get_by_role("tab", name=name, exact=True))
    untouched.keyboard.press("Enter")
    reach(untouched, untouched.locator(button))
    untouched.keyboard.press("Enter")
    untouched.locator(place, has_text=text).wait_for()


def test_about_explains_names_its_sources_and_shows_faces_with_faults_larger_when_clicked(untouched):
    tabs.show(untouched, "About")
    captions = untouched.locator("#flaws .caption-label").all_inner_texts()
    assert captions == [f"seed {seed}: {text}" for seed, text in FLAWS.items()]
    for heading in ("How it works", "Sources"):
        assert untouched.get_by_role("heading", name=heading).is_visible()
    assert untouched.locator(".measured table:visible").count()
    small = untouched.locator("#flaws .thumbnail-item img").first
    width = small.bounding_box()["width"]
    small.click()
    large = untouched.locator("#flaws .preview .media-button img")
    large.wait_for()
    assert large.bounding_box()["width"] > width
    untouched.keyboard.press("Escape")
    large.wait_for(state="detached")
