"""The files under a folder of pictures, without those of runs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from ganopt.errors import UserError
from ganopt.files import stat_of

RECIPE, PICTURES = "config.json", ("previews", "verdicts")  # in the folder of a run: a file, folders of pictures


def files_under(folder: Path, classes: str) -> Iterator[tuple[str, os.stat_result | None]]:
    """The files to consider, relative to the folder, with their sizes and times, None for a link that leads nowhere.

    They come in the same order each time. Pipes and devices are left out, as opening one may never end.
    """
    if not os.path.isdir(folder):  # unlike Path.is_dir, never raises
        raise UserError(f"There is no folder {folder}; check the name.")
    is_class = not classes or Path(os.path.abspath(folder)).name == classes
    for parent, names in _folders(folder):
        inside = Path(parent).relative_to(folder)
        before, prefix = os.path.join(parent, ""), os.path.join(inside, "") if inside.parts else ""
        for name in sorted(names) if is_class or classes in inside.parts else ():
            if name[0] == ".":
                continue
            stat = stat_of(before + name)
            if stat is None or S_ISREG(stat.st_mode):
                yield prefix + name, stat


def _folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder and those in it, with the names in each, without hidden ones, runs, and what holds the folder itself.

    Links come after all real folders, so none of these is known by the name of a link. No folder comes twice.
    """
    seen = {_identity(parent) for parent in Path(os.path.realpath(folder)).parents}
    queue = [str(folder)]
    for start in queue:
        for parent, folders, names in os.walk(start):
            is_run = RECIPE in names and _is_run(Path(parent))
            identity = _identity(parent)
            if identity in seen or (is_run and parent != str(folder)):
                folders.clear()
                continue
            seen.add(identity)
            yield parent, names
            folders[:] = sorted(name for name in folders if name[0] != "." and not (is_run and name in PICTURES))
            queue += [path for name in folders if os.path.islink(path := os.path.join(parent, name))]


def _identity(folder: str | Path) -> tuple[int, int]:
    stat = stat_of(folder)
    return (stat.st_dev, stat.st_ino) if stat else (0, 0)  # removed in the meantime


def _is_run(folder: Path) -> bool:
    """Whether a folder that contains a file of this name is that of a run."""
    if not os.path.isfile(folder / RECIPE):  # unlike Path.is_file, never raises
        return False
    try:
        values = json.loads((folder / RECIPE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and "generator" in values and not {"method", "recipe"}.isdisjoint(values)
