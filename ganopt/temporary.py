"""Temporary folders that are removed when their process ends, or by a later process if it was killed.

Each folder is locked by its process; the system releases the lock when the process ends, for any reason.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ganopt.locks import fcntl, lock_folder

PREFIX = "ganopt-temporary-"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder, removed after the block, or at the latest at the end of the process.

    The folders that killed processes have left are removed first. Raises OSError if it cannot be created.
    """
    remove_abandoned()
    with contextlib.ExitStack() as stack:
        while True:  # another process may take a new folder, before it is locked, for an abandoned one
            temporary = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
            if lock := lock_folder(folder := Path(stack.enter_context(temporary))):
                stack.enter_context(lock)
            if not fcntl or (lock and folder.exists()):
                break
        yield folder


def remove_abandoned() -> None:
    """Remove the temporary folders of this user whose processes have ended. Does nothing on Windows."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if fcntl else ():
        if lock := lock_folder(folder):
            with lock:
                if os.fstat(lock.descriptor).st_uid == os.getuid():
                    shutil.rmtree(folder, ignore_errors=True)
