"""Folders of pictures -> one uint8 array, in a file of the cache. Torch is not imported, to start fast."""

import contextlib
import functools
import hashlib
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ganopt.data.decode import SUFFIXES, decode
from ganopt.data.stored import Chunk, Decoded, Stored, cached_file, read, write
from ganopt.data.walk import files_under
from ganopt.errors import UserError, exit_on_user_error, printable
from ganopt.files import cache_folder, code_version, sha256, warn_of_cache
from ganopt.subprocesses import announce_files, announced

MINIMUM = 16  # pictures to train on
DECODING = ("data/decode.py", "data/colours.py")
CODE = (*DECODING, "data/image_folder.py", "data/stored.py", "data/walk.py")  # the code that reads pictures
LEFT_OUT = "Left out: "  # begins the sentence that counts files of other formats
CHUNK = 512  # files that are decoded between two lines of the log of `stored`
MAX_ENDINGS = 5  # in that sentence


@dataclass(frozen=True)
class Pictures:
    """The pictures of a folder, in a file of the cache or, if it cannot be written, in memory."""

    folder: Path
    classes: str
    pictures: np.ndarray  # uint8 (N, 3, side, side), mapped from the file
    skipped: dict[str, str]  # file -> why it could not be read
    stored: Stored | None

    @functools.cached_property
    def files(self) -> list[str]:
        """The file of each picture, relative to the folder."""
        return [name for name in find(self.folder, self.classes) if name not in self.skipped]


def load(
    folder: Path, side: int = 128, classes: str = "", minimum: int = MINIMUM, workers: int | None = None
) -> Pictures:
    """All pictures under a folder, nested or not, as uint8 (N, 3, side, side), in the order of their names.

    A picture with a `.cat` file of the CAT set beside it is cropped to the face by its landmarks, any other picture to
    its central square; then it is resized with LANCZOS. `classes` keeps only folders of that name (`cat` in AFHQ's
    `train/cat`). The result is cached by the names, sizes and times of the files; if that is interrupted, the next call
    goes on with it. Unreadable files are skipped, with a message. Raises UserError if fewer than `minimum` pictures can
    be read.
    """
    seen = check(folder, classes, minimum)
    cached = cached_file(f"{code_version(*CODE)} {folder.resolve()} {side} {seen.hash}")
    if stored := read(cached):
        found = Pictures(folder, classes, stored.mapped, stored.skipped, stored)
    else:
        found = _decode_all(folder, classes, side, workers, cached)
    say_skipped(found.skipped)
    if seen.left_out:
        tqdm.write(printable(f"{LEFT_OUT}{seen.left_out}."))
    if (count := len(found.pictures)) < minimum:
        raise UserError(f"Only {count} pictures in {folder} can be read; at least {minimum} are needed.")
    return found


def say_skipped(skipped: dict[str, str]) -> None:
    """Print which pictures were skipped and why."""
    for name, reason in skipped.items():
        tqdm.write(printable(f"Skipped {name}: {reason}."))


@dataclass(frozen=True)
class Survey:
    """What is in a folder, without opening a file."""

    count: int  # pictures
    left_out: str  # how many files of each other suffix
    hash: str  # of the names, sizes and times of the pictures and their landmarks


def survey(folder: Path, classes: str = "") -> Survey:
    """Look at the files under a folder, as `find` does, in constant memory. Raises UserError if it does not exist."""
    count, suffixes, digest = 0, Counter[str](), hashlib.sha256()
    for name, stat in files_under(folder, classes):
        picture = is_picture(name)
        count += picture
        if picture or is_picture(name.removesuffix(".cat")):
            size, time = (stat.st_size, stat.st_mtime_ns) if stat else (0, 0)
            digest.update(f"{name}\0{size} {time}\n".encode(errors="surrogateescape"))
        else:
            suffixes[_suffix(name)] += 1
    return Survey(count, _counted(suffixes), digest.hexdigest())


def check(folder: Path, classes: str = "", minimum: int = MINIMUM) -> Survey:
    """What is in a folder. Raises UserError if it does not exist or contains fewer than `minimum` pictures."""
    seen = survey(folder, classes)
    if seen.count < minimum:
        raise UserError(f"{folder} contains {seen.count} pictures{_of(classes)}; at least {minimum} are needed.")
    return seen


