"""Drawings as SVG and as pixels: the same marks at the same places, in the colours of the style sheet."""

import re
from xml.etree import ElementTree

import numpy as np

from ganopt.ui.theme import STYLES
from ganopt.viz.drawings import BLUE, TEAL, Area, Arrows, Cells, Curve, Dots, Drawing, Label, Panel, Pixels
from ganopt.viz.pens import LIGHT

BOX = (0.0, 10.0, 0.0, 10.0)


def colours_at(drawing: Drawing, x: float, y: float) -> tuple[int, ...]:
    """The colour of a drawing of one panel without title at (x, y), which are from 0 to 1 from its upper left."""
    image, (width, height) = drawing.image(2), drawing.panels[0].shape
    return image.getpixel((round(2 * (10 + x * width)), round(2 * (10 + y * height))))


def hexadecimal(colour: tuple[int, ...]) -> str:
    return "#" + bytes(colour).hex()


def test_the_colours_are_those_of_light_mode():
    rules = dict(re.findall(r"^\.plots \.curve(\d+) { color: (#\w{6}); }$", STYLES.read_text(), re.MULTILINE))
    assert tuple(rules[str(number)] for number in range(len(LIGHT))) == LIGHT


def test_marks_are_where_they_belong():
    marks = [Dots(np.array([[2.5, 7.5]]), BLUE, 8), Curve(np.array([[0, 2], [10, 2]]), TEAL, 6)]
    drawing = Drawing("marks", [Panel("", BOX, marks, (200, 200))])
    assert hexadecimal(colours_at(drawing, 0.25, 0.25)) == LIGHT[BLUE]  # y grows upwards
    assert hexadecimal(colours_at(drawing, 0.5, 0.8)) == LIGHT[TEAL]
    assert min(colours_at(drawing, 0.75, 0.5)) > 230
    [dots] = [each for each in ElementTree.fromstring(drawing.svg()) if each.get("stroke-linecap")]
    assert dots.get("d") == "M60.0,60.0h0" and dots.get("class") == f"curve{BLUE}"


def test_cells_and_pixels_have_their_first_row_on_top():
    cells = Drawing("cells", [Panel("", BOX, [Cells(np.array([[1.0, 0.0], [0.0, 0.0]]))], (100, 100))])
    assert hexadecimal(colours_at(cells, 0.25, 0.25)) == LIGHT[TEAL] and min(colours_at(cells, 0.25, 0.75)) > 230
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 1] = (200, 10, 20)
    pixels = Drawing("pixels", [Panel("", BOX, [Pixels(picture)], (100, 100))])
    assert colours_at(pixels, 0.75, 0.25) == (200, 10, 20) and colours_at(pixels, 0.25, 0.25) == (0, 0, 0)


def test_an_svg_is_well_formed_and_texts_are_escaped():
    marks = [Label((5, 5), "a < b"), Arrows(np.array([[1, 1]]), np.array([[9, 9]])), Curve(np.empty((0, 2)))]
    drawing = Drawing("one & two", [Panel("p & q", BOX, marks)] * 5, 2, [(TEAL, "x > 0")] * 9)
    root = ElementTree.fromstring(drawing.svg())
    texts = [each.text for each in root if each.tag == "text"]
    assert root.get("aria-label") == "one & two" and texts.count("a < b") == 5 and texts.count("x > 0") == 9
    _, _, width, height = map(float, root.get("viewBox").split())
    assert drawing.image(1).size == (width, height)


def test_areas_are_a_link_or_a_choice_with_a_name_and_do_not_show_as_pixels():
    areas = [Area((0, 5, 0, 10), "one & <only>", link="tab=generate&seeds=7"), Area((5, 10, 0, 5), "two", choice="2")]
    drawing = Drawing("areas", [Panel("", BOX, areas, (200, 100))])
    svg = ElementTree.fromstring(drawing.svg())
    link, choice = (each for each in svg if each.get("class") == "area")
    assert (link.tag, link.get("href"), link.get("aria-label")) == ("a", "?tab=generate&seeds=7", "one & <only>")
    assert (choice.get("role"), choice.get("data-choice"), choice.get("tabindex")) == ("checkbox", "2", "0")
    assert choice[0].attrib == {"x": "110.0", "y": "60.0", "width": "100.0", "height": "50.0"}
    empty = Drawing("areas", [Panel("", BOX, [], (200, 100))])
    assert svg.get("role") == "group" and ElementTree.fromstring(empty.svg()).get("role") == "img"
    assert drawing.image().tobytes() == empty.image().tobytes()
