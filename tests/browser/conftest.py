"""The real page in a real browser: `python app.py` in a process of its own, and Debian's Chromium."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import tabs

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
LEFT = "AbortError"  # what Gradio logs on a page that is left before all of its answers are there


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[str]]:
    return _serve


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a running page."""
    with _serve() as address:
        yield address


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Iterator[str]:
    """The address of a page that has something to show on every tab."""
    if not tabs.are_shipped():
        pytest.skip(f"checkpoints/ holds not all of {', '.join(tabs.MODELS)}")
    with _serve(**tabs.settings(tmp_path_factory.mktemp("filled"))) as address:
        yield address


@contextlib.contextmanager
def _serve(**settings: str) -> Iterator[str]:
    """The address of a page that runs with some environment variables."""
    with served(**settings) as (address, _):
        yield address


@contextlib.contextmanager
def served(log: Path | None = None, **settings: str) -> Iterator[tuple[str, int]]:
    """The same, with the number of the page's process, whose errors may go into a file."""
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "PYTHONUNBUFFERED": "1"} | settings
    command = [sys.executable, "app.py"]
    with (
        contextlib.nullcontext() if log is None else open(log, "w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if match := re.search(r"http://[\d.]+:\d+", line):
                break
        else:
            pytest.fail(f"The page did not start: {said}")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # or it would wait for a reader
        try:
            yield match[0], process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def launched(driver, profile: Path) -> Iterator:
    """Chromium with a profile on disk, where it keeps the scripts that it has loaded and compiled once."""
    with driver.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1280, "height": 900}
    ) as browser:
        browser.set_default_timeout(120_000)
        yield browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser for all windows of a worker."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver, launched(driver, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="session")
def visit(browser) -> Callable[[str], contextlib.AbstractContextManager]:
    """Opens an address in a fresh tab, which must log no error."""

    @contextlib.contextmanager
    def open_tab(address: str) -> Iterator:
        errors: list[str] = []
        with browser.new_page() as tab:
            tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            tab.goto(address)
            yield tab
        errors = [error for error in errors if not error.startswith(LEFT)]
        assert not errors, errors

    return open_tab


@pytest.fixture
def page(visit, server):
    """A fresh tab on the page, which has drawn its first faces."""
    with visit(server) as tab:
        tab.locator("#faces img").nth(15).wait_for()
        yield tab
