"""Uploaded pictures, or an uploaded zip file of them -> a folder of pictures with names of our own."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ganopt.data import archives, image_folder
from ganopt.data.decode import SUFFIXES, UPLOAD_PIXELS, is_too_large
from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import write_error
from ganopt.subprocesses import limit_memory

MEMORY = 4_000_000_000  # bytes for reading an upload; 40,000 pictures of 128 pixels take half of that


def collect(files: Sequence[Path], folder: Path) -> int:
    """Copy pictures, or those of one zip file, into a new folder; returns how many were skipped as too large.

    Raises UserError for any other file, for what `archives.unpack` refuses, and if the folder cannot be written.
    """
    if len(files) > 1 and any(file.suffix.lower() == ".zip" for file in files):
        raise UserError("Upload either pictures or one zip file of them, not both.")
    try:
        folder.mkdir(parents=True)
        for index, file in enumerate(files):
            suffix = file.suffix.lower()
            if suffix == ".zip":
                archives.unpack(file, folder)
            elif suffix in SUFFIXES and os.path.isfile(file):
                shutil.copyfile(file, folder / f"{index:05}{suffix}")
            else:
                raise UserError(f"{file.name[:80]} is neither a picture nor a zip file; leave it out.")
        large = [name for name in image_folder.find(folder) if is_too_large(str(folder / name), UPLOAD_PIXELS)]
        for name in large:  # no run must ever read them
            (folder / name).unlink()
        return len(large)
    except OSError as error:
        raise write_error(folder, error) from error


def main(folder: Path, side: int, classes: str, minimum: int) -> None:
    """Collect the files listed on standard input, read their pictures into the cache, and print what was skipped."""
    limit_memory(MEMORY)
    with exit_on_user_error():
        large, limit = collect(list(map(Path, json.load(sys.stdin))), folder), f"{UPLOAD_PIXELS / 1e6:g} million pixels"
        if large and (left := len(image_folder.find(folder, classes))) < minimum:
            raise UserError(
                f"Only {left} of the pictures have up to {limit}, the limit; upload at least {minimum} such pictures."
            )
        if unreadable := image_folder.load(folder, side, classes, minimum).skipped:
            for name in unreadable:  # or a visitor could fill the disk with anything that is named like a picture
                for path in (folder / name, folder / f"{name}.cat"):
                    path.unlink(missing_ok=True)
            image_folder.load(folder, side, classes, minimum)  # cached for the pictures that are left
    if large:
        print(f"Pictures skipped because they have more than {limit}: {large}.")


if __name__ == "__main__":  # for `manager.start`
    _, place, length, only, least = sys.argv
    main(Path(place), int(length), only, int(least))
