"""Atomic writing of files and folders, strict JSON, hashes, and the folders of caches and runs."""

import contextlib
import errno
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ganopt.errors import UserError

PACKAGE = Path(__file__).parent


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`. It replaces `path` if the block succeeds and is removed if not.

    Raises UserError when the disk is full or the folder cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        os.close(descriptor)
        yield temporary
        with open(temporary, "rb+") as file:  # for writing, or Windows would refuse
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Write a text in UTF-8, as `atomic_write` does; `errors` is that of `str.encode`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=errors)


def write_cache(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path, as in `atomic_write`, to cache what was computed.

    If it cannot be written, the result is not lost: a sentence on standard error says so once, and nothing is raised.
    """
    try:
        with atomic_write(path) as temporary:
            write(temporary)
    except UserError as error:
        warn_of_cache(cache_folder(), str(error))


@functools.cache
def warn_of_cache(folder: Path, fault: str) -> None:
    """Say once, on standard error, that the cache cannot be written, from the sentence of `write_error`."""
    reason = "the disk is full" if "disk is full" in fault else fault.rpartition(" (")[2].partition(")")[0]
    text = f"The cache {folder} cannot be written ({reason}), so results are computed again the next time; "
    print(f"{text}set GANOPT_CACHE to a folder that you may write to.", file=sys.stderr)


def check_empty(folder: Path) -> None:
    """Raise UserError if there is a folder that is not empty."""
    with writing(folder):
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; choose another folder.")


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`. It replaces `path` if the block succeeds and is removed if not.

    Raises UserError if `path` is a folder that is not empty, and as `atomic_write` does.
    """
    check_empty(path)
    temporary = None
    try:
        place = path.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        yield temporary
        temporary.chmod(0o755)
        temporary.replace(place)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def stat_of(path: str | Path) -> os.stat_result | None:
    """What the system tells of a file or folder; None if there is none, or it must not be asked."""
    try:
        return os.stat(path)
    except OSError:
        return None


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed while writing into a folder."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in a UserError why a path cannot be written."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: Exception) -> UserError:
    """The error for a file or folder that could not be written."""
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC or "No space" in str(error):
        return UserError(f"The disk is full: {path} was not written; free some space or choose another folder.")
    reason = os.strerror(number) if number else str(error)
    return UserError(f"{path} cannot be written ({reason}); choose a folder that you may write to.")


@contextlib.contextmanager
def open_tensors(path: Path) -> Iterator[safe_open]:
    """A safetensors file, as tensors of torch. Raises OSError or SafetensorError if it cannot be opened.

    Safetensors opens only names in UTF-8; a file with another name, which Linux allows, is opened by its descriptor.
    """
    with contextlib.ExitStack() as stack:
        name = str(path)
        if name.encode(errors="ignore") != os.fsencode(name):
            name = f"/dev/fd/{stack.enter_context(open(path, 'rb')).fileno()}"
        yield stack.enter_context(safe_open(name, framework="pt"))


def read_tensors(path: Path) -> dict[str, Any]:
    """All tensors of a safetensors file. Raises as `open_tensors` does."""
    with open_tensors(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def to_json(value: Any, **layout: Any) -> str:
    """Strict JSON; `layout` is that of `json.dumps`. Raises ValueError for NaN and infinity, which JSON cannot hold."""
    return json.dumps(value, allow_nan=False, **layout)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@functools.cache
def code_version(*parts: str) -> str:
    """The SHA-256 of some modules and folders of this package, given by their paths relative to it.

    Part of a cache's key: an entry that another version of this code wrote is not found.
    """
    digest = hashlib.sha256()
    for part in parts:
        path = PACKAGE / part
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{module.relative_to(PACKAGE).as_posix()} {sha256(module)}\n".encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """The folder of cached data: $GANOPT_CACHE, by default ganopt in the user's cache folder.

    Nothing can be written into it if the user has no home folder either.
    """
    if folder := os.environ.get("GANOPT_CACHE"):
        return Path(folder)
    home = os.path.expanduser("~")  # unlike Path.home, never raises
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.devnull if home == "~" else home, ".cache")
    return Path(cache, "ganopt")


def runs_folder() -> Path:
    """The folder of runs: $GANOPT_RUNS, by default runs/ in the current folder."""
    return Path(os.environ.get("GANOPT_RUNS") or "runs").absolute()
