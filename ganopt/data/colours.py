"""Pixels of any mode and bit depth -> RGB, with the transparent ones white."""

from typing import IO

import numpy as np
from PIL import Image

PNG_GREYS = {"L;2": 85, "L;4": 17}  # Pillow scales these greys up to bytes, but not the transparent one
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
SIGNED = (2,)
FLOAT_WHITES = (1, 255, 65535)


def correct_transparency(image: Image.Image, file: str | IO[bytes]) -> None:
    """Make the transparent colour of a PNG file that of its pixels. Call it before they are loaded.

    Greys are scaled to bytes as they will be. Of 16 bits, Pillow loads only the higher 8, in which other colours may be
    the same; so the transparent pixels are found in all bits, and the image gets an alpha channel.
    """
    colour = image.info.get("transparency")
    tiles = getattr(image, "tile", [])
    raw_mode = str(tiles[0][3]) if image.format == "PNG" and tiles else ""
    if raw_mode in ("L", *PNG_GREYS) and isinstance(colour, int):
        image.info["transparency"] = min(colour * PNG_GREYS.get(raw_mode, 1), 255)
    elif raw_mode == "RGB;16B" and isinstance(colour, tuple):
        del image.info["transparency"]
        higher, lower = zip(*(divmod(value, 256) for value in colour), strict=True)
        is_other = (np.asarray(image) != higher) | (_lower_bytes(file) != lower)
        image.putalpha(Image.fromarray(np.uint8(255) * is_other.any(axis=2)))


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; transparent parts become white."""
    if image.mode.startswith("I") or image.mode == "F":  # Pillow would clip, not scale
        return Image.fromarray(_grey_bytes(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _lower_bytes(file: str | IO[bytes]) -> np.ndarray:
    """The lower bytes of a PNG file's 16-bit colours, uint8 (H, W, 3): those that are the higher ones in reverse."""
    with Image.open(file, formats=["PNG"]) as image:
        image.tile = [(*tile[:3], "RGB;16L") for tile in image.tile]  # type: ignore[misc]  # any tuple
        return np.asarray(image)


def _grey_bytes(image: Image.Image) -> np.ndarray:
    """Greys of more than 8 bits, uint8 (H, W), rounded; the transparent grey is white.

    Where white is not given by the depth, as in floating point, it is 1, 255 or 65535: the first that no pixel exceeds.
    """
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(BITS) == (32,) and tags.get(SAMPLE_FORMAT) != SIGNED:
        values = values.view(np.uint32)
    greys = np.nan_to_num(values.astype(np.float64), posinf=0)
    top = greys.max(initial=0)
    if image.mode == "F":
        white = next((white for white in FLOAT_WHITES if top <= white), top)
    elif tags.get(BITS) == (32,):
        white = next((white for white in FLOAT_WHITES[1:] if top <= white), np.iinfo(values.dtype).max)
    else:
        (bits,) = tags.get(BITS, (16,))
        white = 2 ** (bits - (tags.get(SAMPLE_FORMAT) == SIGNED)) - 1
    found = np.rint(greys / white * 255).clip(0, 255).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:  # white is zero
        found = 255 - found
    if isinstance(transparent := image.info.get("transparency"), int):
        found[values == transparent] = 255
    return found
