"""The colours of curves in the style sheet: their contrast, and the differences between them."""

import itertools
import math
import re

import pytest

from ganopt.ui.theme import STYLES, THEME
from ganopt.viz.charts import COLOURS

MODES = {"light": ("", THEME.neutral_50, "#ffffff"), "dark": (".dark ", THEME.neutral_950, THEME.neutral_900)}


def linear(colour: str) -> list[float]:
    """Linear red, green and blue of #rrggbb, from 0 to 1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str) -> tuple[float, float, float]:
    """CIELAB coordinates under D65, in which a distance of 2 is just visible."""
    red, green, blue = linear(colour)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, luminance(colour), z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_contrast_and_lab_agree_with_the_standards():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert lab("#ff0000") == pytest.approx((53.2, 80.1, 67.2), abs=0.2)


@pytest.mark.parametrize("mode", MODES)
def test_the_colours_of_curves_are_visible_and_distinct(mode):
    before, *backgrounds = MODES[mode]
    rules = re.findall(rf"^{before}\.plots \.curve(\d+) {{ color: (#\w{{6}}); }}$", STYLES.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rules] == [*range(COLOURS)] and COLOURS >= 8
    colours = [colour for _, colour in rules]
    assert min(contrast(*pair) for pair in itertools.product(colours, backgrounds)) >= 3
    assert min(math.dist(lab(one), lab(other)) for one, other in itertools.combinations(colours, 2)) >= 30
