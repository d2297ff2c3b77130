"""The exception for mistakes of the user, and what its sentence may contain."""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

PREFIX = "ganopt: "  # before an error in a terminal


class UserError(ValueError):
    """An error that the user can fix. Its text is one sentence: what was wrong and what to do."""


def printable(text: str) -> str:
    """A text with names of files as one line for standard output.

    Characters that its encoding lacks, and those that a terminal would act on, are escaped.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def shell_command(*words: str) -> str:
    """A command of this program to copy into a shell, which begins as the program was started."""
    program = "ganopt" if Path(sys.argv[0]).stem == "ganopt" else "python -m ganopt"
    return f"{program} {shlex.join(words)}".rstrip()


@contextlib.contextmanager
def exit_on_user_error() -> Iterator[None]:
    """On a UserError, print its sentence and exit with status 1."""
    try:
        yield
    except UserError as error:
        sys.exit(f"{PREFIX}{error}")
