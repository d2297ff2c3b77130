"""Uploaded pictures, or an uploaded zip file of them -> a folder of pictures with names of our own."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ganopt.data import archives, image_folder
from ganopt.data.crops import Crop, Upload, cropped
from ganopt.data.decode import SUFFIXES, UPLOAD_PIXELS, decode_whole, is_too_large
from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import writing
from ganopt.subprocesses import announce_files, limit_memory

CROPPED = 256  # pixels, the side of a picture that was cropped by hand
MEMORY = 4_000_000_000  # bytes for reading an upload; 40,000 pictures of 128 pixels take half of that


def collect(uploads: Sequence[Upload], folder: Path) -> tuple[int, list[str]]:
    """Copy pictures or parts of them, or those of one zip file, into a new folder.

    Returns how many were skipped as too large, and the names of the files that are no pictures. Raises UserError if
    all are none, for what `archives.unpack` refuses, and if the folder cannot be written.
    """
    crops = {index: each[1] for index, each in enumerate(uploads) if isinstance(each, tuple)}
    files = [each[0] if isinstance(each, tuple) else each for each in uploads]
    if len(files) > 1 and any(file.suffix.lower() == ".zip" for file in files):
        raise UserError("Upload either pictures or one zip file of them, not both.")
    with writing(folder):
        folder.mkdir(parents=True)
        others: list[str] = []
        for index, file in enumerate(files):
            suffix = file.suffix.lower()
            if suffix == ".zip":
                others = archives.unpack(file, folder)
            elif suffix in SUFFIXES and os.path.isfile(file):
                shutil.copyfile(file, folder / f"{index:05}{suffix}")
                if index in crops:
                    _crop(folder / f"{index:05}{suffix}", crops[index])
            else:
                others.append(file.name)
        if others and not image_folder.find(folder):
            raise UserError(f"{others[0][:80]} is neither a picture nor a zip file; leave it out.")
        large = [name for name in image_folder.find(folder) if is_too_large(str(folder / name), UPLOAD_PIXELS)]
        for name in large:  # no run must ever read them
            (folder / name).unlink()
        return len(large), others


def _crop(path: Path, crop: Crop) -> None:
    """Replace a picture, unless it cannot be read, by a part of it, as a PNG file."""
    picture = decode_whole(str(path), UPLOAD_PIXELS)
    if isinstance(picture, np.ndarray):
        path.unlink()
        pixels = cropped(picture, crop, CROPPED).transpose(1, 2, 0)
        Image.fromarray(pixels).save(path.with_suffix(".png"))


def main(folder: Path, side: int, classes: str, minimum: int) -> None:
    """Collect the files that `crops.listed` lists on standard input, read their pictures into the cache, and print what
    was skipped.
    """
    limit_memory(MEMORY)
    announce_files()
    with exit_on_user_error():
        limit = f"{UPLOAD_PIXELS / 1e6:g} million pixels"
        uploads = [(Path(path), Crop(*crop)) if crop else Path(path) for path, *crop in json.load(sys.stdin)]
        large, others = collect(uploads, folder)
        if large and (left := len(image_folder.find(folder, classes))) < minimum:
            raise UserError(
                f"Only {left} of the pictures have up to {limit}, the limit; upload at least {minimum} such pictures."
            )
        if unreadable := image_folder.load(folder, side, classes, minimum).skipped:
            for name in unreadable:  # or a visitor could fill the disk with anything that is named like a picture
                for path in (folder / name, folder / f"{name}.cat"):
                    with contextlib.suppress(OSError):  # there are no landmarks, or their name would be too long
                        path.unlink()
            image_folder.load(folder, side, classes, minimum)  # cached for the pictures that are left
    if others:
        print(f"{image_folder.LEFT_OUT}{image_folder.left_out(others)}.")
    if large:
        print(f"Pictures skipped because they have more than {limit}: {large}.")


if __name__ == "__main__":  # for `manager.start`
    _, place, length, only, least = sys.argv
    main(Path(place), int(length), only, int(least))
