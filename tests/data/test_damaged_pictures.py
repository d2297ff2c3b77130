"""Damage in a picture's metadata does not matter; a damaged picture is skipped for a reason that fits a sentence."""

import io
import random
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ganopt.data import image_folder
from ganopt.data.decode import decode_whole

ORIENTATION = (0x0112, 3, 1, struct.pack("<HH", 6, 0))
SIZE = (24, 16)


def exif(*tags: tuple[int, int, int, bytes]) -> bytes:
    """An EXIF block of tags: number, type, count, value."""
    entries = b"".join(struct.pack("<HHI", *numbers) + value for *numbers, value in sorted(tags))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def picture(draw_face, kind: str, block: bytes = b"") -> bytes:
    file, options = io.BytesIO(), {}
    if kind == "png":  # with texts, one of them compressed
        options["pnginfo"] = texts = PngImagePlugin.PngInfo()
        texts.add_text("Title", "a face")
        texts.add_itxt("Comment", "a face " * 9, zip=True)
    draw_face(1, SIZE).save(file, kind, **options, **({"exif": block} if block else {}))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(
    "tag",
    [
        (0x8769, 6, 1, b"\xff" * 4),  # a signed place of more tags
        (0x010F, 5, 1, bytes(4)),  # a fraction in place of the camera's name
        (0x010F, 11, 1, bytes(4)),
        (0x011A, 1, 1, bytes(4)),
        (0x011A, 2, 1, bytes(4)),
        (0x011A, 11, 1, b"\xff" * 4),  # no number as the resolution
        (0x8825, 4, 2**32 - 1, b"\xff" * 4),
        (0xA005, 1, 1, bytes(4)),
        (0x9286, 99, 1, bytes(4)),
    ],
)
def test_a_broken_tag_beside_the_orientation_is_ignored(tmp_path, draw_face, kind, tag):
    (tmp_path / "a").write_bytes(picture(draw_face, kind))
    (tmp_path / "b").write_bytes(picture(draw_face, kind, exif(ORIENTATION, tag)))
    plain, turned = (decode_whole(str(tmp_path / name)) for name in "ab")
    assert isinstance(turned, np.ndarray), turned
    assert np.array_equal(turned, np.rot90(plain, -1, axes=(1, 2)))


@pytest.mark.parametrize("damage", [b"Exif", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 99])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_block_of_broken_metadata_is_ignored(tmp_path, draw_face, kind, damage):
    (tmp_path / "a").write_bytes(picture(draw_face, kind))
    (tmp_path / "b").write_bytes(picture(draw_face, kind, damage))
    assert np.array_equal(*(decode_whole(str(tmp_path / name)) for name in "ab"))


@pytest.mark.parametrize("chunk", [b"tEXt", b"iTXt", b"eXIf"])
def test_a_damaged_chunk_of_metadata_in_a_png_file_is_ignored(tmp_path, draw_face, chunk):
    content = bytearray(picture(draw_face, "png", exif((0x0112, 3, 1, bytes(4)))))
    (tmp_path / "a.png").write_bytes(content)
    content[content.index(chunk) + 9] ^= 1
    (tmp_path / "b.png").write_bytes(content)
    assert np.array_equal(*(decode_whole(str(tmp_path / f"{name}.png")) for name in "ab"))


def test_an_oversized_text_in_a_png_file_is_ignored(tmp_path, draw_face):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "x" * 2_000_000, zip=True)
    draw_face(1).save(tmp_path / "a.png", pnginfo=texts)
    assert np.array_equal(decode_whole(str(tmp_path / "a.png")), np.asarray(draw_face(1)).transpose(2, 0, 1))


def test_2000_damaged_heads_are_read_or_skipped_by_name(tmp_path, draw_face, capsys):
    kinds, draw = ("jpeg", "png", "webp"), random.Random(0)
    good = {kind: picture(draw_face, kind, exif(ORIENTATION, (0x010F, 2, 4, b"cat\0"))) for kind in kinds}
    names = []
    for number in range(2000):
        kind = kinds[number % 3]
        content = bytearray(good[kind])
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(2, 160)] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
        names.append(f"{number:04}.{kind}")
        (tmp_path / names[-1]).write_bytes(content[: draw.randrange(8, 160)] if number % 20 == 0 else content)
    loaded = image_folder.load(tmp_path, 8, minimum=1)
    assert sorted([*loaded.files, *loaded.skipped]) == names
    assert len(loaded.files) > 500 and len(loaded.skipped) > 500
    printed = capsys.readouterr().out
    for name, reason in loaded.skipped.items():
        assert f"Skipped {name}: {reason}.\n" in printed and reason.startswith("it ") and len(reason) < 250, reason


@pytest.mark.parametrize("kind", [4, 6, 13])
def test_a_broken_tag_beside_the_orientation_of_a_tiff_file_is_ignored(tmp_path, draw_face, kind):
    face, tags = draw_face(1, SIZE), Image.Exif()
    tags[0x0112] = 6
    face.save(tmp_path / "a.tif", exif=tags)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    start = content.index(struct.pack("<HHI", 284, 3, 1))  # the last tag, which has its default
    content[start : start + 12] = struct.pack("<HHII", 0x8769, kind, 1, 2**32 - 1)  # a place of more tags
    (tmp_path / "a.tif").write_bytes(content)
    turned = np.rot90(np.asarray(face).transpose(2, 0, 1), -1, axes=(1, 2))
    assert np.array_equal(decode_whole(str(tmp_path / "a.tif")), turned)
