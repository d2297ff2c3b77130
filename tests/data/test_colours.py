"""Any mode and bit depth becomes the right bytes: many files are made byte by byte, as Pillow does not write them."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganopt.data.decode import decode_whole

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of PNG
WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def png(depth: int, colour_type: int, pixels: Sequence[tuple[int, ...]], transparent: bytes = b"") -> bytes:
    """A row of pixels; for a palette, the colours are red, blue and white."""
    bits = "".join(f"{sample:0{depth}b}" for pixel in pixels for sample in pixel)
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", len(pixels), 1, depth, colour_type, 0, 0, 0))]
    chunks += [(b"PLTE", bytes(RED + BLUE + WHITE))] if colour_type == PALETTE else []
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(samples: np.ndarray, bits: int, kind: int, photometric: int = 1) -> bytes:
    """A row of greys; `kind` is TIFF's SampleFormat: 1 unsigned, 2 signed, 3 floating point."""
    order, data = ("II", "<") if samples.dtype.newbyteorder("=").str[0] == samples.dtype.str[0] else ("MM", ">")
    width = len(samples) * samples.dtype.itemsize * 8 // bits
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 122), (277, 1), (279, 99)]
    tags += [(339, kind)]
    body = struct.pack(f"{data}H", len(tags))
    for tag, value in tags:
        body += struct.pack(f"{data}HHIHH", tag, 3, 1, samples.nbytes if tag == 279 else value, 0)
    return order.encode() + struct.pack(f"{data}HI", 42, 8) + body.ljust(114, b"\0") + samples.tobytes()


def row(path: Path, content: bytes) -> list[tuple[int, ...]]:
    """The decoded pixels of a picture of one row."""
    path.write_bytes(content)
    found = decode_whole(str(path))
    assert isinstance(found, np.ndarray), found
    return [tuple(pixel) for pixel in found[:, 0].T.tolist()]


def greys(*values: int) -> list[tuple[int, ...]]:
    return [(value,) * 3 for value in values]


