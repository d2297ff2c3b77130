"""The queue of runs: `launch` starts a process that waits until it is the run's turn, then starts training.

The waiting process imports nothing large. The queue consists of locked files, so it outlives the page and any killed
process. A run locks the file `RUN/lock` in its folder, and a ticket in the folder `.queue/` beside it, whose number is
its place, one more than the highest.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ganopt.errors import UserError
from ganopt.files import write_text
from ganopt.locks import BY_PARENT, INHERITED, LOCK, STOP, fcntl, is_locked, lock_file, wait_for_lock
from ganopt.subprocesses import module_environment

EXIT, LOG = "exit", "log.txt"  # in a run's folder
PROCESS = "process"  # in a run's folder: the id of the process that a stop signal is sent to
QUEUE, GUARD = ".queue", "guard"  # beside the runs; a lock for changes of the queue
NICENESS = 10  # so that other programs have priority over training
PAUSE = 0.2  # seconds between checks of the queue
HANDOVER = 30.0  # seconds that a process has for starting where it takes its lock itself
# of a run's process on Windows: it outlives the terminal, and other programs have priority
FLAGS = sum(getattr(subprocess, name, 0) for name in ("CREATE_NO_WINDOW", "BELOW_NORMAL_PRIORITY_CLASS"))


def tickets_ahead(ticket: Path) -> int:
    """The number of active tickets before this one."""
    return sum(is_locked(other) for other in _tickets(ticket.parent) if _number(other) < _number(ticket))


def runs_ahead(folder: Path) -> int:
    """The number of runs before an active run in the queue; 0 if it is training."""
    queue = folder.parent / QUEUE
    mine = [path for path in _tickets(queue) if path.name.partition("-")[2] == folder.name] if queue.exists() else []
    return max((tickets_ahead(path) for path in mine if is_locked(path)), default=0)


def _tickets(queue: Path) -> list[Path]:
    return [path for path in queue.iterdir() if re.match("[0-9]+-", path.name)]


def _number(ticket: Path) -> int:
    """The place of a ticket in the queue; not by the clock, which may be set back."""
    return int(ticket.name.partition("-")[0])


def count_active(runs: Path) -> int:
    """The number of runs in a folder that are training or waiting."""
    count = 0
    for lock in runs.glob(f"*/{LOCK}"):
        with contextlib.suppress(OSError):  # of another user
            count += is_locked(lock)
    return count


def check_limit(runs: Path, limit: int) -> None:
    """Raise UserError if `limit` runs are active."""
    if count_active(runs) >= limit:
        raise UserError(f"{limit} runs are already training or waiting, the limit; try again in a few minutes.")


@contextlib.contextmanager
def _locked_queue(runs: Path) -> Iterator[Path]:
    """The queue of a folder of runs, locked against changes by other processes."""
    queue = runs / QUEUE
    queue.mkdir(exist_ok=True)
    with wait_for_lock(queue / GUARD):
        yield queue


@contextlib.contextmanager
def ticket_for(folder: Path) -> Iterator[tuple[Path, int]]:
    """A locked ticket for a run, and its descriptor. The ticket is removed after the block."""
    with _locked_queue(folder.parent) as queue:  # or another process could remove the ticket before it is locked
        for other in _tickets(queue):
            if not is_locked(other):  # of a process that was killed
                _remove(other)
        path = queue / f"{1 + max(map(_number, _tickets(queue)), default=0)}-{folder.name}"
        lock = lock_file(path)
    assert lock is not None  # as its name is new
    with lock:
        try:
            yield path, lock.descriptor
        finally:
            if not fcntl:
                lock.close()  # Windows does not remove an open file
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file; on Windows, one that another process has open at this moment stays."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        path.unlink()


def launch(folder: Path, command: list[str], limit: int | None = None, **environment: str) -> subprocess.Popen | None:
    """Start a process that runs a command when it is the run's turn; None if the run is active already.

    The process outlives this one. Its output is appended to the folder's log. Raises UserError if `limit` runs are
    active, also if several are launched at the same moment, and OSError if it cannot be started; then the run's last
    exit status stays.
    """
    with _locked_queue(folder.parent):
        if limit is not None:
            check_limit(folder.parent, limit)
        lock = lock_file(folder / LOCK)
        if lock is None:
            return None
        with lock:  # until the process has inherited it, or where that is not possible, waits for it
            with open(folder / LOG, "ab") as output, _without_old(folder):
                process = subprocess.Popen(
                    [sys.executable, "-m", "ganopt.runs.queue", str(folder), str(lock.descriptor), *command],
                    pass_fds=[lock.descriptor] if fcntl else [],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=module_environment(**environment),
                    start_new_session=True,
                    creationflags=FLAGS,
                )
            if not fcntl:
                _wait_while(process, lambda: not (folder / PROCESS).exists())
        if not fcntl:
            _wait_while(process, lambda: not is_locked(folder / LOCK))
    return process


@contextlib.contextmanager
def _without_old(folder: Path) -> Iterator[None]:
    """Remove what an earlier process of a run has left; if the block fails, its exit status is written again."""
    ended = (folder / EXIT).read_bytes() if (folder / EXIT).exists() else None
    for old in (EXIT, PROCESS, STOP):  # the old process id may belong to another process by now
        (folder / old).unlink(missing_ok=True)
    try:
        yield
    except OSError:
        if ended is not None:
            (folder / EXIT).write_bytes(ended)
        raise


def _wait_while(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Wait while a condition holds, at most until a process has ended or the time for a handover is over."""
    end = time.monotonic() + HANDOVER
    while condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(PAUSE / 10)


def main(folder: Path, lock: int, command: list[str]) -> int:
    """Wait, run the command, and write its exit status into the folder; 130 if it was stopped while waiting."""
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
    signal.signal(signal.SIGINT, lambda number, frame: signals.append(number))
    write_text(folder / PROCESS, str(os.getpid()))
    own = None if fcntl else lock_file(folder / LOCK, HANDOVER)  # else inherited
    if not (fcntl or own):
        return 1  # another process has been faster
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with ticket_for(folder) as (ticket, descriptor):
        while tickets_ahead(ticket) and not _is_stopped(folder, signals):
            time.sleep(PAUSE)
        locks = [lock, descriptor] if fcntl else []
        status = 130 if _is_stopped(folder, signals) else _run(folder, command, locks, signals)
    (folder / STOP).unlink(missing_ok=True)
    write_text(folder / EXIT, str(status))
    return status


def _is_stopped(folder: Path, signals: list[int]) -> bool:
    return bool(signals) or (folder / STOP).exists()


def _run(folder: Path, command: list[str], locks: list[int], signals: list[int]) -> int:
    """Run the command. It inherits the locks, the run's first, and stop signals are sent to it from now on."""
    environment = os.environ | {INHERITED: str(locks[0]) if locks else BY_PARENT}
    with subprocess.Popen(
        command, pass_fds=locks, start_new_session=True, creationflags=FLAGS, env=environment
    ) as process:
        write_text(folder / PROCESS, str(process.pid))
        if signals:  # received before the process id was written
            process.terminate()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
