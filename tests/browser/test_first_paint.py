"""What a page does before anybody touches it: it asks nobody else for anything, and stays where it is."""

import pytest

from tests.browser import tabs

WATCH = """
window.shift = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1  # cumulative: of the window's area times how far it moved


@pytest.fixture(params=[1280, 390])
def fresh(request, browser):
    """A fresh tab of a width, which adds up in `window.shift` what moves by itself."""
    context = browser.new_context(viewport={"width": request.param, "height": 844})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(WATCH)
    yield page
    context.close()


def test_the_page_stays_where_it_is_while_it_fills(fresh, filled):
    fresh.goto(filled)
    for name in ("Generate", "Compare", "Train", "About"):
        tabs.show(fresh, name)
        assert fresh.evaluate("window.shift") < MOST_SHIFT, name
        fresh.evaluate("window.shift = 0")


def test_nothing_comes_from_elsewhere_and_no_font_is_downloaded(fresh, filled):
    asked = []
    fresh.on("request", lambda request: asked.append(request))
    fresh.goto(filled)
    for name in ("Generate", "About"):
        tabs.show(fresh, name)
    addresses = [request.url for request in asked]
    assert any(address.startswith(f"{filled}/") for address in addresses)
    assert not [address for address in addresses if not address.startswith((f"{filled}/", "data:", "blob:"))]
    assert not [request.url for request in asked if request.resource_type == "font"]
