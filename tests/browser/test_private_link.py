"""The private link and links with markup, in a real browser."""

import pytest

from ganopt import ui
from ganopt.ui import build_app

ELSEWHERE = "http://192.0.2.1/face.png"  # an address that nobody has
MARKUP = f"<img src={ELSEWHERE}>"


@pytest.fixture(scope="module")
def page(tmp_path_factory, three_models):
    folder = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(three_models))
        patch.setenv("GANOPT_RUNS", str(folder / "runs"))
        patch.delenv("GANOPT_PRIVATE", raising=False)
        page = build_app("cpu")
        ui.launch(page, prevent_thread_lock=True, quiet=True)
        yield page
        page.close()


def test_the_private_link_makes_this_browser_private_and_leaves_no_token(page, browser):
    requests = []
    with browser.new_page() as tab:
        tab.on("request", lambda request: requests.append(request))
        tab.goto(page.local_url)
        tab.get_by_role("tab", name="Train").click()
        tab.locator("#limits", has_text="open the private link").wait_for()
        tab.goto(f"{page.local_url}private#{page.token}")
        tab.wait_for_url(page.local_url)
        tab.locator("#facts", has_text="16 faces").wait_for()
        tab.get_by_role("tab", name="Train").click()
        tab.locator("#limits").wait_for(state="hidden")
        tab.locator("#train-data input").click()
        tab.get_by_role("option", name="A folder on this machine").wait_for()
        tab.get_by_role("tab", name="Generate").click()
        tab.locator("#dice").click()
        tab.wait_for_function("document.location.search.includes('seeds')")
        assert page.token not in tab.url and page.token not in tab.content()
        assert not tab.evaluate("document.cookie") and not tab.evaluate("document.referrer")
        tab.go_back()
        assert page.token not in tab.url
    sent = [request for request in requests if not request.is_navigation_request()]
    assert any(request.url.endswith("/private") for request in sent)
    assert not any(page.token in request.url for request in sent)
    assert not any(page.token in request.headers.get("referer", "") for request in requests)
    [cookie] = [each for each in browser.cookies(page.local_url) if each["value"] == page.token]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"


def test_a_wrong_private_link_is_one_sentence(page, browser):
    with browser.new_page() as tab:
        tab.goto(f"{page.local_url}private#guessed")
        tab.get_by_text("This link is not valid; open the one").wait_for()
        assert "guessed" not in tab.url


@pytest.mark.parametrize("query", ["seeds", "model", "compare", "train"])
def test_markup_in_a_link_is_shown_as_text_and_loads_nothing(query, page, browser):
    requests: list[str] = []
    with browser.new_page() as tab:
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(f"{page.local_url}?{query}={MARKUP}")
        tab.locator(".toast-body", has_text="<img").first.wait_for()
        assert not tab.locator(f"img[src='{ELSEWHERE}']").count()
    assert not [url for url in requests if url.startswith(ELSEWHERE)]
