"""Every tab in light and dark mode, wide and narrow: its look, accessibility, use by keyboard, and layout shifts.

After an intended change of the page, renew the baselines with `python -m tests.browser.renew`, and look at them.
"""

import contextlib
import functools
import json
from typing import Any, NamedTuple

import pytest
from PIL import Image

from ganopt.ui.about import FLAWS
from tests.browser import looks, tabs
from tests.browser.conftest import check_accessible

WATCH = """
window.shift = 0;
window.shifted = [];
const nameOf = node => node && (node.id || node.className || node.nodeName);
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.shift += entry.value;
    window.shifted.push([entry.value, ...entry.sources.map(({ node }) => nameOf(node))]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1  # cumulative layout shift

SHOWN = [(*window, tab) for window in looks.WINDOWS for tab in tabs.FILL]
MOVED = "#draw { transform: translateX(12px); }"
SMOOTHED = "body { -webkit-text-stroke: .15px; }"  # slightly bolder letters, like a different smoothing
MOST_KEYS = 80
VISIBLE_FOCUS = "({ outlineStyle, boxShadow }) => outlineStyle !== 'none' || boxShadow !== 'none'"
# for the first action of each tab: its button, and the element and text that it shows
ACTIONS = {
    "Generate": ("#draw", "#facts", "16 faces"),
    "Compare": ("#compare", "#compare-facts", "16 faces"),
    "Train": ("#train-cost", "#train-estimate", "A step takes"),
    "FID": ("#measure", "#fid-status progress", ""),
    "Lab": ("#open-q-learning", "#lab-status", "A finished run"),
}


def label(shown) -> str:
    """A window and a tab in the name of a test."""
    return "-".join(map(str, shown))


def each_window(*names: str) -> list[tuple]:
    """Some tabs in each window."""
    return [each for each in SHOWN if each[-1] in names]


class Shown(NamedTuple):
    """A window that shows a tab, and what has happened while it was opened, the first one together with the page."""

    page: Any
    scheme: str
    width: int
    tab: str
    shift: float  # of the layout
    shifted: list  # what was shifted
    requests: list


@pytest.fixture(scope="module")
def window(browser, filled):
    """Opens a window with a colour scheme and a width, and closes the previous one. Also gives its requests."""
    with contextlib.ExitStack() as opened:

        @functools.lru_cache(maxsize=1)
        def open_window(scheme, width):
            opened.close()
            page = opened.enter_context(looks.window(browser, scheme, width))
            tools = page.context.new_cdp_session(page)
            tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
            tools.send("Emulation.setCPUThrottlingRate", {"rate": 2})  # as on a phone, where parts appear one by one
            page.add_init_script(WATCH)
            requests: list = []
            page.on("request", lambda request: requests.append(request))
            page.goto(filled)
            page.locator("#faces img").nth(15).wait_for()
            tools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
            return page, requests

        yield open_window


@pytest.fixture(scope="module", params=SHOWN, ids=label)
def shown(request, window):
    scheme, width, tab = request.param
    page, requests = window(scheme, width)
    tabs.show(page, tab)
    yield Shown(page, scheme, width, tab, *page.evaluate("[window.shift, window.shifted]"), [*requests])
    page.evaluate("window.shift = 0; window.shifted = []")
    requests.clear()


def test_a_tab_looks_like_its_baseline(shown, tmp_path):
    page, scheme, width, tab, *_ = shown
    expected, found = json.loads(looks.MADE_WITH.read_text()), looks.made_with(page)
    if expected != found:
        pytest.skip(f"the baselines were made with {expected}, not with {found}")
    picture, hidden = looks.screenshot(page)
    cells = looks.differing(picture, Image.open(looks.path(tab, scheme, width)), hidden)
    if cells.sum() > looks.MOST:
        picture.save(tmp_path / "now.png")
        Image.fromarray(cells).save(tmp_path / "differing.png")
        pytest.fail(
            f"{cells.sum()} cells differ, see {tmp_path}; if this is intended, run python -m tests.browser.renew"
        )


@pytest.mark.parametrize("shown", each_window("Generate"), indirect=True, ids=label)
def test_a_moved_button_is_detected_and_bolder_letters_are_not(shown):
    page, *_ = shown
    before, hidden = looks.screenshot(page)
    for style, is_detected in ((MOVED, True), (SMOOTHED, False)):
        added = page.add_style_tag(content=style)
        after, _ = looks.screenshot(page)
        added.evaluate("style => style.remove()")
        assert before.tobytes() != after.tobytes()
        assert (looks.differing(before, after, hidden).sum() > looks.MOST) == is_detected


def test_a_tab_is_not_wider_than_its_window(shown):
    assert shown.page.evaluate("document.documentElement.scrollWidth") == shown.width


def test_axe_finds_nothing_serious(shown):
    check_accessible(shown.page)


@pytest.mark.parametrize("shown", each_window("Generate", "Compare", "Train", "About"), indirect=True, ids=label)
def test_the_layout_does_not_shift_while_a_tab_is_opened(shown):
    assert shown.shift < MOST_SHIFT, shown.shifted


@pytest.mark.parametrize("shown", each_window("Generate", "About"), indirect=True, ids=label)
def test_nothing_is_loaded_from_other_servers_and_no_font_is_downloaded(shown, filled):
    addresses = [request.url for request in shown.requests]
    assert any(address.startswith(f"{filled}/") for address in addresses)
    assert not [address for address in addresses if not address.startswith((f"{filled}/", "data:", "blob:"))]
    assert not [request.url for request in shown.requests if request.resource_type == "font"]


def reach(page, target) -> None:
    """Press the Tab key until the target has the focus, and check that the focus is visible."""
    for _ in range(MOST_KEYS):
        if target.evaluate("target => target === document.activeElement"):
            break
        page.keyboard.press("Tab")
    else:
        pytest.fail(f"{target} is not reached by pressing Tab {MOST_KEYS} times")
    assert page.evaluate(f"({VISIBLE_FOCUS})(getComputedStyle(document.activeElement))")


@pytest.fixture(scope="module")
def keyboard_only(visit, filled):
    """The page in a window that is used by keyboard only."""
    with visit(filled) as page:
        page.locator("#faces img").nth(15).wait_for()
        yield page


@pytest.mark.parametrize("name", ACTIONS)
def test_the_first_action_of_a_tab_works_by_keyboard(keyboard_only, name):
    button, place, text = ACTIONS[name]
    reach(keyboard_only, keyboard_only.get_by_role("tab", name=name, exact=True))
    keyboard_only.keyboard.press("Enter")
    reach(keyboard_only, keyboard_only.locator(button))
    keyboard_only.keyboard.press("Enter")
    keyboard_only.locator(place, has_text=text).wait_for()
    if name == "FID":  # or it would go on during the next tests
        keyboard_only.locator("#fid-stop").press("Enter")
        keyboard_only.locator("#fid-status", has_text="Stopped").wait_for()


def test_about_has_all_parts_and_enlarges_a_clicked_face(keyboard_only):
    tabs.show(keyboard_only, "About")
    captions = keyboard_only.locator("#flaws .caption-label").all_inner_texts()
    assert captions == [f"seed {seed}: {text}" for seed, text in FLAWS.items()]
    for heading in ("How it works", "Sources"):
        assert keyboard_only.get_by_role("heading", name=heading).is_visible()
    assert keyboard_only.locator(".measured table:visible").count()
    small = keyboard_only.locator("#flaws .thumbnail-item img").first
    width = small.bounding_box()["width"]
    small.click()
    large = keyboard_only.locator("#flaws .preview .media-button img")
    large.wait_for()
    assert large.bounding_box()["width"] > width
    keyboard_only.keyboard.press("Escape")
    large.wait_for(state="detached")
