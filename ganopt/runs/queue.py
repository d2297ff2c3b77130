"""Runs take turns: `launch` starts a process that waits for a run's turn, imports nothing large, and then trains.

Who runs and who waits is a matter of locked files, so it outlives the page and every process that dies. A run holds
the lock of its folder, `RUN/lock`, and a ticket in the queue beside it, `.queue/`, whose names tell who came first. The
system takes both back when the last process that has them ends, however it ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.subprocesses import module_environment

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK, EXIT, LOG = "lock", "exit", "log.txt"  # in a run's folder
PROCESS = "process"  # there, too: the number of the process to ask to stop
QUEUE, GUARD = ".queue", "guard"  # beside it; the lock of whoever changes the queue
POLITENESS = 10  # how far training lets others go first
PAUSE = 0.2  # seconds from one look at the queue to the next
PATIENCE = 0.5  # seconds for a lock that somebody only looks at


def check_system() -> None:
    """Raise UserError where there are no such locks."""
    if fcntl is None:
        raise UserError("The page starts runs on Linux and macOS only; train with python -m ganopt train.")


def take(path: Path) -> int | None:
    """Lock a file, made if need be, until the descriptor that is returned is closed; None where another has it."""
    descriptor, end = os.open(path, os.O_RDWR | os.O_CREAT, 0o644), time.monotonic() + PATIENCE
    while not _locks(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > end:
            os.close(descriptor)
            return None
        time.sleep(PATIENCE / 50)
    return descriptor


def is_taken(path: Path) -> bool:
    """Whether a process that lives has locked a file. Any number may look at once."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locks(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _locks(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def ahead(ticket: Path) -> int:
    """How many of those that came before a ticket are still there."""
    return sum(is_taken(other) for other in _tickets(ticket.parent) if other.name < ticket.name)


def before(folder: Path) -> int:
    """How many runs come before one that is at work; 0 when it is its turn."""
    queue = folder.parent / QUEUE
    mine = [path for path in _tickets(queue) if path.name.partition("-")[2] == folder.name] if queue.exists() else []
    return max((ahead(path) for path in mine if is_taken(path)), default=0)


def _tickets(queue: Path) -> list[Path]:
    return [path for path in queue.iterdir() if path.name != GUARD]


def at_work(runs: Path) -> int:
    """How many runs in a folder train or wait for their turn."""
    count = 0
    for lock in runs.glob(f"*/{LOCK}"):
        with contextlib.suppress(OSError):  # another user's
            count += is_taken(lock)
    return count


def check_room(runs: Path, most: int) -> None:
    """Raise UserError where `most` runs are at work."""
    if at_work(runs) >= most:
        raise UserError(f"{most} runs are at work or wait here already; try again in some minutes.")


@contextlib.contextmanager
def _guarded(runs: Path) -> Iterator[Path]:
    """The queue of a folder of runs, which nobody else changes meanwhile."""
    queue = runs / QUEUE
    queue.mkdir(exist_ok=True)
    with open(queue / GUARD, "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield queue


@contextlib.contextmanager
def ticket_for(folder: Path) -> Iterator[tuple[Path, int]]:
    """A locked ticket for a run, and its descriptor; gone at the end."""
    with _guarded(folder.parent) as queue:  # one at a time, or a new ticket might look like one that was left
        for other in _tickets(queue):
            if not is_taken(other):  # of a process that was killed
                other.unlink(missing_ok=True)
        path = queue / f"{time.time_ns()}-{folder.name}"
        descriptor = take(path)
    if descriptor is None:
        raise OSError(f"{path} is locked by another")  # its name was made now: there is none
    try:
        yield path, descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def launch(folder: Path, command: list[str], most: int | None = None, **environment: str) -> subprocess.Popen | None:
    """Start the process that runs a command in its turn and outlives this one; None where the run is at work already.

    What it prints goes into the folder's log. Raises UserError where `most` runs are at work: of any number that are
    launched at the same moment, no more than there is room for.
    """
    with _guarded(folder.parent):
        if most is not None:
            check_room(folder.parent, most)
        lock = take(folder / LOCK)
        if lock is None:
            return None
        try:
            for old in (EXIT, PROCESS):  # whose number may be another's by now
                (folder / old).unlink(missing_ok=True)
            with open(folder / LOG, "ab") as output:
                return subprocess.Popen(
                    [sys.executable, "-m", "ganopt.runs.queue", str(folder), str(lock), *command],
                    pass_fds=[lock],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=module_environment(**environment),
                    start_new_session=True,
                )
        finally:
            os.close(lock)  # the process has it, too


def main(folder: Path, lock: int, command: list[str]) -> int:
    """Wait, run the command, and leave its exit status in the folder. 130 where it was stopped while it waited."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))
    _write(folder / PROCESS, os.getpid())
    os.nice(POLITENESS)
    with ticket_for(folder) as (ticket, held):
        while ahead(ticket) and not stopped:
            time.sleep(PAUSE)
        status = 130 if stopped else _run(folder, command, [lock, held], stopped)
    _write(folder / EXIT, status)
    return status


def _run(folder: Path, command: list[str], locks: list[int], stopped: list[int]) -> int:
    """Run the command, which has the locks as well, and is from now on the one to ask."""
    with subprocess.Popen(command, pass_fds=locks, start_new_session=True) as process:
        _write(folder / PROCESS, process.pid)
        if stopped:  # in the last moment
            process.terminate()
    return process.returncode


def _write(path: Path, number: int) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(str(number))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
