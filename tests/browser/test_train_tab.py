"""The tab Train in use, with three tiny models that draw the training pictures. Each test starts without runs."""

import contextlib
import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganopt.models import zoo
from ganopt.runs import monitor
from ganopt.runs.queue import PROCESS
from ganopt.runs.status import read
from ganopt.ui.run_actions import TICK
from tests.browser.conftest import end_runs

pytest.importorskip("fcntl", reason="needs file locks")
pytestmark = pytest.mark.timeout(900)  # on a busy machine, training takes its time

PICTURE = "document.querySelector('#run-faces img')?.src"
CURVE = "document.querySelector('#run-curves path.curve0')?.getAttribute('d')"  # the legend has a line of this class


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"GANOPT_PRIVATE": "1"}


@pytest.fixture(autouse=True)
def folder(runs, tiny_page) -> Iterator[Path]:
    """The folder of the runs. After each test, even a failed one, its runs are stopped and deleted."""
    yield runs
    end_runs(runs)


@pytest.fixture(scope="module")
def tab(visit, tiny_page):
    """A tab of the browser that several tests share."""
    with opened(visit, tiny_page.local_url) as page:
        yield page


@contextlib.contextmanager
def opened(visit, address: str) -> Iterator:
    with visit(address) as page:
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").wait_for()
        yield page


def fill(page, field: str, text: str) -> None:
    page.locator(f"#{field} input, #{field} textarea").first.fill(text)


def start(page, name: str, minutes: str = "9") -> None:
    """Start the first preset, with small batches; it does not finish during a test."""
    if not page.locator("#more-batch").is_visible():
        page.get_by_role("button", name="More settings").click()
    fill(page, "more-batch", "4")
    fill(page, "train-minutes", minutes)
    fill(page, "train-name", name)
    page.locator("#train-start").click()
    page.locator("#run-status b", has_text=name).wait_for()


def choose(page, name: str) -> None:
    page.locator("#runs label", has_text=name).click()
    page.locator("#run-status b", has_text=name).wait_for()


def stop(page, name: str) -> None:
    page.locator("#run-stop").click()
    page.locator("#run-status", has_text=f"{name} was stopped").wait_for()


def scrub(page, percent: int) -> None:
    """Show the preview at a position of the training."""
    page.locator("#scrubber input[type=number]").fill(str(percent))
    page.locator("#scrubber input[type=number]").press("Tab")


def wait_for_updates(page, count: int = 1) -> None:
    """Wait until the page shows a picture and a curve, and both have changed some times."""
    for expression in (PICTURE, CURVE):
        page.wait_for_function(expression)
    for _ in range(count):
        picture, curve = page.evaluate(PICTURE), page.evaluate(CURVE)
        page.wait_for_function(f"old => {PICTURE} !== old", arg=picture)
        page.wait_for_function(f"old => {CURVE} !== old", arg=curve)


def test_a_run_outlives_a_public_page_is_found_killed_resumed_stopped_used_filmed_renamed_and_deleted(
    serve, visit, tiny_page, folder
):
    with serve(GANOPT_PRIVATE="", GANOPT_TRAIN_MINUTES="9") as public, opened(visit, public) as page:
        page.locator("#limits", has_text="public").wait_for()
        fill(page, "train-minutes", "10")
        page.locator("#train-start").click()
        page.get_by_text("10 min are too long for a run on this page; enter at most 9 min.").wait_for()
        start(page, "cats one")
        wait_for_updates(page, 2)
    before = len(monitor.follow(folder / "cats one")[0])
    with visit(f"{tiny_page.local_url}?train=cats one") as page:
        page.locator("#run-status b", has_text="cats one").wait_for()
        wait_for_updates(page)
        assert len(monitor.follow(folder / "cats one")[0]) > before
        scrub(page, 0)
        page.locator("#run-faces figcaption", has_text="before training").wait_for()
        page.locator("#run-diagram svg[aria-label*='probability of being real']").wait_for()
        page.locator("#run-diagram image").nth(11).wait_for()  # six faces and, before the first batch, six of the data
        scrub(page, 100)
        os.kill(int((folder / "cats one" / PROCESS).read_text()), signal.SIGKILL)
        page.locator("#run-status", has_text="cats one failed").wait_for()
        page.locator("#run-resume").click()  # to its original budget
        page.locator("#run-stop").wait_for()
        stop(page, "cats one")
        steps = read(folder / "cats one").step
        fill(page, "run-more", "10")
        page.locator("#run-resume").click()
        page.locator("#run-stop").wait_for()
        wait_for_updates(page)
        stop(page, "cats one")
        assert read(folder / "cats one").step > steps
        with page.expect_download() as download:
            page.locator("#run-weights").click()
        assert Path(download.value.path()).read_bytes() == (folder / "cats one" / zoo.FILES["generator"]).read_bytes()
        page.evaluate("window.isLoadedOnce = true")
        generate, compare, fid = page.locator("#run-links a").all()
        generate.click()
        page.locator("#facts", has_text="16 faces").wait_for()
        page.wait_for_function("document.querySelector('#model input').value.startsWith('cats one')")
        page.go_back()
        compare.click()
        page.locator("#heads", has_text="run:cats one").wait_for()
        page.locator("#compared img").nth(15).wait_for()
        page.go_back()
        fid.click()
        page.locator("#fid-models label:has(input:checked)", has_text="cats one").wait_for()
        page.go_back()
        assert page.evaluate("window.isLoadedOnce")
        film_rename_and_delete(page)
    assert not (folder / "a new name").exists()


