"""Pictures of the page, and how they are compared: a button that has moved is told, the edges of letters are not."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

BASELINES = Path(__file__).parent / "baselines"
MADE_WITH = BASELINES / "made-with.json"
WINDOWS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]
HEIGHT = 844
MEASURED = "#facts, #compare-facts, #run-status, #fid-status"  # times and memory, never twice the same
CELL, BLUR = 4, 2  # pixels
FAR = 20  # of 255: cells that are so far apart differ
MOST = 20  # cells that may differ
COLOURS = 256  # of a baseline, so that its file is small

Box = tuple[float, float, float, float]  # left, top, right, bottom


def path(tab: str, scheme: str, width: int) -> Path:
    """Where the baseline of a tab is."""
    return BASELINES / f"{tab.lower()}-{scheme}-{width}.png"


@contextlib.contextmanager
def window(browser, address: str, scheme: str, width: int) -> Iterator:
    """A fresh window on the page that stands still."""
    with browser.new_page() as page:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(address)
        yield page


def photograph(page) -> tuple[Image.Image, list[Box]]:
    """The page from top to bottom, and the boxes on it that hold what was measured."""
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
    page.mouse.move(0, 0)
    boxes = page.locator(MEASURED).evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    data = page.screenshot(full_page=True, animations="disabled")
    return Image.open(io.BytesIO(data)).convert("RGB"), [tuple(box) for box in boxes]


def save(picture: Image.Image, path: Path) -> None:
    """Write a baseline: in few colours, so that its file is small."""
    picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)


def differing(first: Image.Image, second: Image.Image, hidden: Sequence[Box] = ()) -> np.ndarray:
    """Which cells of two pictures differ: booleans (rows, columns). Where there is only one of them, all do."""
    width, height = map(max, first.size, second.size)
    one = _cells(first, (width, height), 0, hidden)
    other = _cells(second, (width, height), 255, hidden)
    return np.abs(one - other) > FAR


def made_with(page) -> dict[str, str | list[str]]:
    """What a picture depends on beside the page: Gradio's version, and the fonts that its text is in."""
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    text = tools.send("DOM.querySelector", {"nodeId": root, "selector": "#header p"})["nodeId"]
    fonts = tools.send("CSS.getPlatformFontsForNode", {"nodeId": text})["fonts"]
    return {"gradio": gradio.__version__, "fonts": sorted(font["postScriptName"] for font in fonts)}


def _cells(picture: Image.Image, size: tuple[int, int], paper: int, hidden: Sequence[Box]) -> np.ndarray:
    """Means of grey of the cells, (rows, columns), of a picture on paper of a size, its hidden boxes painted over."""
    grey = Image.new("L", size, paper)
    grey.paste(picture.convert("RGB").convert("L"))
    pen = ImageDraw.Draw(grey)
    for box in hidden:
        pen.rectangle(box, fill=128)
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(BLUR)).reduce(CELL), dtype=int)
