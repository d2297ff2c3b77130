"""Folders of pictures -> one uint8 array in memory, cached on disk. Torch, which loads for seconds, is not needed."""

import contextlib
import hashlib
import json
import os
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
from ganopt.files import atomic_write, cache_folder, sha256

MINIMUM = 16  # pictures; fewer teach nothing
SMALL_JOB = 200  # pictures that one process reads sooner than others start


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory, and what was left out."""

    pictures: np.ndarray  # uint8 (N, 3, side, side)
    files: list[str]  # of each picture, relative to the folder
    skipped: dict[str, str]  # file -> why it could not be read


def load(
    folder: Path, side: int = 128, classes: str = "", minimum: int = MINIMUM, workers: int | None = None
) -> Pictures:
    """All pictures under a folder, nested or not, as uint8 (N, 3, side, side), in the order of their names.

    A picture with a `.cat` file of the CAT set beside it is cropped to the face by its landmarks, any other to
    its central square; then LANCZOS. `classes` keeps only the folders of that name (`cat` in AFHQ's `train/cat`).
    The result is cached by the files' names, sizes and times. Unreadable files are skipped and named.
    Raises UserError where fewer than `minimum` pictures can be read.
    """
    files = find(folder, classes)
    if len(files) < minimum:
        raise UserError(f"{folder} holds {len(files)} pictures{_of(classes)}; at least {minimum} are needed.")
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
    """The files under a folder that look like pictures, sorted, relative to it. Raises UserError for no folder."""
    if not os.path.isdir(folder):  # unlike Path.is_dir, never raises
        raise UserError(f"There is no folder {folder}; check the name.")
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(parent).relative_to(folder)
        if classes and classes not in inside.parts and classes != folder.name:
            continue
        found += [str(inside / name) for name in names if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    return sorted(found)


def holds_writing(folder: Path, classes: str = "") -> bool:
    """Whether all pictures under a folder lie in folders named by one letter or digit, as MNIST's: what is written has
    no mirror image. False for no folder.
    """
    files = find(folder, classes) if os.path.isdir(folder) else []
    labels = {(folder / name).parent.name for name in files}
    return bool(labels) and all(len(label) == 1 and label.isalnum() for label in labels)


def content_hash(folder: Path, files: list[str]) -> str:
    """Of the bytes of some files of a folder, in their order."""
    digest = hashlib.sha256()
    for name in files:
        with contextlib.suppress(OSError):  # it cannot be decoded either
            digest.update(bytes.fromhex(sha256(folder / name)))
    return digest.hexdigest()[:32]


def _of(classes: str) -> str:
    return f" of the class {classes}" if classes else ""


def _key(folder: Path, files: list[str], side: int) -> str:
    """What must be unchanged for the cache to hold: names, sizes and times of all files, landmarks too."""
    digest = hashlib.sha256(f"1 {folder.resolve()} {side}\n".encode())
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
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # none yet, or damaged: read the pictures again
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
    """What became of each file -> one array, of which there is never a second copy."""
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
