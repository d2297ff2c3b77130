"""Diagrams of networks that learn, as SVG in the page's colours: one of a run's pictures, and those of the methods."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganopt.viz.drawings import BLUE, INK, ORANGE, TEAL, VIOLET
from ganopt.viz.pens import SvgPen

WIDTH = 460
FACE, GAP, COLUMNS = 64, 6, 3  # of the pictures of a run, in pixels
BLOCK = COLUMNS * (FACE + GAP) - GAP
LEFT, RIGHT = 10, WIDTH - 10 - BLOCK  # of the generated and of the real pictures
BOX, LETTERS, LINE = 28, 13, 16  # height of a box, sizes of text and of a verdict's line
CRITICS = (TEAL, ORANGE, VIOLET, BLUE)  # colours


@dataclass(frozen=True)
class Judge:
    """A critic's verdicts on six generated pictures and up to six real ones: probabilities of being real, or scores."""

    name: str
    are_probabilities: bool
    generated: Sequence[float]
    real: Sequence[float]

    @property
    def meaning(self) -> str:
        """What its numbers are."""
        return "probability of being real" if self.are_probabilities else "score, higher for real"

    def text(self, value: float) -> str:
        """A verdict as text."""
        return f"{value:.0%}" if self.are_probabilities else f"{value:+.2f}"


def learning(generated: np.ndarray, real: np.ndarray | None, judges: Sequence[Judge]) -> str:
    """A run's generator and critics, and between them a batch with the verdicts under each picture.

    Pictures are uint8 (N, H, W, 3); real ones that are None are not shown.
    """
    pen, step = SvgPen(), FACE + LINE * len(judges) + GAP
    top = 10 + BOX + 22
    bottom = top + 2 * step + 18
    pen.rectangle(2, top - 8, WIDTH - 4, 2 * step + 10, INK, 0.06)
    _box(pen, LEFT, 10, 70, "latents")
    _box(pen, LEFT + BLOCK - 100, 10, 100, "generator")
    _box(pen, RIGHT, 10, BLOCK, "training pictures")
    _arrow(pen, (LEFT + 70, 10 + BOX / 2), (LEFT + BLOCK - 100, 10 + BOX / 2))
    for middle in (LEFT + BLOCK - 50, RIGHT + BLOCK / 2):
        _arrow(pen, (middle, 10 + BOX), (middle, top - 8))
    _pictures(pen, LEFT, top, generated, [(each, each.generated) for each in judges])
    _pictures(pen, RIGHT, top, real, [(each, each.real) for each in judges])
    for middle in (LEFT + BLOCK / 2, RIGHT + BLOCK / 2):
        _arrow(pen, (middle, bottom - 16), (middle, bottom))
    for index, judge in enumerate(judges):
        _box(pen, LEFT, bottom + index * (BOX + GAP), WIDTH - 20, f"{judge.name}: {judge.meaning}", _colour(index))
    _arrow(pen, (WIDTH / 2, bottom), (WIDTH / 2, 10 + BOX / 2), (LEFT + BLOCK, 10 + BOX / 2), dash="4 3")
    return _svg(pen, bottom + len(judges) * (BOX + GAP) + 4, _spoken(judges))


def _pictures(
    pen: SvgPen, left: float, top: float, pictures: np.ndarray | None, verdicts: Sequence[tuple[Judge, Sequence[float]]]
) -> None:
    """Two rows of pictures, or empty places for them, and what each critic says below each."""
    for index in range(len(verdicts[0][1]) if verdicts else 0):
        x = left + index % COLUMNS * (FACE + GAP)
        y = top + index // COLUMNS * (FACE + LINE * len(verdicts) + GAP)
        if pictures is None:
            pen.rectangle(x, y, FACE, FACE, INK, 0.12)
        else:
            pen.picture(pictures[index], x, y, FACE, FACE)
        for row, (judge, values) in enumerate(verdicts):
            down = y + FACE + 1 + LINE * row
            if judge.are_probabilities:
                pen.rectangle(x, down, FACE * values[index], LINE - 2, _colour(row), 0.3)
            pen.text(x + FACE / 2, down + LINE / 2 - 1, judge.text(values[index]), LETTERS, "middle")


def _spoken(judges: Sequence[Judge]) -> str:
    """The diagram of a run in words."""
    parts = ["The generator draws faces from latents; the critics judge them and real pictures"]
    for judge in judges:
        lists = (", ".join(map(judge.text, values)) for values in (judge.generated, judge.real))
        parts.append("{} ({}): generated {}; real {}".format(judge.name, judge.meaning, *lists))
    return ". ".join(parts)


