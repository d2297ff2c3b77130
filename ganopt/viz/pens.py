"""Two pens for one drawing: SVG in the page's colours, and pixels. All lengths are in pixels of the SVG."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LIGHT = ("#0f766e", "#c2650a", "#7c3aed", "#db2777", "#0284c7", "#4d7c0f", "#b91c1c", "#1e293b")  # as in theme.css
INK, PAPER = "#1c1e21", "#ffffff"
FINER = 2  # pixels are drawn that much finer, then averaged


def png_bytes(image: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def png_address(data: bytes) -> str:
    """The address of a picture that contains it, the bytes of a PNG file."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


class SvgPen:
    """Collects the parts of an SVG."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def line(self, points: np.ndarray, colour: int, width: float, dash: str) -> None:
        """A line through points (N, 2)."""
        self.lines([points], colour, width, dash)

    def lines(self, pieces: Sequence[np.ndarray], colour: int, width: float, dash: str = "") -> None:
        """Lines of one look, each through points (N, 2), as one path."""
        dashes = f" stroke-dasharray='{dash}'" if dash else ""
        path = "".join(f"M{_path(points)}" for points in pieces if len(points))
        self.parts.append(
            f"<path d='{path}'{_look(colour)} fill='none' stroke='currentColor' stroke-width='{width:g}'{dashes}/>"
        )

    def dots(self, points: np.ndarray, colour: int, radius: float) -> None:
        """Dots at points (N, 2), as one path of lines without length and with round ends."""
        if len(points):
            path = "".join(f"M{x:.1f},{y:.1f}h0" for x, y in points)
            self.parts.append(
                f"<path d='{path}'{_look(colour)} stroke='currentColor' stroke-width='{2 * radius:g}' "
                "stroke-linecap='round'/>"
            )

    def rectangle(self, x: float, y: float, width: float, height: float, colour: int, opacity: float) -> None:
        """A filled rectangle."""
        size = f"x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'"
        self.parts.append(f"<rect {size}{_look(colour)} fill='currentColor' fill-opacity='{opacity:.2f}'/>")

    def text(self, x: float, y: float, text: str, size: float, anchor: str) -> None:
        """A text whose middle is at the height y."""
        self.parts.append(
            f"<text x='{x:.1f}' y='{y + 0.35 * size:.1f}' font-size='{size:g}' text-anchor='{anchor}' "
            f"fill='currentColor'>{html.escape(text)}</text>"
        )

    def picture(self, picture: np.ndarray, x: float, y: float, width: float, height: float) -> None:
        """A picture, uint8 (H, W, 3), in a box."""
        source = png_address(png_bytes(Image.fromarray(picture)))
        size = f"x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'"
        self.parts.append(f"<image {size} preserveAspectRatio='none' image-rendering='pixelated' href='{source}'/>")

    def area(self, x: float, y: float, width: float, height: float, name: str, link: str, choice: str) -> None:
        """A box that opens a link, or is a choice."""
        size = f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'/>"
        name, link, choice = (html.escape(text, quote=True) for text in (name, link, choice))
        if link:
            self.parts.append(f"<a class='area' href='?{link}' aria-label='{name}'>{size}</a>")
        else:
            state = f"role='checkbox' aria-checked='false' tabindex='0' data-choice='{choice}'"
            self.parts.append(f"<g class='area' {state} aria-label='{name}'>{size}</g>")


class PixelPen:
    """Draws on white in the colours of light mode."""

    def __init__(self, size: tuple[int, int], scale: int) -> None:
        self.factor = scale * FINER
        self.page = Image.new("RGB", (size[0] * self.factor, size[1] * self.factor), PAPER)
        self.pen = ImageDraw.Draw(self.page)

    def image(self) -> Image.Image:
        """The finished picture."""
        return self.page.reduce(FINER)

    def line(self, points: np.ndarray, colour: int, width: float, dash: str) -> None:
        """A line through points (N, 2)."""
        points, width = points * self.factor, max(round(width * self.factor), 1)
        for piece in _dashes(points, [float(part) * self.factor for part in dash.split()]) if dash else [points]:
            self.pen.line([*map(tuple, piece)], _colour(colour), width, joint="curve")

    def lines(self, pieces: Sequence[np.ndarray], colour: int, width: float) -> None:
        """Lines of one look, each through points (N, 2)."""
        for points in pieces:
            self.line(points, colour, width, "")

    def dots(self, points: np.ndarray, colour: int, radius: float) -> None:
        """Dots at points (N, 2)."""
        for x, y in points * self.factor:
            reach = radius * self.factor
            self.pen.ellipse((x - reach, y - reach, x + reach, y + reach), _colour(colour))

    def rectangle(self, x: float, y: float, width: float, height: float, colour: int, opacity: float) -> None:
        """A filled rectangle, mixed with white."""
        left, top, right, bottom = (round(edge * self.factor) for edge in (x, y, x + width, y + height))
        mixed = Image.blend(Image.new("RGB", (1, 1), PAPER), Image.new("RGB", (1, 1), _colour(colour)), opacity)
        self.page.paste(mixed.resize((max(right - left, 0), max(bottom - top, 0))), (left, top))

    def text(self, x: float, y: float, text: str, size: float, anchor: str) -> None:
        """A text whose middle is at the height y."""
        at = {"start": "lm", "middle": "mm", "end": "rm"}[anchor]
        font = ImageFont.load_default(size * self.factor)
        self.pen.text((x * self.factor, y * self.factor), text, INK, font, anchor=at)

    def picture(self, picture: np.ndarray, x: float, y: float, width: float, height: float) -> None:
        """A picture, uint8 (H, W, 3), in a box."""
        left, top, right, bottom = (round(edge * self.factor) for edge in (x, y, x + width, y + height))
        size = (max(right - left, 1), max(bottom - top, 1))
        self.page.paste(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), (left, top))

    def area(self, x: float, y: float, width: float, height: float, name: str, link: str, choice: str) -> None:
        """Nothing, as pixels cannot be clicked."""


def _colour(colour: int) -> str:
    return INK if colour < 0 else LIGHT[colour]


def _look(colour: int) -> str:
    return f" class='curve{colour}'" if colour >= 0 else ""


def _path(points: np.ndarray) -> str:
    return "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _dashes(points: np.ndarray, pattern: list[float]) -> list[np.ndarray]:
    """The pieces of a line that a pattern of dash and gap leaves."""
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    on, off = pattern[0], pattern[1] if len(pattern) > 1 else pattern[0]
    pieces = []
    for start in np.arange(0, lengths[-1], on + off):
        distances = np.linspace(start, min(start + on, lengths[-1]), 3)
        pieces.append(np.stack([np.interp(distances, lengths, points[:, axis]) for axis in (0, 1)], 1))
    return pieces
