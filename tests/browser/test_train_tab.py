"""The tab Train, as a person uses it, with three tiny models to draw the sample set."""

import contextlib
import os
import re
import signal
import time
import zipfile
from pathlib import Path

import pytest

from ganopt.models import zoo
from ganopt.runs import monitor
from ganopt.runs.queue import LOCK, PROCESS, is_taken
from ganopt.runs.status import read

pytest.importorskip("fcntl", reason="locks of files are not told of here")


@pytest.fixture(scope="module")
def settings(tmp_path_factory, three_models):
    """The environment of a page with tiny models and runs of its own; what still runs at the end is killed."""
    folder = tmp_path_factory.mktemp("train")
    yield {
        "GANOPT_CHECKPOINTS": str(three_models),
        "GANOPT_RUNS": str(folder / "runs"),
        "GANOPT_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    for path in folder.glob(f"runs/*/{PROCESS}"):
        while is_taken(path.with_name(LOCK)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text()), signal.SIGKILL)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(settings) -> Path:
    return Path(settings["GANOPT_RUNS"])


@pytest.fixture(scope="module")
def address(serve, settings):
    with serve(**settings) as address:
        yield address


@pytest.fixture
def tab(visit, address):
    with visit(address) as page:
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-start").wait_for()
        yield page


def fill(page, field: str, text: str) -> None:
    page.locator(f"#{field} input, #{field} textarea").first.fill(text)


def start(page, name: str, minutes: str = "9") -> None:
    """Start the first preset, in small batches, for longer than any test takes."""
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


def scrub(page, place: int) -> None:
    """Look at the faces some per cent on a run's way."""
    page.locator("#scrubber input[type=number]").fill(str(place))
    page.locator("#scrubber input[type=number]").press("Tab")


def updates(page, count: int) -> tuple[set[str], set[str]]:
    """Different pictures and curves that the page shows, until there are so many of both."""
    faces: set[str] = set()
    curves: set[str] = set()
    end = time.monotonic() + 120
    while min(len(faces), len(curves)) < count:
        assert time.monotonic() < end, (len(faces), len(curves))
        faces.add(page.locator("#run-faces img").first.get_attribute("src"))
        curves.add(page.locator("#run-curves .curve0").first.get_attribute("d"))
        page.wait_for_timeout(100)
    return faces, curves


def test_a_run_is_watched_left_found_again_stopped_resumed_and_used(tab, visit, address, folder):
    start(tab, "cats one")
    updates(tab, 10)
    tab.close()
    with visit(f"{address}?train=cats one") as page:
        page.locator("#run-status b", has_text="cats one").wait_for()
        updates(page, 3)
        scrub(page, 0)
        page.locator("#run-faces figcaption", has_text=re.compile("after step 20$")).wait_for()
        scrub(page, 100)
        stop(page, "cats one")
        steps = read(folder / "cats one").step
        fill(page, "run-more", "10")
        page.locator("#run-resume").click()
        page.locator("#run-stop").wait_for()
        updates(page, 2)
        stop(page, "cats one")
        assert read(folder / "cats one").step > steps
        with page.expect_download() as download:
            page.locator("#run-weights").click()
        assert Path(download.value.path()).read_bytes() == (folder / "cats one" / zoo.FILES["generator"]).read_bytes()
        links = page.locator("#run-links a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    drawing, comparing, measuring = (f"{address}/{link}" for link in links)
    with visit(drawing) as page:
        page.locator("#facts", has_text="16 faces").wait_for()
        assert page.locator("#model input").input_value().startswith("cats one")
    with visit(comparing) as page:
        page.locator("#heads", has_text="run:cats one").wait_for()
        page.locator("#compared img").nth(15).wait_for()
    with visit(measuring) as page:
        assert page.locator("#fid-models").get_by_label("run:cats one").is_checked()


def test_a_second_run_waits_and_both_can_be_stopped(tab):
    start(tab, "first")
    tab.locator("#run-stop").wait_for()
    start(tab, "second")
    tab.locator("#run-status", has_text="waits for its turn").wait_for()
    assert tab.locator("#train-said").inner_text() == "'second' waits for its turn behind 'first'."
    stop(tab, "second")
    choose(tab, "first")
    stop(tab, "first")


def test_a_late_answer_for_another_run_does_not_hide_the_one_that_was_asked_for(tab):
    start(tab, "shown")
    stop(tab, "shown")
    held = []
    tab.route(  # the first look from here on, of a page that shows the first run
        "**/gradio_api/run/predict*", lambda route: route.continue_() if held else held.append(route)
    )
    while not held:
        tab.wait_for_timeout(50)
    start(tab, "asked for")
    tab.wait_for_function("document.location.search.includes('asked')")
    held[0].continue_()
    tab.wait_for_event("response", lambda response: response.request == held[0].request)
    for _ in range(2):
        tab.wait_for_event("response", lambda response: "run/predict" in response.url)  # of the next looks
    assert "asked for" in tab.locator("#run-status b").inner_text()
    stop(tab, "asked for")


