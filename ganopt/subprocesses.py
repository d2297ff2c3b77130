"""Running modules of this package as subprocesses, with time and memory limits."""

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

TIME_LIMIT = 600.0  # seconds, the default for a subprocess
PAUSE = 0.25  # seconds between checks whether it has ended
# for each library that NumPy may use: every thread takes address space
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_running: set[subprocess.Popen] = set()


def module_environment(**more: str) -> dict[str, str]:
    """The environment of a subprocess: this one, with this package on the import path, and `more`."""
    places = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))} | more


def run_module(
    argv: list[str], text: str = "", task: str = "This", seconds: float = TIME_LIMIT, **environment: str
) -> str:
    """The output of `python -m ARGV` with a text as its input. Raises UserError as `follow_module` does."""
    *_, output = follow_module(argv, text, task, seconds, **environment)
    assert output is not None
    return output


def follow_module(
    argv: list[str], text: str = "", task: str = "This", seconds: float = TIME_LIMIT, **environment: str
) -> Generator[str | None]:
    """Run `python -m ARGV` with a text as its input: yields None a few times a second, and finally its output.

    The subprocess and its children are killed after `seconds`, and when the iterator is closed. Raises UserError if
    that time is exceeded or the subprocess fails, with the error that it printed, or with a sentence that begins with
    `task`, such as "Reading cats.zip".
    """
    with subprocess.Popen(
        [sys.executable, "-m", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=module_environment(**environment),
        text=True,
        start_new_session=True,
    ) as process:
        end, unsent, result = time.monotonic() + seconds, text or None, None
        _running.add(process)
        slow = f"{task} took longer than {seconds:g} s and was stopped; try again with less."
        try:
            while result is None:
                try:
                    result = process.communicate(unsent, timeout=PAUSE)
                except subprocess.TimeoutExpired:
                    unsent = None  # the first call sends all of it
                    if time.monotonic() > end:
                        raise UserError(slow) from None
                    yield None
        finally:
            _running.discard(process)
            if result is None:
                _kill(process)
    output, errors = result
    if process.returncode:
        raise _failure(task, process.returncode, errors)
    yield output


@contextlib.contextmanager
def module_output(argv: list[str], task: str, **environment: str) -> Iterator[IO[bytes]]:
    """The output of `python -m ARGV` as a stream. The subprocess is killed when the block ends, even after an error.

    If the block raises EOFError because the output is incomplete, a UserError with the reason is raised instead.
    """
    command, environ = [sys.executable, "-m", *argv], module_environment(**environment)
    with (
        tempfile.TemporaryFile() as errors,  # nobody reads it in the meantime, so a pipe would fill up
        subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout
        _running.add(process)
        try:
            yield process.stdout
        except EOFError:
            status = process.wait()
            errors.seek(0)
            raise _failure(task, status, errors.read().decode(errors="replace")) from None
        finally:
            _running.discard(process)
            _kill(process)


def end_all() -> None:
    """Kill the running subprocesses of all threads, which then clean up; for a program that ends."""
    for process in list(_running):
        _kill(process)


def limit_memory(most: int) -> None:
    """Limit the address space of this process, and of each of its future children, to `most` bytes (on Linux only).

    If the system still runs out of memory, these processes are killed first.
    """
    if sys.platform == "linux":
        import resource

        _, allowed = resource.getrlimit(resource.RLIMIT_AS)
        most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _kill(process: subprocess.Popen) -> None:
    """Kill a process that leads a process group, and the rest of the group."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # Windows
            process.kill()


def _failure(task: str, status: int, errors: str) -> UserError:
    """The error of a subprocess that failed: the sentence that it printed, else one that explains its exit status."""
    *_, last = ["", *errors.strip().splitlines()]
    if last.startswith(PREFIX):
        return UserError(last.removeprefix(PREFIX))
    if "memory" in last.lower():  # MemoryError, or the error of torch's allocator
        return UserError(f"{task} needs more memory than is available; try again with less.")
    if status == -getattr(signal, "SIGKILL", 0):
        return UserError(f"{task} was killed by the system, probably because memory ran out; try again with less.")
    if status == -getattr(signal, "SIGALRM", 0):
        return UserError(f"{task} took too long and was stopped; try again with less.")
    print(errors, file=sys.stderr, end="")
    failed = f"crashed (signal {-status})" if status < 0 else "failed unexpectedly"
    return UserError(f"{task} {failed}; see the program's log for the reason.")
