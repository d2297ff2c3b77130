"""Plots as SVG and PNG, tables as CSV and Markdown: from the buttons below them, the same bytes each time."""

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganopt.thesis import comparison, table_text, tables
from ganopt.viz.pens import INK, LIGHT, PAPER


@pytest.fixture
def results(tab):
    """The tab Compare, at its results."""
    tab.get_by_role("tab", name="Compare", exact=True).click()
    tab.locator(".plots svg:visible").first.wait_for()
    return tab


def saved(tab, place, kind: str) -> tuple[str, bytes]:
    """The name and the content of a file from a button in a place."""
    button = place.get_by_role("button", name=f"{kind}: download this")
    button.focus()
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_plot_is_saved_as_svg_and_png_for_slides(results):
    plot = results.locator(".plot:visible").first
    results.emulate_media(color_scheme="light")
    first = {kind: saved(results, plot, kind) for kind in ("SVG", "PNG")}
    results.emulate_media(color_scheme="dark")
    assert {kind: saved(results, plot, kind) for kind in ("SVG", "PNG")} == first
    name, data = first["SVG"]
    assert name == "fid500-against-cats.svg"
    root = ElementTree.fromstring(data)
    looks = {part.get(look) for part in root.iter() for look in ("fill", "stroke")}
    assert root.tag.endswith("svg") and looks <= {None, "none", INK, PAPER, LIGHT[0]}
    assert not root.findall(".//*[@class]") and "real against real 20.00" in "".join(root.itertext())
    name, data = first["PNG"]
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB"))
        assert name == "fid500-against-cats.png" and image.size == (3 * 460, 3 * 300)
    assert (pixels[0] == 255).all() and pixels.min() < 60


def test_a_table_is_saved_as_csv_and_markdown(results):
    shown = [table_text.shown(table) for table in tables.tables(comparison.results())]
    table = next(table for table in shown if table.rows)
    results.get_by_role("button", name=table.title).click()
    place = results.locator(".with-files:visible").first
    expected = {"CSV": table_text.as_csv(table), "Markdown": table_text.markdown(table)}
    for kind, text in expected.items():
        first = saved(results, place, kind)
        assert first[1].decode() == text and saved(results, place, kind) == first