def be16(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


@pytest.mark.parametrize(
    ("depth", "kind", "pixels", "transparent", "expected"),
    [
        (1, GREY, [(0,), (1,)], b"", greys(0, 255)),
        (1, GREY, [(0,), (1,)], be16(0), greys(255, 255)),
        (2, GREY, [(0,), (1,), (2,), (3,)], b"", greys(0, 85, 170, 255)),
        (2, GREY, [(0,), (1,), (2,), (3,)], be16(1), greys(0, 255, 170, 255)),
        (4, GREY, [(0,), (7,), (8,), (15,)], b"", greys(0, 119, 136, 255)),
        (4, GREY, [(0,), (7,), (8,), (15,)], be16(7), greys(0, 255, 136, 255)),
        (8, GREY, [(0,), (7,), (128,), (255,)], be16(7), greys(0, 255, 128, 255)),
        (16, GREY, [(0,), (0x8080,), (0x8101,), (0xFFFF,)], b"", greys(0, 128, 129, 255)),
        (16, GREY, [(0,), (0x8080,), (0x8101,), (0xFFFF,)], be16(0), greys(255, 128, 129, 255)),
        (16, GREY, [(0,), (0x8080,), (0x8081,)], be16(0x8080), greys(0, 255, 128)),
        (8, RGB, [(1, 2, 3), (4, 5, 6)], be16(4, 5, 6), [(1, 2, 3), WHITE]),
        (16, RGB, [(0x0101, 0x0202, 0x0303), (0x8080, 0, 0)], b"", [(1, 2, 3), (128, 0, 0)]),
        (16, RGB, [(0x0101, 0x0202, 0x0303), (0x8080, 0, 0)], be16(0x8080, 0, 0), [(1, 2, 3), WHITE]),
        (
            16,
            RGB,
            [(0x8000, 0, 0), (0x8080, 0, 0), (0x8080, 0, 1)],
            be16(0x8080, 0, 0),
            [(128, 0, 0), WHITE, (128, 0, 0)],
        ),
        (1, PALETTE, [(0,), (1,)], b"", [RED, BLUE]),
        (2, PALETTE, [(0,), (1,), (2,)], b"\xff\0", [RED, WHITE, WHITE]),
        (4, PALETTE, [(0,), (1,)], b"\x33", [(255, 204, 204), BLUE]),
        (8, PALETTE, [(0,), (1,)], b"\0", [WHITE, BLUE]),
        (8, GREY_ALPHA, [(50, 255), (50, 0), (0, 51)], b"", greys(50, 255, 204)),
        (16, GREY_ALPHA, [(0x3232, 0xFFFF), (0x3232, 0)], b"", greys(50, 255)),
        (8, RGBA, [(1, 2, 3, 255), (1, 2, 3, 0)], b"", [(1, 2, 3), WHITE]),
        (16, RGBA, [(0x0101, 0x0202, 0x0303, 0xFFFF), (0, 0, 0, 0)], b"", [(1, 2, 3), WHITE]),
    ],
)
def test_png_of_each_kind(tmp_path, depth, kind, pixels, transparent, expected):
    assert row(tmp_path / "row.png", png(depth, kind, pixels, transparent)) == expected


@pytest.mark.parametrize(
    ("samples", "type_", "bits", "kind", "photometric", "expected"),
    [
        ([0, 128, 255], "u1", 8, 1, 1, (0, 128, 255)),
        ([0, 128, 255], "u1", 8, 1, 0, (255, 127, 0)),  # white is zero
        ([0, 0x8080, 0xFFFF], "<u2", 16, 1, 1, (0, 128, 255)),
        ([0, 0x8080, 0xFFFF], ">u2", 16, 1, 1, (0, 128, 255)),
        ([0, 0x8080, 0xFFFF], "<u2", 16, 1, 0, (255, 127, 0)),
        ([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00], "u1", 12, 1, 1, (0, 128, 255, 0)),
        ([-5, 16448, 32767], "<i2", 16, 2, 1, (0, 128, 255)),
        ([0, 128, 255], "<u4", 32, 1, 1, (0, 128, 255)),
        ([0, 0x8080, 0xFFFF], "<u4", 32, 1, 1, (0, 128, 255)),
        ([0, 0x80808080, 0xFFFFFFFF], "<u4", 32, 1, 1, (0, 128, 255)),
        ([-5, 0x40404040, 0x7FFFFFFF], "<i4", 32, 2, 1, (0, 128, 255)),
        ([0, 0.5, 1], "<f4", 32, 3, 1, (0, 128, 255)),
        ([0, 0.5, 1], ">f4", 32, 3, 1, (0, 128, 255)),
        ([0, 0.25, 1], "<f4", 32, 3, 0, (255, 191, 0)),
        ([0, 128, 255], "<f4", 32, 3, 1, (0, 128, 255)),
        ([0, 32896, 65535], "<f4", 32, 3, 1, (0, 128, 255)),
        ([-1, np.nan, 0.5, 1], "<f4", 32, 3, 1, (0, 0, 128, 255)),
        ([0, 0, 0], "<f4", 32, 3, 1, (0, 0, 0)),
    ],
)
def test_tiff_of_each_kind(tmp_path, samples, type_, bits, kind, photometric, expected):
    content = tiff(np.array(samples, type_), bits, kind, photometric)
    assert row(tmp_path / "row.tif", content) == greys(*expected)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pgm", b"P5 3 1 255\n\x00\x80\xff", greys(0, 128, 255)),
        ("a.pgm", b"P2 3 1 15\n0 8 15\n", greys(0, 136, 255)),
        ("a.pgm", b"P5 3 1 65535\n" + be16(0, 0x8080, 0xFFFF), greys(0, 128, 255)),
        ("a.pgm", b"P5 3 1 1023\n" + be16(0, 514, 1023), greys(0, 128, 255)),
        ("a.ppm", b"P6 2 1 255\n\x01\x02\x03\xff\x00\x00", [(1, 2, 3), RED]),
        ("a.ppm", b"Pf 3 1 -1.0\n" + struct.pack("<3f", 0, 0.5, 1), greys(0, 128, 255)),
    ],
)
def test_netpbm_of_each_kind(tmp_path, name, content, expected):
    assert row(tmp_path / name, content) == expected


@pytest.mark.parametrize(
    ("mode", "suffix", "colour", "expected"),
    [
        ("1", ".bmp", 1, WHITE),
        ("L", ".bmp", 77, (77, 77, 77)),
        ("RGB", ".bmp", (1, 2, 3), (1, 2, 3)),
        ("RGBA", ".bmp", (1, 2, 3, 255), (1, 2, 3)),
        ("L", ".gif", 77, (77, 77, 77)),
        ("RGB", ".gif", (1, 2, 3), (1, 2, 3)),
        ("RGBA", ".gif", (1, 2, 3, 0), WHITE),
        ("RGBA", ".webp", (1, 2, 3, 0), WHITE),
        ("CMYK", ".tif", (0, 255, 255, 0), RED),
        ("LAB", ".tif", (255, 128, 128), WHITE),
        ("RGBA", ".tif", (0, 100, 200, 51), (204, 224, 244)),
        ("LA", ".tif", (50, 0), WHITE),
        ("1", ".tif", 1, WHITE),
    ],
)
def test_each_mode_of_other_formats(tmp_path, mode, suffix, colour, expected):
    Image.new(mode, (2, 1), colour).save(
        path := tmp_path / f"plain{suffix}", **({"lossless": True} if suffix == ".webp" else {})
    )
    for pixel in row(path, path.read_bytes()):
        assert np.abs(np.subtract(pixel, expected)).max() <= 1, pixel
