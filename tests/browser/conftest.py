"""The real page in a real browser: `python app.py` as a subprocess, and Chromium."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganopt.errors import UserError
from ganopt.runs import manager
from ganopt.runs.queue import LOCK, is_locked
from ganopt.runs.status import find
from tests.browser import tabs
from tests.pages import page_settings, shared_page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ABORTED = "AbortError"  # logged by Gradio if a page is left before all answers have arrived


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[str]]:
    return _serve


@pytest.fixture(scope="session")
def shipped_server() -> Iterator[Any]:
    """The page with the shipped models, in this process, for all files."""
    with shared_page() as page:
        yield page


@pytest.fixture(scope="module")
def server(shipped_server, runs, module_cache) -> Iterator[str]:
    """The address of that page, without runs."""
    with page_settings(GANOPT_RUNS=runs, GANOPT_CACHE=module_cache):
        yield shipped_server.local_url.rstrip("/")


@pytest.fixture(scope="module")
def filled(shipped_server, tmp_path_factory, module_cache) -> Iterator[str]:
    """The address of that page, private and with content on every tab."""
    if not tabs.are_shipped():
        pytest.skip(f"checkpoints/ does not contain all of {', '.join(tabs.MODELS)}")
    with page_settings(**tabs.settings(tmp_path_factory.mktemp("filled")) | {"GANOPT_CACHE": module_cache}):
        yield shipped_server.local_url.rstrip("/")


@pytest.fixture(scope="session")
def tiny_server(three_models) -> Iterator[Any]:
    """The page with tiny models, in this process, for all files."""
    with shared_page(GANOPT_CHECKPOINTS=three_models) as page:
        yield page


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """More environment variables of the page with tiny models."""
    return {}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder of runs, which does not exist yet."""
    return tmp_path_factory.mktemp("page") / "runs"


@pytest.fixture(scope="module")
def tiny_page(tiny_server, three_models, thin_inception, runs, module_cache, settings):
    """The page with tiny models, with the settings of a module."""
    folders = {"GANOPT_CHECKPOINTS": three_models, "GANOPT_INCEPTION": thin_inception}
    folders |= {"GANOPT_RUNS": runs, "GANOPT_CACHE": module_cache}
    with page_settings(**folders, **settings):
        yield tiny_server


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory) -> Path:
    """A cache folder of a module; it does not exist yet."""
    return tmp_path_factory.mktemp("cache") / "ganopt"


@pytest.fixture(autouse=True)
def cache(module_cache, monkeypatch) -> Path:
    """The cache folder of a test, which it shares with those of its module, as their page does not end between them."""
    monkeypatch.setenv("GANOPT_CACHE", str(module_cache))
    return module_cache


@contextlib.contextmanager
def _serve(**settings: str) -> Iterator[str]:
    """The address of a page that is started with some environment variables."""
    with served(**settings) as (address, _):
        yield address


@contextlib.contextmanager
def served(log: Path | None = None, **settings: str) -> Iterator[tuple[str, int]]:
    """The same, with the process id of the page. Its standard error may be written to a file."""
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "PYTHONUNBUFFERED": "1"} | settings
    command = [sys.executable, "app.py"]
    with (
        contextlib.nullcontext() if log is None else open(log, "w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if match := re.search(r"http://[\d.]+:\d+", line):
                break
        else:
            pytest.fail(f"The page did not start: {output}")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # or it would block when the pipe is full
        try:
            yield match[0], process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def launched(driver, profile: Path) -> Iterator:
    """Chromium with a profile on disk, which caches the loaded and compiled scripts."""
    with driver.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    ) as browser:
        browser.set_default_timeout(240_000)  # generous, for a busy machine
        yield browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser shared by all tests of a worker."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver, launched(driver, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="session")
def visit(browser) -> Callable[[str], contextlib.AbstractContextManager]:
    """Opens an address in a new tab, in which no error may be logged."""

    @contextlib.contextmanager
    def open_tab(address: str) -> Iterator:
        errors: list[str] = []

        def listen(message) -> None:
            if message.type == "error":
                errors.append(f"{message.text} {message.location['url']}")

        with browser.new_page() as tab:
            tab.on("console", listen)
            tab.goto(address)
            yield tab
            errors = [error for error in errors if not error.startswith(ABORTED)]
            assert not errors, errors  # before the tab is closed, as Gradio logs the answers that it then misses

    return open_tab


@pytest.fixture(scope="module")
def page(visit, server):
    """A tab with the page, after its first faces have been drawn; the tests of a module share it."""
    with visit(server) as tab:
        tab.locator("#faces img").nth(15).wait_for()
        yield tab


@pytest.fixture(scope="module")
def tab(tiny_page, visit):
    """A tab with that page, after its first faces have been drawn; the tests of a module share it."""
    with visit(tiny_page.local_url) as tab:
        tab.locator("#faces img").nth(15).wait_for()
        yield tab


def follow(tab, query: str) -> None:
    """Show what a query is about, as Back and Forward do, without loading the page again."""
    show = "query => { history.pushState(null, '', query); window.dispatchEvent(new PopStateEvent('popstate')); }"
    tab.evaluate(show, f"?{query}")


def check_accessible(page) -> None:
    """Fail if axe finds something serious on a page."""
    driver = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    found = driver.Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], node["target"], node["html"]) for each in serious for node in each["nodes"]]


def draw_seeds(tab, seeds: str, count: int) -> None:
    """Draw the faces of some seeds."""
    tab.locator("#seeds input, #seeds textarea").fill(seeds)
    tab.get_by_role("button", name="Draw", exact=True).click()
    tab.wait_for_function("count => document.querySelectorAll('#faces img').length === count", arg=count)


def draw_first_faces(tab) -> None:
    """Draw the faces that the page shows at first."""
    draw_seeds(tab, "0-15", 16)
    tab.locator("#faces .caption-label", has_text="seed 15").wait_for()


@contextlib.contextmanager
def resized(tab, width: int) -> Iterator[None]:
    """Give a tab's window another width."""
    before = tab.viewport_size
    tab.set_viewport_size(before | {"width": width})
    yield
    tab.set_viewport_size(before)


def end_runs(folder: Path) -> None:
    """Stop and delete all runs in a folder."""
    for run in find(folder):
        with contextlib.suppress(UserError):  # not active
            manager.stop(folder, run.name)
    for lock in folder.glob(f"*/{LOCK}"):
        while is_locked(lock):
            time.sleep(0.05)
        shutil.rmtree(lock.parent)