def find(folder: Path, classes: str = "") -> list[str]:
    """The picture files under a folder, by suffix, sorted, relative to it, without those of runs in it.

    Linked folders are followed, but no folder is read twice. Raises UserError if the folder does not exist.
    """
    return sorted(name for name, _ in files_under(folder, classes) if is_picture(name))


def is_picture(name: str) -> bool:
    """Whether a file's name has the suffix of a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def left_out(names: Iterable[str]) -> str:
    """How many files of each suffix these are, as in `2 .heic, 1 .txt`."""
    return _counted(Counter(map(_suffix, names)))


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()[:12] or "without a suffix"


def _counted(suffixes: Counter[str]) -> str:
    counts = sorted(suffixes.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = counts[: MAX_ENDINGS if len(counts) > MAX_ENDINGS + 1 else None]
    rest = sum(count for _, count in counts[len(shown) :])
    text = ", ".join([f"{count} {suffix}" for suffix, count in shown] + ([f"{rest} of other kinds"] if rest else []))
    return text.encode(errors="backslashreplace").decode()  # a suffix may not be UTF-8


def drawn(count: int, most: int, seed: int) -> list[int]:
    """At most `most` of the numbers below `count`, in order; if there are more, evenly drawn with a seed.

    With one seed, a smaller choice is a part of a larger one.
    """
    numbers = list(range(count))
    if count > most:
        random.Random(seed).shuffle(numbers)
    return sorted(numbers[:most])


def shows_text(folder: Path, classes: str = "") -> bool:
    """Whether the pictures show letters or digits, which must not be mirrored: all are in folders named by one letter
    or digit, as in MNIST. False if the folder does not exist.
    """
    files = files_under(folder, classes) if os.path.isdir(folder) else ()
    labels = ((folder / name).parent.name for name, _ in files if is_picture(name))
    are_letters = (len(label) == 1 and label.isalnum() for label in labels)
    return next(are_letters, False) and all(are_letters)


def content_hash(folder: Path, files: list[str]) -> str:
    """A hash of the contents of some files of a folder, in this order."""
    digest = hashlib.sha256()
    for name in files:
        with contextlib.suppress(OSError):  # such a file cannot be decoded either
            digest.update(bytes.fromhex(sha256(folder / name)))
    return digest.hexdigest()[:32]


def _of(classes: str) -> str:
    return f" of the class {classes}" if classes else ""


def _decode_all(folder: Path, classes: str, side: int, workers: int | None, cached: Path) -> Pictures:
    """Decode in threads, as decoders release Python's lock: processes would import a script that calls this again."""
    files = find(folder, classes)

    def read(name: str) -> Decoded:
        with announced(name):
            return decode(str(folder / name), side)

    def chunks(position: int | None) -> Iterator[Chunk]:
        for start in range(position or 0, len(files), CHUNK):
            yield decoded(files[start : start + CHUNK]), start + CHUNK

    def decoded(names: Sequence[str]) -> Iterator[tuple[str, Decoded]]:
        for pair in zip(names, pool.map(read, names), strict=True):
            yield pair
            bar.update()

    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    label = printable(f"Reading {Path(os.path.abspath(folder)).name}")
    try:
        with tqdm(desc=label, total=len(files), unit=" pictures", leave=False) as bar:
            try:
                stored = write(cached, side, chunks)
                return Pictures(folder, classes, stored.mapped, stored.skipped, stored)
            except UserError as error:
                warn_of_cache(cache_folder(), str(error))
            results = dict(decoded(files))
            skipped = {name: result for name, result in results.items() if isinstance(result, str)}
            pictures = [result for result in results.values() if not isinstance(result, str)]
            array = np.stack(pictures) if pictures else np.empty((0, 3, side, side), np.uint8)
            return Pictures(folder, classes, array, skipped, None)
    finally:  # after Ctrl-C, only the pictures that have been begun are finished
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":  # for `runs.start`
    _, place, length, only, least = sys.argv
    announce_files()
    with exit_on_user_error():
        load(Path(place), int(length), only, int(least))
