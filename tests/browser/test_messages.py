"""Sentences on the page: text from outside is never markup, and an error stays beside its control."""

import pytest

from tests.browser.conftest import follow

ELSEWHERE = "http://192.0.2.1/face.png"  # an address that nobody has
MARKUP = f"<i@@><a href={ELSEWHERE}><img src={ELSEWHERE}></a>![x]({ELSEWHERE})[y]({ELSEWHERE})"
PARAMETERS = {  # with what else is in the link
    "model": "",
    "seeds": "",
    "scale": "",
    "compare": "",
    "compare_seeds": "&compare=cats-teacher,cats-student",
    "pair": "&compare=cats-teacher,cats-student",
    "pair_seed": "&compare=cats-teacher,cats-student",
    "face": "&seeds=0",
    "train": "",
    "fid": "",
    "fid_n": "&tab=fid",
    "fid_reference": "&tab=fid",
    "live": "",
    "lab": "",
    "lab_settings": "&lab=q-learning",
    "tab": "",
}
SILENT = {"scale", "pair", "pair_seed", "tab"}  # the default is shown instead


def test_an_error_leaves_the_faces_and_stays_until_the_next_try(tab):
    seeds = tab.locator("#seeds input, #seeds textarea")
    seeds.fill("5-2")
    seeds.press("Enter")
    problem = tab.locator("#generate-problem [role=alert]")
    problem.wait_for()
    assert problem.inner_text() == "The range 5-2 runs backwards; write 2-5."
    assert not tab.locator(".toast-body").count()
    assert tab.locator("#faces img").count() == 16
    assert not tab.locator(".wrap > .error:visible").count()
    box = tab.locator("#faces").bounding_box()
    top = tab.evaluate("([x, y]) => !!document.elementFromPoint(x, y).closest('.thumbnail-item')", [box["x"] + 40, 300])
    assert top, "something covers the faces"
    tab.wait_for_timeout(11_000)  # longer than Gradio shows a message
    assert problem.is_visible()
    seeds.fill("2-5")
    seeds.press("Enter")
    problem.wait_for(state="detached")
    tab.wait_for_function("document.querySelectorAll('#faces img').length === 4")


def test_errors_of_the_other_tabs_stand_beside_their_controls(tab):
    tab.get_by_role("tab", name="Compare").click()
    tab.locator("#distances", has_text="Cosine").wait_for()
    tab.locator("#compare-seeds input, #compare-seeds textarea").fill("a")
    tab.locator("#compare").click()
    tab.locator("#compare-problem [role=alert]", has_text="'a' is not a seed").wait_for()
    assert tab.locator("#compared img").count() == 16
    tab.get_by_role("tab", name="Train").click()
    tab.locator("#train-minutes input").fill("10")
    tab.locator("#train-cost").click()
    tab.locator("#estimate-problem", has_text="10 min are too long").wait_for()
    tab.locator("#train-start").click()
    tab.locator("#start-problem", has_text="10 min are too long").wait_for()
    tab.get_by_role("tab", name="FID").click()
    tab.locator("#fid-models input:checked").uncheck()
    tab.locator("#measure").click()
    tab.locator("#fid-problem [role=alert]").wait_for()


@pytest.mark.parametrize("name", PARAMETERS)
def test_markup_in_a_link_is_shown_as_text_and_loads_nothing(name, tab):
    tab.get_by_role("tab", name="Generate").click()
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    markup = MARKUP.replace("@@", name).replace("[", "%5B").replace("]", "%5D")
    follow(tab, f"{name}={markup}{PARAMETERS[name]}")
    if name == "fid_n":  # the default is shown, on a tab without pictures
        tab.locator("#measure").wait_for()
    elif name in SILENT:
        tab.locator("img:visible").first.wait_for()
    else:
        tab.locator(".toast-body, .sentence", has_text=f"<i{name}>").first.wait_for()
    assert not tab.locator("img[src*='192.0.2.1'], a[href*='192.0.2.1']").count()
    assert not [url for url in requests if url.startswith(ELSEWHERE)]
