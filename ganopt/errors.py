"""The exception for mistakes of the user."""

import contextlib
import sys
from collections.abc import Iterator

PREFIX = "ganopt: "  # before an error in a terminal


class UserError(ValueError):
    """An error that the user can fix. Its text is one sentence: what was wrong and what to do."""


@contextlib.contextmanager
def exit_on_user_error() -> Iterator[None]:
    """On a UserError, print its sentence and exit with status 1."""
    try:
        yield
    except UserError as error:
        sys.exit(f"{PREFIX}{error}")
