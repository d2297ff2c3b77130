"""Damaged heads of pictures, damaged metadata, odd names of files, and odd links to the page.

    python -m tests.bench.fuzz [--cases 5000] [--seed 0]

Every case must be right, or be refused with one sentence: a picture is read or skipped by name, one with damaged
metadata keeps its pixels, a file is found whatever its name, and a link selects what exists. Prints a table, and ends
with status 1 if any case is wrong. Endpoints are tested by `tests.bench.fuzz_api`.
"""

import argparse
import collections
import contextlib
import io
import os
import random
import sys
import tempfile
import time
import traceback
import urllib.parse
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from ganopt.data import image_folder
from ganopt.data.decode import FORMATS, decode_whole
from ganopt.errors import UserError
from ganopt.metrics.features import MIN_PICTURES
from ganopt.models.latents import parse_seeds
from ganopt.ui import compare, fid, generate, run_view
from ganopt.ui.address import TABS, parse, tab_of
from ganopt.ui.common import model_names
from tests.conftest import _draw_face

SIZE = (24, 16)
HEAD = 160  # bytes of a file that are damaged
ENDS = ("right", "one sentence", "wrong")
FOLDER_OF = 50  # files with odd names in a folder
TEXTS = (
    "",
    "a",
    "\0",
    "..",
    "../x",
    "%00",
    "\u202e\U0001f408",
    "1e999",
    "nan",
    "-1",
    "0-9" * 500,
    "<img src=x>",
    "a,b",
)
PARAMETERS = (  # of the page's address
    *("tab", "model", "seeds", "scale", "compare", "compare_seeds", "pair", "pair_seed", "train"),
    *("fid", "fid_reference", "fid_n", "lab", "lab_settings"),
)
Case = Iterator[tuple[str, str]]  # how a case ended, and what it was


def said(text: str) -> str:
    """`one sentence` if a text is one, else `wrong`."""
    is_sentence = text and "\n" not in text and len(text) < 1000 and "Traceback" not in text
    return "one sentence" if is_sentence else "wrong"


def encoded(kind: str, draw: random.Random) -> bytes:
    """A small picture in a format, with metadata if it can have some."""
    tags, file = Image.Exif(), io.BytesIO()
    tags[0x0112], tags[0x010F], tags[0x011A] = draw.randint(1, 8), "cat", 72.0
    options: dict = {} if kind in ("BMP", "GIF", "PPM") else {"exif": tags}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", "a face " * 9, zip=True)
    _draw_face(1, SIZE).save(file, kind, **options)
    return file.getvalue()


def damaged(content: bytes, places: range, draw: random.Random) -> bytes:
    """A copy with one to six other bytes at these places."""
    copy = bytearray(content)
    for _ in range(draw.randint(1, 6)):
        copy[draw.choice(places)] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
    return bytes(copy)


def heads(count: int, draw: random.Random, folder: Path) -> Case:
    good = {kind: encoded(kind, draw) for kind in FORMATS}
    for _ in range(count):
        kind = draw.choice(FORMATS)
        content = damaged(good[kind], range(min(HEAD, len(good[kind]))), draw)
        content = content[: draw.randrange(len(content))] if draw.random() < 0.1 else content
        (folder / "head").write_bytes(content)
        found = decode_whole(str(folder / "head"), 1_000_000)
        is_picture = isinstance(found, np.ndarray) and found.ndim == 3 and len(found) == 3 and found.dtype == np.uint8
        yield "right" if is_picture else said(str(found)), f"{kind} {content[:HEAD].hex()}"


def metadata(count: int, draw: random.Random, folder: Path) -> Case:
    for _ in range(count):
        kind = draw.choice(("JPEG", "PNG", "WEBP"))
        content = encoded(kind, draw)
        start = content.index(b"MM\0*")  # of EXIF
        places = [range(start, start + 50)]
        if kind == "PNG":
            places.append(range(content.index(b"zTXt") + 4, content.index(b"zTXt") + 20))
        place = draw.choice(places)
        changed = damaged(content, place, draw)
        if kind == "PNG" and draw.random() < 0.5:  # with the right sum, so the chunk seems whole
            changed = with_right_sum(changed, changed.rindex(b"eXIf" if place is places[0] else b"zTXt", 0, place.stop))
        (folder / "plain").write_bytes(content)
        (folder / "changed").write_bytes(changed)
        plain, found = (decode_whole(str(folder / name)) for name in ("plain", "changed"))
        assert isinstance(plain, np.ndarray)
        turned = [np.rot90(each, n, (1, 2)) for each in (plain, plain[:, ::-1]) for n in range(4)]
        right = isinstance(found, np.ndarray) and any(np.array_equal(found, each) for each in turned)
        yield "right" if right else "wrong", f"{kind} {changed.hex()} {found if isinstance(found, str) else ''}"


