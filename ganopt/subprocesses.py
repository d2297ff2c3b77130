"""Something of ours in a process of its own: what it needs goes with it, and it cannot harm the one that asked."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

from ganopt.errors import PREFIX, UserError

PATIENCE = 600.0  # seconds that such a process may take unless it is given others
PAUSE = 0.25  # seconds from one look at it to the next
SLOW = "It took longer than {seconds:g} s and was stopped; try again with less."
UNKNOWN = "It failed before it began, perhaps for want of memory; try again with less."


def module_environment(**more: str) -> dict[str, str]:
    """The environment of such a process, which finds this package wherever it is started."""
    places = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))} | more


def run_module(
    words: list[str], given: str = "", seconds: float = PATIENCE, slow: str = SLOW, **environment: str
) -> str:
    """What `python -m WORDS` prints when it is given a text. Raises UserError as `follow_module` does."""
    *_, printed = follow_module(words, given, seconds, slow, **environment)
    assert printed is not None
    return printed


def follow_module(
    words: list[str], given: str = "", seconds: float = PATIENCE, slow: str = SLOW, **environment: str
) -> Generator[str | None]:
    """None, a few times a second, while `python -m WORDS` works on a text that it is given; at last what it printed.

    The process ends, with all that it has started, when the iterator is closed, and after `seconds`: then UserError
    says `slow`. Raises UserError with the sentence that the process ends with, too.
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
        try:
            while ended is None:
                try:
                    ended = process.communicate(text, timeout=PAUSE)
                except subprocess.TimeoutExpired:
                    text = None  # it is on its way
                    if time.monotonic() > end:
                        raise UserError(slow.format(seconds=seconds)) from None
                    yield None
        finally:
            if ended is None:
                _kill(process)
    printed, errors = ended
    if process.returncode:
        *_, last = ["", *errors.strip().splitlines()]
        raise UserError(last.removeprefix(PREFIX) if last.startswith(PREFIX) else UNKNOWN)
    yield printed


def _kill(process: subprocess.Popen) -> None:
    """End a process that leads a group, and all others of the group."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # Windows
            process.kill()
