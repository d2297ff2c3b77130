"""File locks, which the system releases when the last process that holds them ends, for any reason.

The lock of a run is the file `lock` in its folder if the page has started it, otherwise the folder itself. It is held
during training, so that no run is trained by two processes. A process is handed its locks by the one that starts it,
but on Windows, where that is not possible, and takes them itself as soon as that one releases them. Folders cannot be
locked there.
"""

import contextlib
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from ganopt.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

LOCK = "lock"  # in a run's folder
STOP = "stop"  # in a run's folder: asks its process to save and stop, where no signal can
INHERITED = "GANOPT_LOCK"  # environment variable: the descriptor of its run's lock that a process has inherited
BY_PARENT = "by parent"  # the value of INHERITED where locks are not inherited: the process that started it holds it
TIMEOUT = 0.5  # seconds; `is_locked` holds a lock only for a moment
PAUSE = 0.01  # seconds between attempts
FAR = 1 << 30  # the byte that is locked on Windows, where a locked byte cannot be read by others


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
    if os.environ.get(INHERITED) == BY_PARENT:  # if that process is killed, this one goes on and so takes the lock
        threading.Thread(target=_hold, args=[path], daemon=True).start()
        return contextlib.nullcontext()
    try:
        descriptor = _inherited(path)
        lock = Lock(os.open(path, os.O_RDONLY) if descriptor is None else descriptor)
        free = _wait_for(lock.descriptor, TIMEOUT)
    except OSError:
        return contextlib.nullcontext()
    if not free:
        raise UserError(f"The run in {folder} is already training or waiting; stop it first.")
    return lock


def lock_file(path: Path, timeout: float = TIMEOUT) -> Lock | None:
    """Lock a file, created if needed; None if another process holds its lock for longer than `timeout`, in seconds."""
    lock = Lock(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
    return lock if _wait_for(lock.descriptor, timeout) else None


def wait_for_lock(path: Path) -> Lock:
    """Lock a file, created if needed, as soon as no other process holds its lock."""
    lock = Lock(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
    if fcntl:
        fcntl.flock(lock.descriptor, fcntl.LOCK_EX)
    else:
        _wait_for(lock.descriptor, threading.TIMEOUT_MAX)
    return lock


def lock_folder(path: Path) -> Lock | None:
    """Lock a folder; None if it is locked already, a link, not a folder, or gone, and where files cannot be locked."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            lock = Lock(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
            return lock if _try_lock(lock.descriptor) else None
    return None


def is_locked(path: Path) -> bool:
    """Whether a file is locked by a running process. Several processes may check at the same time."""
    try:
        lock = Lock(os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        return False
    with lock:
        if fcntl:
            return not _try_lock(lock.descriptor, shared=True)
        return not _wait_for(lock.descriptor, 5 * PAUSE)  # no shared locks: another process may be checking


def _wait_for(descriptor: int, timeout: float) -> bool:
    """Lock an open file; False if another process holds it for longer than a moment."""
    end = time.monotonic() + timeout
    while not _try_lock(descriptor):
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True


def _try_lock(descriptor: int, shared: bool = False) -> bool:
    try:
        if fcntl:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        else:
            os.lseek(descriptor, FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (BlockingIOError, PermissionError):  # the latter on Windows
        return False
    return True


def _hold(path: Path) -> None:
    """Lock a file as soon as it is free, until this process ends."""
    with wait_for_lock(path):
        threading.Event().wait()


def _inherited(path: Path) -> int | None:
    """A new descriptor for the lock of this file that the process has inherited, if it has."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = int(os.environ.get(INHERITED, ""))
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return os.dup(descriptor)
    return None
