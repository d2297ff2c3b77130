"""Something of ours in a process of its own: what it needs goes with it, and it cannot harm the one that asked."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from ganopt.errors import PREFIX, UserError

PATIENCE = 600.0  # seconds that such a process may take unless it is given others
PAUSE = 0.25  # seconds from one look at it to the next
# of each library that NumPy may come with: every thread takes address space
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def module_environment(**more: str) -> dict[str, str]:
    """The environment of such a process, which finds this package wherever it is started."""
    places = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))} | more


def run_module(
    words: list[str], given: str = "", task: str = "This", seconds: float = PATIENCE, **environment: str
) -> str:
    """What `python -m WORDS` prints when it is given a text. Raises UserError as `follow_module` does."""
    *_, printed = follow_module(words, given, task, seconds, **environment)
    assert printed is not None
    return printed


def follow_module(
    words: list[str], given: str = "", task: str = "This", seconds: float = PATIENCE, **environment: str
) -> Generator[str | None]:
    """None, a few times a second, while `python -m WORDS` works on a text that it is given; at last what it printed.

    The process ends, with all that it has started, when the iterator is closed, and after `seconds`. Raises UserError
    then, and with the sentence that the process ends with, or one about the `task`, such as "Reading cats.zip", which
    says how it ended.
    """
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=module_environment(**environment),
        text=True,
        start_new_session=True,
    ) as process:
        end, text, ended = time.monotonic() + seconds, given or None, None
        slow = f"{task} took longer than {seconds:g} s and was stopped; try again with less."
        try:
            while ended is None:
                try:
                    ended = process.communicate(text, timeout=PAUSE)
                except subprocess.TimeoutExpired:
                    text = None  # it is on its way
                    if time.monotonic() > end:
                        raise UserError(slow) from None
                    yield None
        finally:
            if ended is None:
                _kill(process)
    printed, errors = ended
    if process.returncode:
        raise _failure(task, process.returncode, errors)
    yield printed


@contextlib.contextmanager
def module_output(words: list[str], task: str, **environment: str) -> Iterator[IO[bytes]]:
    """What `python -m WORDS` writes, while it does; it is killed at the end of the block, however that ends.

    Where the block raises EOFError, because more was to come, that becomes a UserError which says what happened.
    """
    command, environ = [sys.executable, "-m", *words], module_environment(**environment)
    with (
        tempfile.TemporaryFile() as printed,  # a pipe that nobody reads would fill up
        subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=printed) as run,
    ):
        assert run.stdout
        try:
            yield run.stdout
        except EOFError:
            status = run.wait()
            printed.seek(0)
            raise _failure(task, status, printed.read().decode(errors="replace")) from None
        finally:
            run.kill()


def limit_memory(most: int) -> None:
    """Let this process, and those that it will start, have `most` bytes of address space each, on Linux; elsewhere all.

    Where the system runs out of memory all the same, they are the first to be ended.
    """
    if sys.platform == "linux":
        import resource

        _, allowed = resource.getrlimit(resource.RLIMIT_AS)
        most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _kill(process: subprocess.Popen) -> None:
    """End a process that leads a group, and all others of the group."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # Windows
            process.kill()


def _failure(task: str, status: int, printed: str) -> UserError:
    """What a process that failed tells the user: its own sentence, or what is known of its end."""
    *_, last = ["", *printed.strip().splitlines()]
    if last.startswith(PREFIX):
        return UserError(last.removeprefix(PREFIX))
    if "memory" in last.lower():  # MemoryError, and that of torch's allocator
        return UserError(f"{task} takes more memory than there is for it; try again with less.")
    if status == -getattr(signal, "SIGKILL", 0):
        return UserError(f"{task} was ended by the system, probably because memory ran out; try again with less.")
    if status == -getattr(signal, "SIGALRM", 0):
        return UserError(f"{task} took too long and was ended; try again with less.")
    print(printed, file=sys.stderr, end="")
    how = f"crashed (signal {-status})" if status < 0 else "failed unexpectedly"
    return UserError(f"{task} {how}; the log of the program may say why.")
