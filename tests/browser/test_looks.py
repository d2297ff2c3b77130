"""Every tab looks as it did: pictures of it are compared with the baselines.

Where the page was changed on purpose, `python -m tests.browser.renew` makes the baselines anew: look at them.
"""

import json

import pytest
from PIL import Image

from tests.browser import looks, tabs

MOVED = "#draw { transform: translateX(12px); }"
SMOOTHED = "body { -webkit-text-stroke: .15px; }"  # letters a little bolder, as another smoothing draws them


@pytest.fixture(scope="module", params=looks.WINDOWS, ids=lambda window: "-".join(map(str, window)))
def window(request, browser, filled):
    """A window, its colours and its width. Skips where other fonts or another Gradio make other pictures."""
    with looks.window(browser, filled, *request.param) as page:
        tabs.show(page, "Generate")
        expected, found = json.loads(looks.MADE_WITH.read_text()), looks.made_with(page)
        if expected != found:
            pytest.skip(f"the baselines were made with {expected}, and here is {found}")
        yield page, *request.param


@pytest.mark.parametrize("tab", tabs.FILL)
def test_a_tab_looks_as_it_did(window, tab, tmp_path):
    page, scheme, width = window
    tabs.show(page, tab)
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