def test_a_public_page_says_what_it_allows_and_a_run_outlives_it(serve, settings, folder, visit):
    public = {"GRADIO_SERVER_NAME": "0.0.0.0", "GANOPT_TRAIN_MINUTES": "9"}
    with serve(**settings, **public) as address, visit(address.replace("0.0.0.0", "127.0.0.1")) as page:
        page.get_by_role("tab", name="Train").click()
        page.locator("#limits", has_text="public").wait_for()
        fill(page, "train-minutes", "10")
        page.locator("#train-start").click()
        page.get_by_text("A run may take up to 9 min on this page").wait_for()
        start(page, "survivor")
        page.locator("#run-faces img").wait_for()
    before = len(monitor.follow(folder / "survivor")[0])
    with serve(**settings) as address, visit(address) as page:
        page.get_by_role("tab", name="Train").click()
        choose(page, "survivor")
        updates(page, 2)
        assert len(monitor.follow(folder / "survivor")[0]) > before
        os.kill(int((folder / "survivor" / PROCESS).read_text()), signal.SIGKILL)
        page.locator("#run-status", has_text="survivor has died").wait_for()
        page.locator("#run-resume").click()  # to its first end
        page.locator("#run-stop").wait_for()
        stop(page, "survivor")


def test_uploads_that_teach_nothing_are_one_sentence_and_leave_nothing(tab, draw_faces, tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for path in draw_faces(tmp_path / "two", 2):
            archive.write(path, path.name)
    tab.locator("#train-data input").click()
    tab.get_by_role("option", name="My own: upload them").click()
    tab.locator("#train-files input[type=file]").set_input_files(tmp_path / "two.zip")
    tab.locator("#train-files").get_by_label("two.zip", exact=True).wait_for()
    fill(tab, "train-name", "too few")
    tab.locator("#train-start").click()
    tab.get_by_text("contains 2 pictures").wait_for()
    assert not (folder / "too few").exists()


def test_only_a_student_learns_without_pictures(tab, folder):
    tab.locator("#train-data input").click()
    tab.get_by_role("option", name="None: a student").click()
    fill(tab, "train-name", "from nothing")
    tab.locator("#train-start").click()
    tab.get_by_text("Only a student can learn without pictures").wait_for()
    assert not (folder / "from nothing").exists()
    tab.get_by_role("button", name="A student of the teacher").click()
    tab.locator("#train-cost").click()
    tab.locator("#train-said", has_text="3 minutes are about").wait_for()
    assert "pictures" not in tab.locator("#train-said").inner_text()


def test_what_it_will_cost_is_measured_before_it_starts(tab):
    tab.locator("#train-cost").click()
    tab.locator("#train-said", has_text="2 minutes are about").wait_for()
    assert "GB of the process" in tab.locator("#train-said").inner_text()


def test_a_run_becomes_a_film_gets_another_name_and_is_deleted_when_asked_twice(tab, folder):
    start(tab, "short one")
    updates(tab, 2)
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
