"""The one exception that a user may see."""

import contextlib
import sys
from collections.abc import Iterator

PREFIX = "ganopt: "  # before such a sentence in a terminal


class UserError(ValueError):
    """Something the user can mend. Its text is one sentence: what was wrong and what to do."""


@contextlib.contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the process with status 1 and the sentence of a UserError, as a command does."""
    try:
        yield
    except UserError as error:
        sys.exit(f"{PREFIX}{error}")
