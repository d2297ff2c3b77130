"""Renew the baselines of `test_every_tab.py` with screenshots of the current page.

python -m tests.browser.renew [TAB ...]
"""

import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import looks, tabs
from tests.browser.conftest import _serve, launched


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        _serve(**tabs.settings(Path(folder))) as address,
        sync_playwright() as driver,
        launched(driver, Path(folder) / "profile") as browser,
    ):
        looks.BASELINES.mkdir(exist_ok=True)
        for scheme, width in looks.WINDOWS:
            with looks.window(browser, scheme, width) as page:
                page.goto(address)
                for tab in sys.argv[1:] or tabs.FILL:
                    tabs.show(page, tab)
                    picture, _ = looks.screenshot(page)
                    looks.save(picture, looks.path(tab, scheme, width))
                looks.MADE_WITH.write_text(json.dumps(looks.made_with(page), indent=1) + "\n")


if __name__ == "__main__":
    main()
