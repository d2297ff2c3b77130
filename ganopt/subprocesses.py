"""Something of ours in a process of its own: what it needs goes with it, and it cannot harm the one that asked."""

import os
import subprocess
import sys
from pathlib import Path

from ganopt.errors import PREFIX, UserError


def module_environment(**more: str) -> dict[str, str]:
    """The environment of such a process, which finds this package wherever it is started."""
    places = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))} | more


def run_module(words: list[str], given: str = "", **environment: str) -> str:
    """What `python -m WORDS` prints when it is given a text. Raises UserError with the sentence that it ends with."""
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, input=given, env=module_environment(**environment), capture_output=True, text=True)
    if done.returncode:
        *_, last = ["", *done.stderr.strip().splitlines()]
        unknown = "It failed before it began, perhaps for want of memory; try again with less."
        raise UserError(last.removeprefix(PREFIX) if last.startswith(PREFIX) else unknown)
    return done.stdout
