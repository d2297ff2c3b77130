"""File locks, which the system releases when the last process that holds them ends, for any reason.

The lock of a run is the file `lock` in its folder if the page has started it, otherwise the folder itself. It is held
during training, so that no run is trained by two processes.
"""

import contextlib
import os
import time
import weakref
from pathlib import Path
from typing import Any

from ganopt.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"  # in a run's folder
INHERITED = "GANOPT_LOCK"  # environment variable: the descriptor of its run's lock that a process has inherited
TIMEOUT = 0.5  # seconds; `is_locked` holds a lock only for a moment


class Lock:
    """A lock on an open file, held until it is closed or no longer referred to."""

    def __init__(self, descriptor: int):
        self.descriptor, self.close = descriptor, weakref.finalize(self, os.close, descriptor)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def lock_run(folder: Path) -> contextlib.AbstractContextManager:
    """Lock the run in a folder. Raises UserError if it is at work; where files cannot be locked, nothing is locked."""
    path = folder / LOCK if (folder / LOCK).exists() else folder
    try:
        descriptor = _inherited(path)
        lock = Lock(os.open(path, os.O_RDONLY) if descriptor is None else descriptor)
        free = fcntl is None or _wait_for(lock.descriptor)
    except OSError:
        return contextlib.nullcontext()
    if not free:
        raise UserError(f"The run in {folder} is already training or waiting; stop it first.")
    return lock


def lock_file(path: Path) -> int | None:
    """Lock a file, created if needed, until the returned descriptor is closed; None if it is locked already."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if _wait_for(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def is_locked(path: Path) -> bool:
    """Whether a file is locked by a running process. Several processes may check at the same time."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int) -> bool:
    """Lock an open file; False if another process holds it for longer than a moment."""
    end = time.monotonic() + TIMEOUT
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > end:
            return False
        time.sleep(TIMEOUT / 50)
    return True


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _inherited(path: Path) -> int | None:
    """A new descriptor for the lock of this file that the process has inherited, if it has."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = int(os.environ.get(INHERITED, ""))
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return os.dup(descriptor)
    return None
