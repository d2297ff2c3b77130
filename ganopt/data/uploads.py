"""Pictures, or a zip file of them, that somebody uploaded -> a folder of pictures under names of our own."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ganopt.data import archives
from ganopt.data.decode import SUFFIXES
from ganopt.errors import UserError
from ganopt.files import write_error


def collect(files: Sequence[Path], folder: Path) -> None:
    """Copy pictures, or those inside of one zip file, into a new folder.

    Raises UserError for any other file, for all that `archives.unpacked` refuses, and where it cannot be written.
    """
    if len(files) > 1 and any(file.suffix.lower() == ".zip" for file in files):
        raise UserError("Upload either pictures or one zip file of them, not both.")
    try:
        folder.mkdir(parents=True)
        for index, file in enumerate(files):
            suffix = file.suffix.lower()
            if suffix == ".zip":
                with archives.unpacked(file) as unpacked:
                    shutil.copytree(unpacked, folder, dirs_exist_ok=True)
            elif suffix in SUFFIXES and os.path.isfile(file):
                shutil.copyfile(file, folder / f"{index:05}{suffix}")
            else:
                raise UserError(f"{file.name[:80]} is neither a picture nor a zip file; leave it out.")
    except OSError as error:
        raise write_error(folder, error) from error
