"""The page while a run trains: what following it costs, and how long faces take to be drawn.

    python -m tests.bench.page [--seconds 60]

Starts the page on runs of its own, opens the tab Train in Chromium, starts the first preset and follows it. The cost is
processor time of the page's process over the time that passed, less that of a page on which another tab is open.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, served

DRAWINGS = 10


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(process: int, seconds: float) -> float:
    """The share of a core that a process takes for some seconds."""
    before = processor_seconds(process)
    time.sleep(seconds)
    return (processor_seconds(process) - before) / seconds


def draw(page: Page) -> float:
    """Seconds from a click on Random to new faces on the screen."""
    before = page.locator("#faces .caption-label").first.inner_text()
    begun = time.monotonic()
    page.locator("#dice").click()
    page.wait_for_function(
        "before => document.querySelector('#faces .caption-label')?.innerText !== before", arg=before, polling=50
    )
    page.wait_for_function("[...document.querySelectorAll('#faces img')].every(image => image.complete)", polling=50)
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    with (
        tempfile.TemporaryDirectory() as folder,
        served(GANOPT_RUNS=str(Path(folder, "runs"))) as (address, process),
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(180_000)
        page.goto(address)
        page.locator("#faces img").nth(15).wait_for()
        idle = share(process, seconds / 2)
        alone = [draw(page) for _ in range(DRAWINGS)]
        page.get_by_role("tab", name="Train").click()
        page.locator("#train-minutes input").fill("30")
        page.locator("#train-start").click()
        page.locator("#run-faces img").wait_for()
        following = share(process, seconds)
        page.get_by_role("tab", name="Generate").click()
        beside = [draw(page) for _ in range(DRAWINGS)]
        page.get_by_role("tab", name="Train").click()
        page.locator("#run-stop").click()
        page.locator("#run-status", has_text="was stopped").wait_for()
        browser.close()
    cost = following - idle
    print(f"following a run costs {100 * cost:.1f} % of a core: {100 * following:.1f} %, {100 * idle:.1f} % without")
    for name, times in (("alone", alone), ("while a run trains", beside)):
        print(f"16 faces {name}: median {statistics.median(times):.2f} s, worst {max(times):.2f} s")


if __name__ == "__main__":
    main()
