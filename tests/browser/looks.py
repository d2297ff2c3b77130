"""Screenshots of the page and their comparison, which detects a moved button but ignores the smoothing of letters."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

BASELINES = Path(__file__).parent / "baselines"
MADE_WITH = BASELINES / "made-with.json"
WINDOWS = [("light", 1280), ("dark", 390)]
HEIGHT = 844
MEASURED = "#facts, #live-facts, #compare-facts, #run-status, #fid-status"  # contain times and memory, which vary
CELL, BLUR = 4, 2  # pixels
THRESHOLD = 20  # of 255: the difference of cells that count as different
MOST = 20  # different cells that are tolerated
COLOURS = 256  # in a baseline, to keep the file small

Box = tuple[float, float, float, float]  # left, top, right, bottom


def path(tab: str, scheme: str, width: int) -> Path:
    """The path of the baseline of a tab."""
    return BASELINES / f"{tab.lower()}-{scheme}-{width}.png"


@contextlib.contextmanager
def window(browser, scheme: str, width: int) -> Iterator:
    """A new, empty window, without animations."""
    with browser.new_page() as page:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        yield page


def screenshot(page) -> tuple[Image.Image, list[Box]]:
    """A screenshot of the whole page, and the boxes of the elements that contain measured values."""
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
    page.mouse.move(0, 0)
    boxes = page.locator(MEASURED).evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    data = page.screenshot(full_page=True, animations="disabled")
    return Image.open(io.BytesIO(data)).convert("RGB"), [tuple(box) for box in boxes]


def save(picture: Image.Image, path: Path) -> None:
    """Write a baseline, with few colours to keep the file small."""
    picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)


def differing(first: Image.Image, second: Image.Image, hidden: Sequence[Box] = ()) -> np.ndarray:
    """Which cells of two pictures differ: booleans (rows, columns). Outside of one picture, all cells do."""
    width, height = map(max, first.size, second.size)
    one = _cells(first, (width, height), 0, hidden)
    other = _cells(second, (width, height), 255, hidden)
    return np.abs(one - other) > THRESHOLD


def made_with(page) -> dict[str, str | list[str]]:
    """What a screenshot depends on besides the page: Gradio's version, and the fonts."""
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    text = tools.send("DOM.querySelector", {"nodeId": root, "selector": "#header p"})["nodeId"]
    fonts = tools.send("CSS.getPlatformFontsForNode", {"nodeId": text})["fonts"]
    return {"gradio": gradio.__version__, "fonts": sorted(font["postScriptName"] for font in fonts)}


def _cells(picture: Image.Image, size: tuple[int, int], background: int, hidden: Sequence[Box]) -> np.ndarray:
    """Mean grey values of a picture's cells, (rows, columns), on a background, with the hidden boxes painted over."""
    grey = Image.new("L", size, background)
    grey.paste(picture.convert("RGB").convert("L"))
    pen = ImageDraw.Draw(grey)
    for box in hidden:
        pen.rectangle(box, fill=128)
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(BLUR)).reduce(CELL), dtype=int)
