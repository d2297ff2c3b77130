"""The tab Compare in use, with three tiny models."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganopt.models.devices import pick_device
from ganopt.thesis import comparison as comparing
from ganopt.ui import compare as pair_view
from ganopt.ui.pair import describe_pair
from tests.browser import tabs
from tests.browser.conftest import follow, resized

CPU = pick_device("cpu")


@pytest.fixture(scope="module")
def requests() -> list[str]:
    """The bodies of the requests of the shared tab."""
    return []


@pytest.fixture(scope="module")
def compared(visit, tiny_page, requests):
    """A tab with the page, whose first comparison is being drawn; the tests share it."""
    with visit("about:blank") as page:
        page.on("request", lambda request: requests.append(request.post_data or ""))
        page.goto(tiny_page.local_url)
        page.locator("#faces img").nth(15).wait_for()
        assert any("0-15" in text for text in requests)
        assert not page.locator("#compared img").count()
        page.get_by_role("tab", name="Compare").click()
        wait_for(page, 16, 0)
        yield page


def wait_for(page, count: int, seed: int) -> None:
    """Wait for a number of faces and for the pair of a seed."""
    page.wait_for_function("count => document.querySelectorAll('#compared img').length === count", arg=count)
    page.locator("#pair-title", has_text=f"Seed {seed}:").wait_for()


def compare(page, seeds: str) -> None:
    page.locator("#compare-seeds input, #compare-seeds textarea").fill(seeds)
    page.locator("#compare").click()


def captions(page) -> list[str]:
    return page.locator("#compared .caption-label").all_inner_texts()


def pixels(page, image) -> np.ndarray:
    """A picture as the browser received it, (H, W, 3)."""
    answer = page.request.get(image.get_attribute("src"))
    assert answer.ok and answer.body().startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(answer.body()))).astype(int)


def drawn(models: list[str], seeds: list[int]) -> np.ndarray:
    """The same faces, drawn by the test, (models, seeds, H, W, 3)."""
    return comparing.compare(models, CPU, seeds).pictures.permute(0, 1, 3, 4, 2).numpy().astype(int)


def test_nothing_is_compared_before_the_tab_is_opened(compared, requests):
    assert sum('"0-7"' in text and '"value":"Compare"' in text for text in requests) == 1


def test_the_first_choice_is_drawn_when_the_tab_is_opened(compared):
    assert [text.split(" · ")[0] for text in captions(compared)] == [f"seed {n // 2}" for n in range(16)]
    assert [("L1" in text) for text in captions(compared)] == [False, True] * 8
    expected = drawn(["cats-teacher", "cats-student"], list(range(8)))
    for index in (0, 7):
        shown = pixels(compared, compared.locator("#compared img").nth(index))
        assert np.abs(shown - expected[index % 2, index // 2]).max() <= 1
    headings = compared.locator(".heads > div").all_inner_texts()
    assert "Cats, <teacher>" in headings[0] and "fid500 40.00, cats" in headings[0]
    assert all("ms a face on cpu, measured here" in heading for heading in headings)  # not all have a recorded latency
    assert "fid500 + 10" in compared.locator(".savings").inner_text()
    assert "Cats, Student" in headings[1] and "fid500 50.00" in headings[1]
    for index in range(2):
        heading, face = compared.locator(".heads > div").nth(index), compared.locator("#compared img").nth(index)
        middles = [box["x"] + box["width"] / 2 for box in (heading.bounding_box(), face.bounding_box())]
        assert abs(middles[0] - middles[1]) < 2
    plot = compared.get_by_role("img", name="fid500 against cats")
    assert {"cats-teacher", "cats-student", "real against real 20.00"} <= set(plot.locator("text").all_text_contents())


def test_a_clicked_face_is_compared_with_that_of_the_first_model(compared):
    compared.locator("#compared button").nth(7).click()  # the student's seed 3
    wait_for(compared, 16, 3)
    compared.locator("#difference img").wait_for()
    first, second = drawn(["cats-teacher", "cats-student"], [3])[:, 0]
    images = compared.locator("#wipe img")
    shown = [pixels(compared, images.nth(index)) for index in range(2)]
    assert sorted(np.abs(each - first).max() <= 1 for each in shown) == [False, True]
    assert sorted(np.abs(each - second).max() <= 1 for each in shown) == [False, True]
    text = compared.locator("#distances").inner_text()
    assert captions(compared)[7].split()[-1] in text and "Cosine 0." in text


def test_the_same_comparison_is_drawn_and_described_again(compared, monkeypatch):
    described = []
    monkeypatch.setattr(pair_view, "describe_pair", lambda *given: described.append(1) or describe_pair(*given))
    for count in (1, 2):  # in the meantime, a run that is compared may have been trained further
        compared.locator("#compare").click()
        wait_for(compared, 16, 0)
        while len(described) < count:
            compared.wait_for_timeout(50)


def test_an_invalid_link_shows_the_first_choice_and_says_why(compared):
    follow(compared, "compare=../../etc/passwd&compare_seeds=6")
    compared.get_by_text("in the link does not exist").wait_for()
    wait_for(compared, 2, 6)


def test_invalid_seeds_are_a_sentence_and_the_page_still_works(compared):
    compare(compared, "0-16")
    compared.get_by_text("more than 16 seeds").wait_for()
    assert "Traceback" not in compared.content()
    compare(compared, "9")
    wait_for(compared, 2, 9)


def test_the_sheet_is_downloaded_and_reproducible(compared):
    sheets = []
    for seeds, count in (("0-7", 16), ("5", 2), ("0-7", 16)):
        compare(compared, seeds)
        wait_for(compared, count, int(seeds[0]))
        with compared.expect_download() as download:
            compared.locator("#compare-sheet").click()
        sheets.append(Path(download.value.path()).read_bytes())
    assert sheets[0] == sheets[2] != sheets[1]
    with Image.open(io.BytesIO(sheets[0])) as image:
        assert image.format == "PNG" and image.height > 8 * 32


def test_a_transfer_is_shown_before_and_after_and_the_link_shows_it_again(compared):
    compared.get_by_role("button", name="Before and after transfer").click()
    compared.locator("#distances", has_text="pose, gaze and colours").wait_for()
    compare(compared, "4, 11")
    wait_for(compared, 4, 4)
    compared.wait_for_url(lambda url: "compare_seeds=4" in url)
    shown, link = captions(compared), compared.url
    compared.goto("about:blank")
    compared.goto(link)
    wait_for(compared, 4, 4)
    assert captions(compared) == shown
    assert compared.get_by_role("tab", name="Compare").get_attribute("aria-selected") == "true"
    assert "Dogs, Transfer" in compared.locator(".heads").inner_text()
    compared.get_by_role("tab", name="Generate").click()
    compared.get_by_role("button", name="Draw", exact=True).click()
    compared.wait_for_url(lambda url: "model=" in url and "compare" not in url)


def test_a_late_request_does_not_bring_back_an_old_pair(compared):
    described_by = compared.evaluate("""() => {
        const title = gradio_config.components.find(each => each.props.elem_id === "pair-title").id;
        return gradio_config.dependencies.filter(each => each.outputs.includes(title)).map(each => each.id);
    }""")
    held = []

    def hold_first(route) -> None:
        if route.request.post_data_json["fn_index"] in described_by and not held:
            held.append(route)  # sent when the tab is opened, before the link has been read
        else:
            route.continue_()

    compared.route("**/queue/join*", hold_first)
    follow(compared, "compare=cats-teacher,cats-student&compare_seeds=4,5&pair=cats-student&pair_seed=5")
    wait_for(compared, 4, 5)
    with compared.expect_response("**/queue/join*"):
        held[0].continue_()
    tabs.settle(compared)
    compared.unroute("**/queue/join*")
    assert "Seed 5:" in compared.locator("#pair-title").inner_text()


def test_a_phone_scrolls_in_one_direction(compared):
    with resized(compared, 390):
        follow(compared, "compare=cats-teacher,cats-student,dogs-transfer,cats-teacher,cats-student")
        wait_for(compared, 40, 0)
        tabs.settle(compared)  # or the clicked element may move
        compared.get_by_role("button", name="Table 3.1").click()
        compared.locator(".measured table").first.wait_for()
        table = compared.locator(".prose.measured").first
        assert table.evaluate("table => (table.scrollLeft = 50, table.scrollLeft)") == 50
        assert compared.evaluate("document.documentElement.scrollWidth") == 390
