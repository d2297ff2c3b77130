"""Pictures, or a zip file of them, that somebody uploaded -> a folder of pictures under names of our own."""

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

MEMORY = 4_000_000_000  # bytes for reading an upload; 40,000 pictures of 128 pixels take half of them


def collect(files: Sequence[Path], folder: Path) -> int:
    """Copy pictures, or those inside of one zip file, into a new folder, but those with too many pixels: how many?

    Raises UserError for any other file, for all that `archives.unpack` refuses, and where it cannot be written.
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
        for name in large:  # so that no run will ever read them
            (folder / name).unlink()
        return len(large)
    except OSError as error:
        raise write_error(folder, error) from error


def main(folder: Path, side: int, classes: str, minimum: int) -> None:
    """Collect the files that standard input lists, read their pictures into the cache, and print what was left out."""
    limit_memory(MEMORY)
    with exit_on_user_error():
        large, limit = collect(list(map(Path, json.load(sys.stdin))), folder), f"{UPLOAD_PIXELS / 1e6:g} million pixels"
        if large and (left := len(image_folder.find(folder, classes))) < minimum:
            raise UserError(
                f"Pictures may have up to {limit}, which leaves {left} of them; at least {minimum} are needed."
            )
        image_folder.load(folder, side, classes, minimum)
    if large:
        print(f"Pictures that were left out because they have more than {limit}: {large}.")


if __name__ == "__main__":  # for `manager.start`
    _, place, length, only, least = sys.argv
    main(Path(place), int(length), only, int(least))