def with_right_sum(content: bytes, start: int) -> bytes:
    """A PNG file whose chunk with its kind at `start` has the right checksum."""
    end = start + 4 + int.from_bytes(content[start - 4 : start], "big")
    return content[:end] + zlib.crc32(content[start:end]).to_bytes(4, "big") + content[end + 4 :]


def names(count: int, draw: random.Random, folder: Path) -> Case:
    content = encoded("PNG", draw)
    for first in range(0, count, FOLDER_OF):
        parent = folder / str(first)
        parent.mkdir()
        made: dict[str, str] = {}
        while len(made) < min(FOLDER_OF, count - first):
            name, kind = odd_name(draw), draw.choice(("picture", "picture", "text", "link", "pipe", "folder"))
            with contextlib.suppress(OSError, ValueError):  # the file system allows no such name
                make(parent / name, kind, content)
                made[name] = kind
        printed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")  # strict, as in the locale C
        with contextlib.redirect_stdout(printed):
            loaded = image_folder.load(parent, 8, minimum=0)
        printed.seek(0)
        lines = printed.read().splitlines()
        if not all(line.startswith(("Skipped ", "Left out: ")) for line in lines):
            yield "wrong", repr(lines)
        for name, kind in made.items():
            expected = {"picture": name in loaded.files, "text": name in loaded.skipped}
            if kind in expected:
                yield ("right" if kind == "picture" else "one sentence") if expected[kind] else "wrong", repr(name)
            else:
                yield "wrong" if name in loaded.files else "right", f"{kind} {name!r}"


def odd_name(draw: random.Random) -> str:
    """A name of up to 255 bytes, in no encoding or in Cyrillic, or of characters that a terminal interprets."""
    length = draw.choice((1, 5, 60, 251))
    letters = draw.choice(
        (bytes(range(1, 256)).replace(b"/", b""), "\u043a\u043e\u0442".encode(), b"a \t'\"\\$;*\x1b", b"x")
    )
    stem = bytes(draw.choice(letters) for _ in range(length)) if len(letters) > 6 else (letters * 251)[:length]
    return os.fsdecode(b"n" + stem[:-1] + draw.choice((b".png", b".PNG", b".jpg")))


def make(path: Path, kind: str, content: bytes) -> None:
    if os.path.lexists(path):
        raise FileExistsError
    if kind == "picture":
        path.write_bytes(content)
    elif kind == "text":
        path.write_text("no picture")
    elif kind == "link":
        path.symlink_to(path.parent)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


def links(count: int, draw: random.Random, folder: Path) -> Case:
    known, texts = model_names(), (*TEXTS, "0-3", "0.5", "kohonen", "episodes=9")
    for _ in range(count):
        values = {draw.choice(PARAMETERS): draw.choice((*texts, *TABS, *known)) for _ in range(3)}
        query = urllib.parse.urlencode(values, errors="replace")
        query = "".join(draw.sample(query, len(query))) if draw.random() < 0.1 else query
        parameters = parse(query)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model, seeds, scale = generate._from_link(parameters)
            compared, more_seeds, _ = compare._from_link(parameters)
            measured, _, number = fid._from_link(parameters)
            run_view._from_link(parameters)
        end = "one sentence" if caught else "right"
        for text in (seeds, more_seeds):
            with contextlib.suppress(UserError):
                parse_seeds(text, 64) if isinstance(text, str) else None
        chosen = [getattr(each, "value", None) or [] for each in (model, compared, measured)]
        selected = [name for each in chosen for name in ([each] if isinstance(each, str) else each)]
        is_valid = (
            tab_of(parameters) in TABS
            and set(selected) <= set(known)
            and (not isinstance(scale, float) or 0 < scale < 100)
            and (not isinstance(number, int) or number >= MIN_PICTURES)
            and all(said(str(each.message)) == end for each in caught)
        )
        yield end if is_valid else "wrong", query


KINDS: dict[str, tuple[Callable[[int, random.Random, Path], Case], float]] = {  # with their share of the cases
    "file heads": (heads, 0.4),
    "metadata": (metadata, 0.3),
    "file names": (names, 0.15),
    "links": (links, 0.15),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun, wrong = time.monotonic(), []
    print(f"{'kind':12} {'tried':>7} " + " ".join(f"{end:>12}" for end in ENDS))
    for kind, (cases, share) in KINDS.items():
        counts: collections.Counter[str] = collections.Counter()
        with tempfile.TemporaryDirectory() as temporary:
            os.environ["GANOPT_CACHE"] = f"{temporary}/cache"
            try:
                for end, case in cases(round(options.cases * share), random.Random(options.seed), Path(temporary)):
                    counts[end] += 1
                    wrong += [f"{kind}: {case}"] if end == "wrong" else []
            except Exception:
                counts["wrong"] += 1
                wrong.append(f"{kind}: {traceback.format_exc()}")
        print(f"{kind:12} {counts.total():7} " + " ".join(f"{counts[end]:12}" for end in ENDS))
    print(f"{time.monotonic() - begun:.0f} s")
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    main()