def adversarial() -> str:
    """Adversarial training."""
    pen = SvgPen()
    _box(pen, 10, 20, 110, "random latents")
    _box(pen, 10, 90, 110, "generator", TEAL)
    _box(pen, 165, 90, 130, "generated pictures")
    _box(pen, 165, 170, 130, "photographs")
    _box(pen, 340, 130, 110, "critic", ORANGE)
    _box(pen, 340, 210, 110, "real or not?")
    for points in (
        ((65, 48), (65, 90)),
        ((120, 104), (165, 104)),
        ((295, 104), (340, 138)),
        ((295, 184), (340, 150)),
        ((395, 158), (395, 210)),
    ):
        _arrow(pen, *points)
    _arrow(pen, (395, 130), (395, 62), (95, 62), (95, 90), dash="4 3")
    pen.text(245, 52, "gradients: what would look more real", LETTERS, "middle")
    return _svg(
        pen,
        250,
        "Adversarial training: the generator turns random latents into pictures. The critic sees them and photographs, "
        "and says which are real. Its gradients go back to the generator and show what would look more real",
    )


def transfer() -> str:
    """Transfer learning with frozen first layers."""
    pen, layers = SvgPen(), 5
    for row, (name, top) in enumerate((("generator of cats", 30), ("generator of dogs", 150))):
        pen.text(10, top - 12, f"{name}, {('trained before', 'trained further')[row]}", LETTERS, "start")
        for layer in range(layers):
            left = 10 + 90 * layer
            frozen = layer < 2
            text = f"layer {layer + 1}" if not row else "frozen" if frozen else "trained"
            _box(pen, left, top, 76, text, (BLUE if frozen else ORANGE) if row else INK)
            if layer:
                _arrow(pen, (left - 14, top + BOX / 2), (left, top + BOX / 2))
            if row:
                _arrow(pen, (left + 38, 62), (left + 38, 118))
    pen.text(WIDTH / 2, 205, "frozen: pose, gaze and colours, which both animals share", LETTERS, "middle")
    pen.text(WIDTH / 2, 225, "trained: on pictures of dogs, against a critic", LETTERS, "middle")
    return _svg(
        pen,
        250,
        "Transfer learning: all five layers of a generator of cats are copied. The first two stay frozen; the other "
        "three are trained on pictures of dogs, against a critic",
    )


def distillation() -> str:
    """Distillation of a teacher into a student."""
    pen = SvgPen()
    _box(pen, 10, 90, 80, "one latent")
    _box(pen, 125, 30, 120, "large teacher", BLUE)
    _box(pen, 125, 150, 120, "small student", TEAL)
    _box(pen, 280, 30, 90, "its picture")
    _box(pen, 280, 150, 90, "its picture")
    _box(pen, 355, 90, 95, "difference")
    _box(pen, 280, 210, 90, "critic", ORANGE)
    for points in (
        ((90, 98), (125, 50)),
        ((90, 110), (125, 158)),
        ((245, 44), (280, 44)),
        ((245, 164), (280, 164)),
        ((355, 58), (385, 90)),
        ((355, 150), (385, 118)),
        ((325, 178), (325, 210)),
    ):
        _arrow(pen, *points)
    _arrow(pen, (355, 104), (185, 104), (185, 150), dash="4 3")
    _arrow(pen, (280, 224), (185, 224), (185, 178), dash="4 3")
    return _svg(
        pen,
        250,
        "Distillation: a large, finished teacher and a small student draw a picture of the same latent. The difference "
        "between the pictures and a critic's verdict on the student's teach the student",
    )


def _colour(index: int) -> int:
    return CRITICS[index % len(CRITICS)]


def _svg(pen: SvgPen, height: float, label: str) -> str:
    """The finished diagram, with a text for those who do not see it."""
    name = html.escape(label, quote=True)
    return f"<svg viewBox='0 0 {WIDTH} {height:.0f}' role='img' aria-label='{name}'>{''.join(pen.parts)}</svg>"


def _box(pen: SvgPen, x: float, y: float, width: float, text: str, colour: int = INK) -> None:
    """A named box with an outline."""
    pen.rectangle(x, y, width, BOX, colour, 0.14)
    edges = [(x, y), (x + width, y), (x + width, y + BOX), (x, y + BOX), (x, y)]
    pen.line(np.array(edges, float), colour, 1.5, "")
    pen.text(x + width / 2, y + BOX / 2, text, LETTERS, "middle")


def _arrow(pen: SvgPen, *points: tuple[float, float], dash: str = "") -> None:
    """An arrow along points, of which a dashed one carries gradients."""
    path = np.array(points, float)
    pen.line(path, INK, 1.5, dash)
    back = path[-2] - path[-1]
    back *= 7 / max(float(np.hypot(*back)), 1e-9)
    across = np.array((-back[1], back[0])) * 0.5
    pen.line(np.stack((path[-1] + back + across, path[-1], path[-1] + back - across)), INK, 1.5, "")
