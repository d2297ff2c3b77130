"""Sheets of labelled pictures, animations and zip files."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganopt.files import atomic_write
from ganopt.models.sampling import to_image
from ganopt.viz.pens import png_bytes

GAP = 8  # pixels between the pictures of a sheet
CAPTION = 20  # pixels for the text under each
INK, PAPER = "#1c1e21", "#ffffff"


def sheet(pictures: Tensor, captions: list[str], columns: int | None = None) -> Image.Image:
    """Pictures uint8 (N, 3, H, W) in a grid with a caption under each; by default as square as possible."""
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures.shape[2:]
    page = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * (height + CAPTION + GAP)), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = GAP + index % columns * (width + GAP)
        top = GAP + index // columns * (height + CAPTION + GAP)
        page.paste(to_image(picture), (left, top))
        pen.text((left + width / 2, top + height + CAPTION / 2), caption, INK, font, anchor="mm")
    return page


def comparison(
    pictures: Tensor, heads: list[list[str]], captions: list[list[str]], notes: Sequence[str] = (), scale: int = 2
) -> Image.Image:
    """Pictures uint8 (models, seeds, 3, H, W): a column per model with heading lines, and a caption under each picture.

    Everything is `scale` times as large, and the pictures are interpolated. Notes stand below, in as many lines as they
    need. The same input gives the same pixels.
    """
    gap, line = GAP * scale, CAPTION * scale
    font = ImageFont.load_default(13 * scale)
    texts = [text for column in (*heads, *captions) for text in column]
    (models, seeds), (height, width) = pictures.shape[:2], (scale * side for side in pictures.shape[3:])
    column = math.ceil(max(width, *map(font.getlength, texts))) + gap
    row, top = height + line + gap, 2 * gap + max(map(len, heads)) * line
    wrapped = [text for note in notes for text in _wrapped(note, font, models * column - gap)]
    below = top + seeds * row
    page = Image.new("RGB", (gap + models * column, below + len(wrapped) * line + gap * bool(wrapped)), PAPER)
    pen = ImageDraw.Draw(page)
    for x, faces, head, captioned in zip(range(models), pictures, heads, captions, strict=True):
        middle = gap + x * column + (column - gap) // 2
        for number, text in enumerate(head):
            pen.text((middle, gap + (number + 0.5) * line), text, INK, font, anchor="mm")
        for y, face, caption in zip(range(seeds), faces, captioned, strict=True):
            image = to_image(face).resize((width, height), Image.Resampling.LANCZOS)
            page.paste(image, (middle - width // 2, top + y * row))
            pen.text((middle, top + y * row + height + line / 2), caption, INK, font, anchor="mm")
    for number, text in enumerate(wrapped):
        pen.text((gap, below + (number + 0.5) * line), text, INK, font, anchor="lm")
    return page


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    """The lines of a text that is broken between words where it would be wider."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def enlarged(picture: Tensor, side: int = 512) -> Image.Image:
    """A picture uint8 (3, H, W), enlarged by a whole factor to at most `side` pixels, with Lanczos's filter."""
    factor = max(side // max(picture.shape[1:]), 1)
    image = to_image(picture)
    return image.resize((factor * image.width, factor * image.height), Image.Resampling.LANCZOS)


def save_animation(pictures: Tensor, path: Path, seconds: float = 3.0) -> None:
    """Save frames uint8 (N, 3, H, W) as a lossless animated WebP that plays forwards and backwards in a loop.

    `seconds` is the duration of one direction. Raises UserError if the file cannot be written.
    """
    frames = [to_image(picture) for picture in [*pictures, *pictures[1:-1].flip(0)]]
    with atomic_write(path) as temporary:
        frames[0].save(
            temporary,
            format="WebP",
            save_all=True,
            append_images=frames[1:],
            duration=round(1000 * seconds / max(len(pictures) - 1, 1)),
            loop=0,
            lossless=True,
        )


def save_zip(pictures: Tensor, names: list[str], path: Path) -> None:
    """Save pictures uint8 (N, 3, H, W) as `NAME.png` in a zip file with a sheet; equal input gives equal bytes."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        images = {name: to_image(picture) for name, picture in zip(names, pictures, strict=True)}
        for name, image in (images | {"sheet": sheet(pictures, names)}).items():
            archive.writestr(zipfile.ZipInfo(f"{name}.png"), png_bytes(image))
