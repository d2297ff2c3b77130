"""Running modules of this package as subprocesses, with time and memory limits."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

from ganopt.errors import PREFIX, UserError

TIME_LIMIT = 600.0  # seconds, the default for a subprocess
PAUSE = 0.25  # seconds between checks whether it has ended
# for each library that NumPy may use: every thread takes address space
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

BEGUN, ENDED = "ganopt begins file ", "ganopt has ended file "  # before a name in JSON, on standard error
OUT_OF_MEMORY = re.compile(r"^[\w.]*(MemoryError|OutOfMemoryError)\b|(can't|cannot) allocate memory", re.IGNORECASE)

_running: set[subprocess.Popen] = set()
_lock = threading.Lock()
_has_ended = False  # whether this program is ending
_announces = False  # whether this process announces its files


def module_environment(**more: str) -> dict[str, str]:
    """The environment of a subprocess: this one, with this package on the import path, and `more`."""
    search_path = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    encoding = {"PYTHONIOENCODING": "utf-8:backslashreplace"}  # whatever the language of the terminal
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search_path))} | encoding | more


def run_module(
    argv: list[str], text: str = "", task: str = "This", seconds: float = TIME_LIMIT, **environment: str
) -> str:
    """The output of `python -m ARGV` with a text as its input. Raises UserError as `follow_module` does."""
    *_, output = follow_module(argv, text, task, seconds, **environment)
    assert output is not None
    return output


@contextlib.contextmanager
def _started(argv: list[str], **options: Any) -> Iterator[subprocess.Popen]:
    """`python -m ARGV` in a process group of its own, which is killed when the block ends."""
    command = [sys.executable, "-m", *argv]
    with _lock:  # none is started after `end_all`
        if _has_ended:
            raise UserError("The program is ending.")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, **options)
        _running.add(process)
    with process:
        try:
            yield process
        finally:
            _running.discard(process)
            _kill(process)


def follow_module(
    argv: list[str], text: str = "", task: str = "This", seconds: float = TIME_LIMIT, **environment: str
) -> Generator[str | None]:
    """Run `python -m ARGV` with a text as its input: yields None a few times a second, and finally its output.

    The subprocess and its children are killed after `seconds`, and when the iterator is closed. Raises UserError if
    that time is exceeded or the subprocess fails, with the error that it printed, or with a sentence that begins with
    `task`, such as "Reading cats.zip".
    """
    environ, pipe = module_environment(**environment), subprocess.PIPE
    text_mode = {"encoding": "utf-8", "errors": "backslashreplace"}
    with _started(argv, env=environ, stdin=pipe, stderr=pipe, **text_mode) as process:
        end, unsent, result = time.monotonic() + seconds, text or None, None
        while result is None:
            try:
                result = process.communicate(unsent, timeout=PAUSE)
            except subprocess.TimeoutExpired:
                unsent = None  # the first call sends all of it
                if time.monotonic() > end:
                    slow = f"{task} took longer than {seconds:g} s and was stopped; try again with less."
                    raise UserError(slow) from None
                yield None
    output, errors = result
    if process.returncode:
        raise _failure(task, process.returncode, errors)
    yield output


@contextlib.contextmanager
def module_output(argv: list[str], task: str, **environment: str) -> Iterator[IO[bytes]]:
    """The output of `python -m ARGV` as a stream. The subprocess is killed when the block ends, even after an error.

    If the block raises EOFError because the output is incomplete, a UserError with the reason is raised instead.
    """
    environ = module_environment(**environment)
    with (
        tempfile.TemporaryFile() as errors,  # nobody reads it in the meantime, so a pipe would fill up
        _started(argv, env=environ, stdin=subprocess.DEVNULL, stderr=errors) as process,
    ):
        assert process.stdout
        try:
            yield process.stdout
        except EOFError:
            status = process.wait()
            errors.seek(0)
            raise _failure(task, status, errors.read().decode(errors="backslashreplace")) from None


def end_all() -> None:
    """Kill the running subprocesses of all threads, and start no more; for a program that ends and then cleans up."""
    global _has_ended
    with _lock:
        _has_ended, running = True, list(_running)
    for process in running:
        _kill(process)
        process.wait()  # until then, it may still write into a folder that is being removed


def announce_files() -> None:
    """From now on, tell the parent process which files are being read, for its error if this process is killed."""
    global _announces
    _announces = True


@contextlib.contextmanager
def announced(file: str) -> Iterator[None]:
    """Announce that a file is being read during the block."""
    _announce(BEGUN, file)
    yield
    _announce(ENDED, file)


def _announce(step: str, file: str) -> None:
    if _announces:
        sys.stderr.write(f"\n{step}{json.dumps(file)}\n")
        sys.stderr.flush()


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
    files, lines = _unfinished(errors)
    last = lines[-1] if lines else ""
    if last.startswith(PREFIX):
        return UserError(last.removeprefix(PREFIX))
    during, remedy = "", "try again with less"
    if files:
        during, remedy = f" while it read {' or '.join(files)}", "leave that file out, or try again with less"
    if OUT_OF_MEMORY.search(last):
        return UserError(f"{task} needs more memory than is available{during}; {remedy}.")
    if status == -getattr(signal, "SIGKILL", 0):
        return UserError(f"{task} was killed by another program or by the system{during}; {remedy}.")
    if status == -getattr(signal, "SIGALRM", 0):
        return UserError(f"{task} took too long{during} and was stopped; {remedy}.")
    print(*lines, sep="\n", file=sys.stderr)
    failed = f"crashed (signal {-status})" if status < 0 else "failed unexpectedly"
    remedy = "leave that file out, or see" if files else "see"
    return UserError(f"{task} {failed}{during}; {remedy} the program's log for the reason.")


def _unfinished(errors: str) -> tuple[list[str], list[str]]:
    """The files that a subprocess was reading when it ended, and the other lines on its standard error."""
    files, lines = [], []
    for line in filter(None, errors.replace("\r", "\n").split("\n")):
        if line.startswith(BEGUN):
            files.append(line.removeprefix(BEGUN))
        elif line.startswith(ENDED):
            files.remove(line.removeprefix(ENDED))
        else:
            lines.append(line)
    names = [json.loads(file).encode("utf-8", "backslashreplace").decode() for file in files]
    return names, lines
