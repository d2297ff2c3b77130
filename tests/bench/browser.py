"""Faces a second that the models of the catalogue draw in Chromium, in a worker, beside those of torch on this machine.

python -m tests.bench.browser [MODEL ...]
"""

import sys
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from ganopt.models import zoo
from ganopt.models.networks import parse_architecture
from ganopt.portable.page import page
from ganopt.portable.steps import is_drawable
from ganopt.thesis import model_facts
from tests.browser.conftest import CHROMIUM, FLAGS

FACES = 40
MEASURE = """async count => {
  const z = latentOf(0), times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await draw(z);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[count >> 1];
}"""


def main(names: list[str]) -> None:
    """Print a line for each model."""
    drawable = [name for name, entry in zoo.catalogue().items() if is_drawable(parse_architecture(entry.architecture))]
    seconds = model_facts.latencies(names or drawable, torch.device("cpu"))
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_context(reduced_motion="reduce").new_page()
        for name in names or drawable:
            path = Path(folder, f"{name}.html")
            path.write_text(page(zoo.load(name), name, name), encoding="utf-8")
            tab.goto(path.as_uri())
            milliseconds = tab.evaluate(MEASURE, FACES)
            print(
                f"{name:16} {path.stat().st_size / 1e6:5.2f} MB   in Chromium {milliseconds:6.1f} ms a face, "
                f"{1000 / milliseconds:5.1f} a second   torch {1000 * seconds[name]:5.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
