"""The tab Train in use, with three tiny models that draw the training pictures. Each test starts without runs."""

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
from tests.browser.conftest import end_runs

pytest.importorskip("fcntl", reason="needs file locks")
pytestmark = pytest.mark.timeout(900)  # on a busy machine, training takes its time

PICTURE = "document.querySelector('#run-faces img')?.src"
CURVE = "document.querySelector('#run-curves path.curve0')?.getAttribute('d')"  # the legend has a line of this class


@pytest.fixture(scope="module")
def settings(tmp_path_factory, three_models) -> dict[str, str]:
    """The environment of a private page with tiny models and its own folder of runs."""
    folder = tmp_path_factory.mktemp("train")
    return {
        "GANOPT_PRIVATE": "1",
        "GANOPT_CHECKPOINTS": str(three_models),
        "GANOPT_RUNS": str(folder / "runs"),
        "GANOPT_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def address(serve, settings):
    with serve(**settings) as address:
        yield address


@pytest.fixture(autouse=True)
def folder(settings, address) -> Iterator[Path]:
    """The folder of the runs. After each test, even a failed one, its runs are stopped and deleted."""
    folder = Path(settings["GANOPT_RUNS"])
    yield folder
    end_runs(folder)


@pytest.fixture
def tab(visit, address, folder):
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


def test_a_run_is_watched_left_found_again_stopped_resumed_and_used(tab, visit, address, folder):
    start(tab, "cats one")
    wait_for_updates(tab, 3)
    tab.close()
    with visit(f"{address}?train=cats one") as page:
        page.locator("#run-status b", has_text="cats one").wait_for()
        wait_for_updates(page)
        scrub(page, 0)
        page.locator("#run-faces figcaption", has_text="before training").wait_for()
        page.locator("#run-diagram svg[aria-label*='probability of being real']").wait_for()
        page.locator("#run-diagram image").nth(11).wait_for()  # six faces and, before the first batch, six of the data
        scrub(page, 100)
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
        links = page.locator("#run-links a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    generate, compare, fid = (f"{address}/{link}" for link in links)
    with visit(generate) as page:
        page.locator("#facts", has_text="16 faces").wait_for()
        assert page.locator("#model input").input_value().startswith("cats one")
    with visit(compare) as page:
        page.locator("#heads", has_text="run:cats one").wait_for()
        page.locator("#compared img").nth(15).wait_for()
    with visit(fid) as page:
        assert page.locator("#fid-models").get_by_label("cats one").is_checked()


def test_a_second_run_waits_and_both_can_be_stopped(tab):
    start(tab, "first")
    tab.locator("#run-stop").wait_for()
    start(tab, "second")
    tab.locator("#run-status", has_text="second is waiting").wait_for()
    assert tab.locator("#train-said").inner_text() == "'second' is waiting for 'first'."
    stop(tab, "second")
    choose(tab, "first")
    stop(tab, "first")


def test_a_late_answer_for_another_run_does_not_replace_the_requested_one(tab):
    start(tab, "shown")
    stop(tab, "shown")
    held = []
    tab.route(  # holds back the next update of the page, which shows the first run
        "**/gradio_api/run/predict*", lambda route: route.continue_() if held else held.append(route)
    )
    while not held:
        tab.wait_for_timeout(50)
    start(tab, "requested")
    tab.wait_for_function("document.location.search.includes('requested')")
    with tab.expect_event("response", lambda response: response.request == held[0].request):
        held[0].continue_()
    for _ in range(2):
        tab.wait_for_event("response", lambda response: "run/predict" in response.url)  # of the next updates
    assert "requested" in tab.locator("#run-status b").inner_text()
    stop(tab, "requested")


def test_a_public_page_shows_its_limits_and_a_run_outlives_it(serve, settings, folder, visit):
    public = settings | {"GANOPT_PRIVATE": "", "GANOPT_TRAIN_MINUTES": "9"}
    with serve(**public) as address, visit(address) as page:
        page.get_by_role("tab", name="Train").click()
        page.locator("#limits", has_text="public").wait_for()
        fill(page, "train-minutes", "10")
        page.locator("#train-start").click()
        page.get_by_text("10 min are too long for a run on this page; enter at most 9 min.").wait_for()
        start(page, "survivor")
        page.locator("#run-faces img").wait_for()
    before = len(monitor.follow(folder / "survivor")[0])
    with serve(**settings) as address, visit(address) as page:
        page.get_by_role("tab", name="Train").click()
        choose(page, "survivor")
        wait_for_updates(page)
        assert len(monitor.follow(folder / "survivor")[0]) > before
        os.kill(int((folder / "survivor" / PROCESS).read_text()), signal.SIGKILL)
        page.locator("#run-status", has_text="survivor failed").wait_for()
        page.locator("#run-resume").click()  # to its original budget
        page.locator("#run-stop").wait_for()
        stop(page, "survivor")


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


def test_the_cost_is_estimated_before_the_start(tab):
    tab.locator("#train-cost").click()
    tab.locator("#train-estimate", has_text="2 minutes are about").wait_for()
    assert "GB of the process" in tab.locator("#train-estimate").inner_text()


def test_a_run_is_filmed_renamed_and_deleted_after_confirmation(tab, folder):
    start(tab, "short one")
    wait_for_updates(tab)
    stop(tab, "short one")
    tab.get_by_role("button", name="Film").click()
    tab.locator("#run-film").click()
    tab.locator("#film-of-run img").wait_for()
    tab.get_by_role("button", name="Command and log").click()
    tab.locator("#run-log pre", has_text="ganopt train --recipe r1").wait_for()
    tab.get_by_role("button", name="Rename or delete").click()
    fill(tab, "run-name", "a new name")
    tab.locator("#run-rename").click()
    tab.locator("#run-status b", has_text="a new name").wait_for()
    tab.locator("#run-delete").click()
    tab.locator("#run-keep").click()
    tab.locator("#run-sure").wait_for(state="hidden")
    tab.locator("#run-delete").click()
    tab.locator("#run-sure").click()
    tab.locator("#runs label", has_text="a new name").wait_for(state="detached")
    assert not (folder / "a new name").exists()


def test_a_run_is_summed_up_its_settings_are_used_again_and_curves_are_compared(tab, folder):
    start(tab, "first")
    wait_for_updates(tab)
    stop(tab, "first")
    assert "2,000 faces drawn by" in tab.locator("#run-summary").inner_text()
    fill(tab, "more-batch", "")
    fill(tab, "train-minutes", "1")
    tab.locator("#run-again").click()
    tab.locator("#train-said", has_text="The form has the settings of 'first'").wait_for()
    tab.wait_for_function("document.activeElement.id === 'train-start'")
    assert tab.locator("#train-minutes input").input_value() == "9"
    assert tab.locator("#more-batch input, #more-batch textarea").input_value() == "4"
    fill(tab, "train-name", "second")
    tab.locator("#train-start").click()
    tab.locator("#run-status b", has_text="second").wait_for()
    wait_for_updates(tab)
    stop(tab, "second")
    recipes = [monitor.recipe_of(folder / name) for name in ("first", "second")]
    assert recipes[0] == recipes[1]
    tab.locator("#run-other input").click()
    tab.get_by_role("option", name="first").click()
    tab.locator("#run-curves svg text", has_text="second: real").first.wait_for()
    assert tab.locator("#run-curves svg text", has_text="first: real").count()
