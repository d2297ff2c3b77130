"""Diagrams: well formed, inside their box, told in words, each verdict below its picture."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from ganopt.viz import diagrams

FACES = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
SURE = diagrams.Judge("plain-critic & more", True, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), (0.6, 0.7, 0.8, 0.9, 1.0))
SCORED = diagrams.Judge("projected", False, (-1.5, 0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
ALL = {
    "adversarial": diagrams.adversarial(),
    "transfer": diagrams.transfer(),
    "distillation": diagrams.distillation(),
    "one critic": diagrams.learning(FACES, FACES[:5], [SURE]),
    "two critics": diagrams.learning(FACES, FACES[:5], [SURE, SCORED]),
}


@pytest.mark.parametrize("name", ALL)
def test_a_diagram_is_told_in_words_takes_the_colours_of_the_page_and_stays_in_its_box(name):
    root = ElementTree.fromstring(ALL[name])
    assert root.get("role") == "img" and len(root.get("aria-label")) > 100
    assert not re.search("#[0-9a-f]{3}", ALL[name]) and "currentColor" in ALL[name]
    _, _, width, height = map(float, root.get("viewBox").split())
    for each in root:
        if each.tag in ("rect", "image"):
            x, y, wide, high = (float(each.get(key)) for key in ("x", "y", "width", "height"))
            assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
        if each.tag == "path":
            places = np.array([pair.split(",") for pair in re.findall(r"[\d.-]+,[\d.-]+", each.get("d"))], float)
            assert (places >= 0).all() and (places <= (width, height)).all()


def test_each_verdict_stands_below_its_picture():
    root = ElementTree.fromstring(ALL["two critics"])
    pictures = [each for each in root if each.tag == "image"]
    texts = {each.text: each for each in root if each.tag == "text"}
    said = ["0%", "10%", "20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%", "100%"]
    scores = ["-1.50", *(f"+{score}.00" for score in range(10))]
    assert len(pictures) == 11
    for names, lines in ((said, (0, 16)), (scores, (15, 31))):
        for picture, name in zip(pictures, names, strict=True):
            x, y, side = (float(picture.get(key)) for key in ("x", "y", "width"))
            assert float(texts[name].get("x")) == pytest.approx(x + side / 2, abs=0.2)
            assert lines[0] < float(texts[name].get("y")) - y - side < lines[1]
    assert "plain-critic & more (probability of being real): generated 0%, 10%" in root.get("aria-label")
    assert "projected (score, higher for real): generated -1.50, +0.00" in root.get("aria-label")


def test_real_pictures_may_be_hidden_but_not_their_verdicts():
    root = ElementTree.fromstring(diagrams.learning(FACES, None, [SURE]))
    assert sum(each.tag == "image" for each in root) == 6
    assert "70%" in [each.text for each in root if each.tag == "text"]
