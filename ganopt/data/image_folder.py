"""Folders of pictures -> one uint8 array in memory, cached on disk. Torch is not imported, to start fast."""

import contextlib
import hashlib
import json
import os
import random
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from ganopt.data.decode import SUFFIXES, decode
from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import atomic_write, cache_folder, code_version, sha256

MINIMUM = 16  # pictures to train on
CODE = ("data/decode.py", "data/image_folder.py")  # the code that reads pictures
RECIPE, PREVIEWS = "config.json", "previews"  # in the folder of a run
SMALL_JOB = 200  # pictures; one process reads fewer than this before other processes have started


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory, and the files that were skipped."""

    pictures: np.ndarray  # uint8 (N, 3, side, side)
    files: list[str]  # of each picture, relative to the folder
    skipped: dict[str, str]  # file -> why it could not be read


def load(
    folder: Path, side: int = 128, classes: str = "", minimum: int = MINIMUM, workers: int | None = None
) -> Pictures:
    """All pictures under a folder, nested or not, as uint8 (N, 3, side, side), in the order of their names.

    A picture with a `.cat` file of the CAT set beside it is cropped to the face by its landmarks, any other picture to
    its central square; then it is resized with LANCZOS. `classes` keeps only folders of that name (`cat` in AFHQ's
    `train/cat`). The result is cached by the names, sizes and times of the files. Unreadable files are skipped, with
    a message. Raises UserError if fewer than `minimum` pictures can be read.
    """
    files = find(folder, classes)
    if len(files) < minimum:
        raise UserError(f"{folder} contains {len(files)} pictures{_of(classes)}; at least {minimum} are needed.")
    cached = cache_folder() / "pictures" / f"{_key(folder, files, side)}.npz"
    known = _read_cache(cached)
    pictures = known or _decode_all(folder, files, side, workers)
    for name, reason in pictures.skipped.items():
        tqdm.write(f"Skipped {name}: {reason}.")
    if len(pictures.files) < minimum:
        raise UserError(f"Only {len(pictures.files)} pictures in {folder} can be read; at least {minimum} are needed.")
    if not known:
        with atomic_write(cached) as temporary, open(temporary, "wb") as file:
            skipped = json.dumps(pictures.skipped)
            np.savez(file, pictures=pictures.pictures, files=pictures.files, skipped=skipped)
    return pictures


def find(folder: Path, classes: str = "") -> list[str]:
    """The picture files under a folder, by suffix, sorted, relative to it, without those of runs in it.

    Raises UserError if the folder does not exist.
    """
    if not os.path.isdir(folder):  # unlike Path.is_dir, never raises
        raise UserError(f"There is no folder {folder}; check the name.")
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(parent).relative_to(folder)
        if RECIPE in names and _is_run(Path(parent)):
            if parent != str(folder):
                folders.clear()
                continue
            folders[:] = [name for name in folders if name != PREVIEWS]
        if classes and classes not in inside.parts and classes != folder.name:
            continue
        found += [str(inside / name) for name in names if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    return sorted(found)


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
    files = find(folder, classes) if os.path.isdir(folder) else []
    labels = {(folder / name).parent.name for name in files}
    return bool(labels) and all(len(label) == 1 and label.isalnum() for label in labels)


def content_hash(folder: Path, files: list[str]) -> str:
    """A hash of the contents of some files of a folder, in this order."""
    digest = hashlib.sha256()
    for name in files:
        with contextlib.suppress(OSError):  # such a file cannot be decoded either
            digest.update(bytes.fromhex(sha256(folder / name)))
    return digest.hexdigest()[:32]


def _is_run(folder: Path) -> bool:
    """Whether a folder that contains a file of this name is that of a run."""
    try:
        values = json.loads((folder / RECIPE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and "generator" in values and not {"method", "recipe"}.isdisjoint(values)


def _of(classes: str) -> str:
    return f" of the class {classes}" if classes else ""


def _key(folder: Path, files: list[str], side: int) -> str:
    """The cache key: the code, and the names, sizes and times of all files, including landmarks."""
    digest = hashlib.sha256(f"{code_version(*CODE)} {folder.resolve()} {side}\n".encode())
    for name in files:
        for path in (folder / name, folder / f"{name}.cat"):
            if path.exists():
                stat = path.stat()
                digest.update(
                    f"{path.name} {name} {stat.st_size} {stat.st_mtime_ns}\n".encode(errors="surrogateescape")
                )
    return digest.hexdigest()[:32]


def _read_cache(path: Path) -> Pictures | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Pictures(arrays["pictures"], arrays["files"].tolist(), json.loads(str(arrays["skipped"])))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # not cached yet, or damaged: read the pictures again
        return None


def _decode_all(folder: Path, files: list[str], side: int, workers: int | None) -> Pictures:
    paths, sides = [str(folder / name) for name in files], [side] * len(files)
    bar = {"total": len(files), "desc": f"Reading {folder.name}", "unit": " pictures", "leave": False}
    workers = workers or os.cpu_count() or 1
    if len(files) < SMALL_JOB or workers == 1:
        return _collect(files, side, tqdm(map(decode, paths, sides), **bar))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return _collect(files, side, tqdm(pool.map(decode, paths, sides, chunksize=32), **bar))


def _collect(files: list[str], side: int, results: Iterable[np.ndarray | str]) -> Pictures:
    """Collect the decoded pictures in one array, without a second copy."""
    pictures = np.empty((len(files), 3, side, side), np.uint8)
    good: list[str] = []
    skipped: dict[str, str] = {}
    for name, result in zip(files, results, strict=True):
        if isinstance(result, str):
            skipped[name] = result
        else:
            pictures[len(good)] = result
            good.append(name)
    return Pictures(pictures[: len(good)], good, skipped)


if __name__ == "__main__":  # for `runs.start`
    _, place, length, only, least = sys.argv
    with exit_on_user_error():
        load(Path(place), int(length), only, int(least))
