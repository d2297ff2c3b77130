"""One picture file -> its pixels. Torch is not imported, to start fast."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import numpy as np
import pillow_heif
from PIL import Image, UnidentifiedImageError, features

from ganopt.data.colours import correct_transparency, to_rgb

AVIF = "avif" in features.modules and features.check("avif")
FORMATS = ("BMP", "GIF", "HEIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", *(("AVIF",) if AVIF else ()))
SUFFIXES = {
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    *(".heic", ".heif", ".hif"),
    *((".avif",) if AVIF else ()),
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = (b"tRNS", b"eXIf")  # chunks of PNG besides the critical ones: transparency and orientation
MARGIN = 10  # pixels added on each side of the bounding box of the landmarks
HEAD_MARGIN = 0.1  # added on each side of a head's bounding box, as a share of its longer side
MAX_PIXELS = 100_000_000  # of a picture on the user's own disk
UPLOAD_PIXELS = 16_000_000  # of an uploaded picture
ORIENTATION = 0x0112  # EXIF's tag
TURNS: dict[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

pillow_heif.register_heif_opener()  # the photographs of phones
warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata, which is not used


def decode(source: str | bytes, side: int) -> np.ndarray | str:
    """A picture, of a path or of a file's bytes, as uint8 (3, side, side), or the reason why it cannot be read.

    The first one of an animation.
    """
    landmarks = f"{source}.cat" if isinstance(source, str) else ""

    def face(image: Image.Image) -> Image.Image:
        if os.path.isfile(landmarks):  # in the coordinates of the file, before its EXIF rotation
            box = landmark_box(Path(landmarks).read_text(encoding="utf-8"), image.width, image.height)
        else:
            image = upright(image)
            box = central_box(image.width, image.height)
        return to_rgb(image).resize((side, side), Image.Resampling.LANCZOS, box=box)

    return _read(source, face)


def decode_whole(path: str, most_pixels: int = MAX_PIXELS) -> np.ndarray | str:
    """A picture in its own size, uint8 (3, H, W), or the reason why it cannot be read."""
    return _read(path, lambda image: to_rgb(upright(image)), most_pixels)


def is_too_large(path: str, most_pixels: int) -> bool:
    """Whether a picture has more pixels, according to its header; False if the file is not a picture."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            return file.width * file.height > most_pixels
    except Exception as error:  # as in `_read`
        return isinstance(error, Image.DecompressionBombError)


def _read(
    source: str | bytes, prepare: Callable[[Image.Image], Image.Image], most_pixels: int = MAX_PIXELS
) -> np.ndarray | str:
    too_large = f"it has more than {most_pixels / 1_000_000:g} million pixels"

    def pixels(file: str | IO[bytes]) -> np.ndarray | str:
        with Image.open(file, formats=FORMATS) as image:  # reads only the header
            if image.width * image.height > most_pixels:
                return too_large
            correct_transparency(image, file)
            return np.ascontiguousarray(np.asarray(prepare(image)).transpose(2, 0, 1))

    try:
        try:
            return pixels(BytesIO(source) if isinstance(source, bytes) else source)
        except (MemoryError, Image.DecompressionBombError):
            raise
        except Exception:
            with BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
                bare = _without_metadata(file)
            if bare is None:
                raise
            return pixels(BytesIO(bare))
    except UnidentifiedImageError:
        return "it is not a picture"
    except Image.DecompressionBombError:  # over 178 million pixels: PIL does not even read the header
        return too_large
    except MemoryError:
        return "it needs too much memory"
    except Exception as error:  # a damaged file may raise any exception
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"it cannot be read ({reason[:200]})"


def upright(image: Image.Image) -> Image.Image:
    """A picture turned by the orientation that its metadata tells. All other metadata, damaged or not, is ignored."""
    if image.format == "TIFF":  # Pillow turns it when it is loaded, but reads other tags too
        _drop_other_tags(image)
    image.load()
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION))
    except Exception:  # of damaged metadata
        return image
    return image if turn is None else image.transpose(turn)


def _drop_other_tags(image: Image.Image) -> None:
    try:
        tags = image.getexif()
        for tag in set(tags) - {ORIENTATION}:
            del tags[tag]
    except Exception:  # of damaged metadata: what could be read is kept
        return


def central_box(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest central square: (left, top, right, bottom)."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def landmark_box(text: str, width: int, height: int) -> tuple[int, int, int, int]:
    """The face of a `.cat` file, `9 x1 y1 ... x9 y9`, as in the thesis. The bounding box of the points is widened by
    10 pixels on each side and clipped to the picture, then extended to a square from its top left corner, which is
    moved back into the picture if it exceeds it. Raises ValueError for another format.
    """
    numbers = [int(number) for number in text.split()]
    if len(numbers) != 19 or numbers[0] != 9:
        raise ValueError("its .cat file does not contain nine points")
    xs, ys = numbers[1::2], numbers[2::2]
    left, right = max(min(xs) - MARGIN, 0), min(max(xs) + MARGIN, width)
    top, bottom = max(min(ys) - MARGIN, 0), min(max(ys) + MARGIN, height)
    side = min(max(right - left, bottom - top), width, height)
    if side <= 0:
        raise ValueError("its landmarks are outside the picture")
    left, top = min(left, width - side), min(top, height - side)
    return left, top, left + side, top + side


def head_box(text: str, width: int, height: int) -> tuple[int, int, int, int]:
    """The square around the first bounding box of a VOC file: (left, top, right, bottom), in pixels.

    The box is widened by a tenth of its longer side on each side, and the square is moved back into the picture if it
    exceeds it. Raises ValueError or SyntaxError for another format.
    """
    if "<!DOCTYPE" in text:
        raise ValueError("its XML defines entities")
    root = ElementTree.fromstring(text)
    corners = [int(root.findtext(f"object/bndbox/{name}", "")) for name in ("xmin", "ymin", "xmax", "ymax")]
    left, right = (min(max(x, 0), width) for x in corners[::2])
    top, bottom = (min(max(y, 0), height) for y in corners[1::2])
    if left >= right or top >= bottom:
        raise ValueError("its bounding box is outside the picture")
    side = min(round(max(right - left, bottom - top) * (1 + 2 * HEAD_MARGIN)), width, height)
    left = min(max((left + right - side) // 2, 0), width - side)
    top = min(max((top + bottom - side) // 2, 0), height - side)
    return left, top, left + side, top + side


def _without_metadata(file: IO[bytes]) -> bytes | None:
    """A PNG file without the chunks that a decoder may skip; None if it is another file.

    Pillow reads none with a damaged or oversized chunk of metadata, which other programs skip.
    """
    if file.read(8) != PNG_SIGNATURE:
        return None
    parts = [PNG_SIGNATURE]
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if size > 1 << 31:
            break
        content, sum_ = file.read(size), file.read(4)
        is_critical, is_whole = kind[0] & 0x20 == 0, sum_ == zlib.crc32(kind + content).to_bytes(4, "big")
        if is_critical or (kind in NEEDED and is_whole):
            parts += [head, content, sum_]
    return b"".join(parts)
