"""Reading pictures, a zip file of them, or an .npz file of statistics, in a subprocess with limited memory.

The subprocess sends messages: a line of JSON each, followed by the bytes of an array if there is one. It blocks until
they are read, and so is never more than one picture ahead. Torch is not imported, to start fast.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from PIL import Image

from ganopt.data import archives, image_folder
from ganopt.data.decode import UPLOAD_PIXELS, decode_whole
from ganopt.errors import UserError, exit_on_user_error
from ganopt.subprocesses import ONE_THREAD, announce_files, announced, limit_memory, module_output

MEMORY, MEMORY_OF_PIXEL = 600_000_000, 40  # bytes of address space
MAX_SECONDS = 60  # for one picture
MAX_SECONDS_UNPACKING = 120  # for the whole zip file
PAUSE = 0.25  # seconds between chances to stop while it is unpacked
MAX_NUMBERS = 2048**2  # of a covariance
STATISTICS = ("mu", "sigma")  # the arrays of pytorch-fid; a file may have others

Message = dict[str, Any]
Received = tuple[Message, np.ndarray | None]


@dataclass(frozen=True)
class Upload:
    """The content of a zip file of pictures."""

    count: int  # pictures that were chosen
    available: int  # pictures in the file
    left_out: str  # how many files of other kinds it has
    hash: str  # of the files that were chosen
    pictures: Iterator[np.ndarray | str]  # uint8 (3, H, W), or the reason why a picture was skipped


@contextlib.contextmanager
def opened(archive: Path, most: int, most_pixels: int, seed: int = 0) -> Iterator[Iterator[Upload | None]]:
    """The pictures of a zip file in the order of their names, without those of more than `most_pixels`.

    If there are more than `most`, they are drawn with a seed.

    The iterator yields None a few times a second while the file is unpacked, and finally the upload. Raises UserError
    for what `archives.unpack` refuses, and if the subprocess fails or takes too long. After the block, the subprocess
    has ended and the unpacked files are removed, even after an error.
    """
    with (
        ThreadPoolExecutor(1) as thread,
        archives.folder_for(archive) as folder,
        _messages(archive, "pictures", archive, folder, most, seed, most_pixels) as messages,
    ):
        yield _upload(thread.submit(next, messages), messages)


def _upload(first: Future[Received], messages: Iterator[Received]) -> Iterator[Upload | None]:
    while not wait([first], PAUSE).done:
        yield None
    head, _ = first.result()
    pictures = (message["reason"] if array is None else array for message, array in messages)
    yield Upload(head["count"], head["available"], head["left_out"], head["hash"], pictures)


def photographs(files: Sequence[Path], longest: int) -> Iterator[np.ndarray | str]:
    """Uploaded pictures, each shrunk to `longest` pixels at most, uint8 (3, H, W), or why it cannot be read.

    Raises UserError if the subprocess fails or takes too long.
    """
    with _messages(Path("the pictures"), "photographs", longest, *files, UPLOAD_PIXELS) as messages:
        for message, array in messages:
            yield message["reason"] if array is None else array


def statistics(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance from an .npz file, float64. Raises UserError if the file was not written by pytorch-fid."""
    if not os.path.isfile(path):  # unlike Path.is_file, never raises
        raise UserError(f"There is no file {path.name}; check the name.")
    with _messages(path, "statistics", path) as messages:
        (_, mean), (_, covariance) = messages
    assert mean is not None and covariance is not None
    return mean, covariance


@contextlib.contextmanager
def _messages(file: Path, *arguments: Any) -> Iterator[Iterator[Received]]:
    """The messages of the subprocess, each with its array or None."""
    argv = ["ganopt.data.isolated", *map(str, arguments)]
    with module_output(argv, f"Reading {file.name}", **ONE_THREAD) as output:
        yield _received(output)


def _received(output: IO[bytes]) -> Iterator[Received]:
    while (message := _read_line(output)) != {}:
        array = None
        if "shape" in message:
            array = np.empty(message["shape"], message["type"])
            if output.readinto(array.reshape(-1).view(np.uint8)) < array.nbytes:  # type: ignore[attr-defined]
                raise EOFError
        yield message, array


def _read_line(output: IO[bytes]) -> Message:
    line = output.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return json.loads(line)


def _send(array: np.ndarray | None = None, **message: Any) -> None:
    """Send one message; an empty one marks the end."""
    if array is not None:
        message |= {"shape": array.shape, "type": array.dtype.name}
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    if array is not None:
        sys.stdout.buffer.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    sys.stdout.buffer.flush()


def _send_pictures(archive: Path, folder: Path, most: int, seed: int, most_pixels: int) -> None:
    with _alarm(MAX_SECONDS_UNPACKING):
        others = archives.unpack(archive, folder)
        found = image_folder.find(folder)
        files = [found[index] for index in image_folder.drawn(len(found), most, seed)]
        digest = image_folder.content_hash(folder, files)
    _send(count=len(files), available=len(found), left_out=image_folder.left_out(others), hash=digest)
    for name in files:
        with announced(name), _alarm(MAX_SECONDS):
            picture = decode_whole(str(folder / name), most_pixels)
        if isinstance(picture, str):
            _send(reason=picture)
        else:
            _send(picture)


def _send_photographs(files: Sequence[str], longest: int, most_pixels: int) -> None:
    for name in files:
        with announced(Path(name).name), _alarm(MAX_SECONDS):
            picture = decode_whole(name, most_pixels) if image_folder.is_picture(name) else "it is not a picture"
        if isinstance(picture, str):
            _send(reason=picture)
        else:
            image = Image.fromarray(picture.transpose(1, 2, 0))
            image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            _send(np.asarray(image).transpose(2, 0, 1))


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    """End this process if the block takes too long, even inside a decoder. Does nothing on Windows."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _send_statistics(path: Path) -> None:
    try:
        with ZipFile(path) as file:
            if sum(file.getinfo(f"{name}.npy").file_size for name in STATISTICS) > archives.MAX_BYTES_EACH:
                raise ValueError("2048 features take 34 MB")
        with np.load(path, allow_pickle=False) as arrays:
            found = [np.asarray(arrays[name]) for name in STATISTICS]
        if any(array.dtype.kind not in "biuf" or array.size > MAX_NUMBERS for array in found):
            raise ValueError("other arrays")
    except (*archives.UNREADABLE, KeyError, TypeError, MemoryError) as error:
        raise UserError(f"{path.name} contains no statistics of pytorch-fid; choose another file.") from error
    for array in found:
        _send(array.astype(np.float64))


def main(kind: str, path: str, *more: str) -> None:
    """Read a file and send its content to the parent process."""
    most_pixels = int(more[-1]) if more else 0
    limit_memory(MEMORY + MEMORY_OF_PIXEL * most_pixels)
    announce_files()
    with exit_on_user_error():
        if kind == "statistics":
            _send_statistics(Path(path))
        elif kind == "photographs":
            _send_photographs(more[:-1], int(path), most_pixels)
        else:
            folder, most, seed, _ = more
            _send_pictures(Path(path), Path(folder), int(most), int(seed), most_pixels)
    _send()


if __name__ == "__main__":
    main(*sys.argv[1:])
