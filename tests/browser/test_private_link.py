"""The private link in a real browser."""


def test_the_private_link_makes_this_browser_private_and_leaves_no_token(tiny_page, browser):
    requests = []
    with browser.new_page() as tab:
        tab.on("request", lambda request: requests.append(request))
        tab.goto(tiny_page.local_url)
        tab.get_by_role("tab", name="Train").click()
        tab.locator("#limits", has_text="open the private link").wait_for()
        tab.goto(f"{tiny_page.local_url}private#{tiny_page.token}")
        tab.wait_for_url(tiny_page.local_url)
        tab.locator("#facts", has_text="16 faces").wait_for()
        tab.get_by_role("tab", name="Train").click()
        tab.locator("#limits").wait_for(state="hidden")
        tab.locator("#train-data input").click()
        tab.get_by_role("option", name="A folder on this machine").wait_for()
        tab.get_by_role("tab", name="Generate").click()
        tab.locator("#dice").click()
        tab.wait_for_function("document.location.search.includes('seeds')")
        assert tiny_page.token not in tab.url and tiny_page.token not in tab.content()
        assert not tab.evaluate("document.cookie") and not tab.evaluate("document.referrer")
        tab.go_back()
        assert tiny_page.token not in tab.url
    sent = [request for request in requests if not request.is_navigation_request()]
    assert any(request.url.endswith("/private") for request in sent)
    assert not any(tiny_page.token in request.url for request in sent)
    assert not any(tiny_page.token in request.headers.get("referer", "") for request in requests)
    [cookie] = [each for each in browser.cookies(tiny_page.local_url) if each["value"] == tiny_page.token]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"


def test_a_wrong_private_link_is_one_sentence(tiny_page, browser):
    with browser.new_page() as tab:
        tab.goto(f"{tiny_page.local_url}private#guessed")
        tab.get_by_text("This link is not valid; open the one").wait_for()
        assert "guessed" not in tab.url
