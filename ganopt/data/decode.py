"""One picture file -> its pixels. Torch is not imported, so worker processes start fast."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MARGIN = 10  # pixels added on each side of the bounding box of the landmarks
HEAD_MARGIN = 0.1  # added on each side of a head's bounding box, as a share of its longer side
MAX_PIXELS = 100_000_000  # of a picture on the user's own disk
UPLOAD_PIXELS = 16_000_000  # of an uploaded picture
FORMATS = ("JPEG", "PNG", "WEBP")  # their headers give the true decoded size; in other formats of PIL it may be wrong


def decode(path: str, side: int) -> np.ndarray | str:
    """A picture as uint8 (3, side, side), or the reason why it cannot be read."""
    landmarks = Path(f"{path}.cat")

    def face(image: Image.Image) -> Image.Image:
        if landmarks.is_file():  # in the coordinates of the file, before its EXIF rotation
            box = landmark_box(landmarks.read_text(), image.width, image.height)
        else:
            image = ImageOps.exif_transpose(image)
            box = central_box(image.width, image.height)
        return to_rgb(image).resize((side, side), Image.Resampling.LANCZOS, box=box)

    return _read(path, face)


def decode_whole(path: str, most_pixels: int = MAX_PIXELS) -> np.ndarray | str:
    """A picture in its own size, uint8 (3, H, W), or the reason why it cannot be read."""
    return _read(path, lambda image: to_rgb(ImageOps.exif_transpose(image)), most_pixels)


def is_too_large(path: str, most_pixels: int) -> bool:
    """Whether a picture has more pixels, according to its header; False if the file is not a picture."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            return file.width * file.height > most_pixels
    except Exception as error:  # as in `_read`
        return isinstance(error, Image.DecompressionBombError)


def _read(path: str, prepare: Callable[[Image.Image], Image.Image], most_pixels: int = MAX_PIXELS) -> np.ndarray | str:
    too_large = f"it has more than {most_pixels / 1_000_000:g} million pixels"
    try:
        with Image.open(path, formats=FORMATS) as file:  # reads only the header
            if file.width * file.height > most_pixels:
                return too_large
            return np.ascontiguousarray(np.asarray(prepare(file)).transpose(2, 0, 1))
    except UnidentifiedImageError:
        return "it is not a picture"
    except Image.DecompressionBombError:  # over 178 million pixels: PIL does not even read the header
        return too_large
    except MemoryError:
        return "it needs too much memory"
    except Exception as error:  # a damaged file may raise any exception
        return f"it cannot be read ({error})"


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; transparent parts become white."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode.startswith("I;16") or image.mode == "I":  # 16-bit greyscale: PIL would clip, not scale
        return Image.fromarray((np.asarray(image).astype(np.float32) / 257).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


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
