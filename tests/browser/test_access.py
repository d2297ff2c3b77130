"""The page for those who hear it, and for those who use the keyboard alone."""

import pytest

from tests.browser import tabs

MOST_KEYS = 80
SEEN = "({ outlineStyle, boxShadow }) => outlineStyle !== 'none' || boxShadow !== 'none'"
# the first action of each tab, and what is to be seen once it was pressed
ACTIONS = {
    "Generate": ("#draw", "#facts", "16 faces"),
    "Compare": ("#compare", "#compare-facts", "16 faces"),
    "Train": ("#train-cost", "#train-said", "A step takes"),
    "FID": ("#measure", "#fid-status progress", ""),
}


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request, browser, filled):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(filled)
    yield page
    context.close()


@pytest.mark.parametrize("name", tabs.FILL)
def test_axe_finds_nothing_serious(page, name):
    driver = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    tabs.show(page, name)
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
def test_the_first_action_of_a_tab_is_reached_and_pressed_by_keys(browser, filled, name):
    button, place, text = ACTIONS[name]
    page = browser.new_page()
    page.goto(filled)
    page.locator("#faces img").nth(15).wait_for()
    reach(page, page.get_by_role("tab", name=name, exact=True))
    page.keyboard.press("Enter")
    reach(page, page.locator(button))
    page.keyboard.press("Enter")
    page.locator(place, has_text=text).wait_for()
    page.close()