def film_rename_and_delete(page) -> None:
    page.get_by_role("button", name="Film").click()
    page.locator("#run-film").click()
    page.locator("#film-of-run img").wait_for()
    page.get_by_role("button", name="Command and log").click()
    page.locator("#run-log pre", has_text="ganopt train --recipe r1").wait_for()
    page.get_by_role("button", name="Rename or delete").click()
    fill(page, "run-name", "a new name")
    page.locator("#run-rename").click()
    page.locator("#run-status b", has_text="a new name").wait_for()
    page.locator("#run-delete").click()
    page.locator("#run-keep").click()
    page.locator("#run-sure").wait_for(state="hidden")
    page.locator("#run-delete").click()
    page.locator("#run-sure").click()
    page.locator("#runs label", has_text="a new name").wait_for(state="detached")


def test_a_second_run_waits_for_the_first_and_later_takes_its_settings(tab, folder):
    start(tab, "first")
    wait_for_updates(tab)
    start(tab, "waiting")
    tab.locator("#run-status", has_text="waiting is waiting").wait_for()
    tab.locator("#train-said", has_text="'waiting' is waiting for 'first'.").wait_for()
    stop(tab, "waiting")
    choose(tab, "first")
    stop(tab, "first")
    tab.locator("#run-summary", has_text="2,000 faces drawn by").wait_for()
    fill(tab, "more-batch", "")
    fill(tab, "train-minutes", "1")
    tab.locator("#run-again").click()
    tab.locator("#train-said", has_text="The form has the settings of 'first'").wait_for()
    tab.wait_for_function("document.activeElement.id === 'train-start'")
    assert tab.locator("#train-minutes input").input_value() == "9"
    assert tab.locator("#more-batch input, #more-batch textarea").input_value() == "4"
    with late_answer(tab):
        fill(tab, "train-name", "second")
        tab.locator("#train-start").click()
        tab.wait_for_function("document.location.search.includes('second')")
    assert "second" in tab.locator("#run-status b").inner_text()
    wait_for_updates(tab)
    stop(tab, "second")
    recipes = [monitor.recipe_of(folder / name) for name in ("first", "second")]
    assert recipes[0] == recipes[1]
    tab.locator("#run-other input").click()
    tab.get_by_role("option", name="first", exact=True).click()
    tab.locator("#run-curves svg text", has_text="second: real").first.wait_for()
    assert tab.locator("#run-curves svg text", has_text="first: real").count()


def test_the_page_asks_for_news_of_runs_only_while_the_tab_is_open(tab):
    def asked(request) -> bool:
        return "run/predict" in request.url

    tab.wait_for_event("request", asked)
    tab.get_by_role("tab", name="About").click()
    tab.wait_for_timeout(500)  # until an update on its way has been answered
    later: list = []
    tab.on("request", lambda request: later.append(request) if asked(request) else None)
    tab.wait_for_timeout(2500 * TICK)
    assert not later
    tab.get_by_role("tab", name="Train").click()
    tab.wait_for_event("request", asked)


@contextlib.contextmanager
def late_answer(page) -> Iterator[None]:
    """Let the page's next update, which shows the run that is chosen now, arrive after the block."""
    held: list = []
    pattern = "**/gradio_api/run/predict*"
    page.route(pattern, lambda route: route.continue_() if held else held.append(route))
    while not held:
        page.wait_for_timeout(50)
    yield
    with page.expect_event("response", lambda response: response.request == held[0].request):
        held[0].continue_()
    for _ in range(2):
        page.wait_for_event("response", lambda response: "run/predict" in response.url)  # of the next updates
    page.unroute(pattern)


def test_the_cost_is_estimated_before_the_start(tab):
    tab.locator("#train-cost").click()
    tab.locator("#train-estimate", has_text="minutes are about").wait_for()
    assert "GB of the process" in tab.locator("#train-estimate").inner_text()


def test_too_few_uploads_are_one_sentence_and_leave_nothing_behind(tab, draw_faces, tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for path in draw_faces(tmp_path / "two", 2):
            archive.write(path, path.name)
    tab.locator("#train-data input").click()
    tab.get_by_role("option", name="Upload my own pictures").click()
    tab.locator("#train-files input[type=file]").set_input_files(tmp_path / "two.zip")
    tab.locator("#train-files").get_by_label("two.zip", exact=True).wait_for()
    fill(tab, "train-name", "too few")
    tab.locator("#train-start").click()
    tab.get_by_text("contains 2 pictures").wait_for()
    assert not (folder / "too few").exists()


def test_only_distillation_works_without_pictures(tab, folder):
    tab.locator("#train-data input").click()
    tab.get_by_role("option", name="None, for distillation").click()
    fill(tab, "train-name", "no pictures")
    tab.locator("#train-start").click()
    tab.get_by_text("Only distillation works without pictures").wait_for()
    assert not (folder / "no pictures").exists()
    tab.get_by_role("button", name="Student of the cat teacher").click()
    tab.locator("#train-cost").click()
    tab.locator("#train-estimate", has_text="3 minutes are about").wait_for()
    assert "pictures" not in tab.locator("#train-estimate").inner_text()
