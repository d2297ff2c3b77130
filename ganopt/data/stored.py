"""Pictures in a file of the cache, which is not read as a whole, so that memory does not grow with their number.

The file is a .npy file, uint8 (N, 3, side, side), with a JSON object after the array. It is written once, from start to
end, and continued if that was interrupted: beside it, a log says how many pictures have been decoded. Torch is not
imported, to start fast.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganopt.errors import UserError
from ganopt.files import cache_folder, writing
from ganopt.locks import wait_for_lock

HEADER = 128  # bytes of a .npy file before the array
TAIL = 8  # bytes at the end: the length of the JSON object before them
BLOCK = 1 << 24  # bytes that are read at a time for the hash
Decoded = np.ndarray | str  # a picture, uint8 (3, side, side), or the reason why it cannot be read
# some pictures with their names, and the position after them, a plain value for JSON
Chunk = tuple[Iterable[tuple[str, Decoded]], Any]


class Stored:
    """Pictures in a file, uint8 (N, 3, side, side). Raises OSError or ValueError for a missing or a damaged file."""

    def __init__(self, path: Path):
        self.path, self._file = path, open(path, "rb")
        facts = _read_facts(self._file)
        self.shape: tuple[int, int, int, int] = tuple(facts["shape"])
        self.hash: str = facts["hash"]  # the SHA-256 of the array's bytes
        self.skipped: dict[str, str] = facts["skipped"]  # file -> why it could not be read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        """Some pictures by their numbers. They are read, as the memory of mapped ones would count as the process's."""
        array = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for picture, number in zip(array, chosen.tolist(), strict=True):
            self._file.seek(HEADER + number * picture.nbytes)
            if self._file.readinto(picture.data) < picture.nbytes:
                raise UserError(f"{self.path} was changed by another program; delete it and start again.")
        return array

    @property
    def size(self) -> int:
        """The bytes of all pictures."""
        return int(np.prod(self.shape))

    @property
    def mapped(self) -> np.ndarray:
        """All pictures, as an array that is read from the file where it is used; changes stay in memory."""
        return np.load(self.path, mmap_mode="c")


def _read_facts(file: IO[bytes]) -> dict[str, Any]:
    """The JSON object at the end of a file. Raises ValueError unless it describes the file."""
    stat = os.fstat(file.fileno())
    file.seek(max(stat.st_size - TAIL, 0))
    length = int.from_bytes(file.read(TAIL), "little")
    if length > stat.st_size:
        raise ValueError("the file is cut off")
    file.seek(max(stat.st_size - TAIL - length, 0))
    facts = json.loads(file.read(length))
    size = HEADER + int(np.prod(facts["shape"])) + length + TAIL
    if (size, facts["modified"]) != (stat.st_size, stat.st_mtime_ns):
        raise ValueError("the file was written by another program")
    return facts


def cached_file(made_from: str, suffix: str = ".npy") -> Path:
    """The file of the cache for the pictures that are made from what a text describes."""
    key = hashlib.sha256(made_from.encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_folder() / "pictures" / f"{key}{suffix}"


def read(path: Path) -> Stored | None:
    """The pictures in a file; None if there is none, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        return Stored(path)
    return None


def write(path: Path, side: int, chunks: Callable[[Any], Iterable[Chunk]]) -> Stored:
    """Write pictures into a new file, or go on where another process has stopped.

    `chunks` yields those after a position, which is None at first. If another process is at it, its result is awaited.
    Raises UserError if the file cannot be written. If `chunks` raises one, what is complete stays, for the next call.
    """
    part, log = path.with_suffix(".part"), path.with_suffix(".log")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(log):  # until what is useless has been removed, too
            try:
                if (found := read(path)) is None:
                    _write(part, log, side, chunks)
                    part.replace(path)
            except (OSError, UserError) as error:  # the latter of `chunks`
                if isinstance(error, OSError) or not _progress(log)[0]:
                    _remove(part, log)
                raise
    with contextlib.suppress(OSError):  # another process waits for it
        log.unlink()
    return found or Stored(path)


def _remove(*paths: Path) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _write(part: Path, log: Path, side: int, chunks: Callable[[Any], Iterable[Chunk]]) -> None:
    each = 3 * side * side
    done, skipped, position = _progress(log) if part.exists() else (0, {}, None)
    if done and part.stat().st_size < HEADER + (done - len(skipped)) * each:  # after a crash of the system
        done, skipped, position = 0, {}, None
    with open(part, "r+b" if done else "w+b") as file, open(log, "w", encoding="utf-8") as progress:
        if done:  # the log anew, without an incomplete line
            progress.write(json.dumps([done, skipped, position]) + "\n")
            progress.flush()
        file.truncate(HEADER + (done - len(skipped)) * each)
        digest = hashlib.sha256()
        file.seek(HEADER)
        while block := file.read(BLOCK):
            digest.update(block)
        for pictures, after in chunks(position):
            failed = {}
            for name, picture in pictures:
                done += 1
                if isinstance(picture, str):
                    failed[name] = picture
                else:
                    file.write(picture.data)
                    digest.update(picture.data)
            skipped |= failed
            file.flush()
            progress.write(json.dumps([done, failed, after]) + "\n")
            progress.flush()
        _finish(file, {"shape": [done - len(skipped), 3, side, side], "hash": digest.hexdigest(), "skipped": skipped})


def _finish(file: IO[bytes], facts: dict[str, Any]) -> None:
    """Write the header and the JSON object of a file whose array is complete."""
    modified = int(time.time()) * 1_000_000_000  # of the file, in nanoseconds: whole seconds, which any system stores
    text = json.dumps(facts | {"modified": modified}).encode()
    file.write(text + len(text).to_bytes(TAIL, "little"))
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": tuple(facts["shape"])})
    assert file.tell() == HEADER
    file.flush()
    os.fsync(file.fileno())
    os.utime(file.name, ns=(modified, modified))


def _progress(log: Path) -> tuple[int, dict[str, str], Any]:
    """How many pictures have been decoded, which could not be, and the position; the last line may be incomplete."""
    done, skipped, position = 0, dict[str, str](), None
    for line in log.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            done, failed, position = json.loads(line)
            skipped |= failed
    return done, skipped, position
