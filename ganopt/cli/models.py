"""Models as arguments of commands."""

import argparse
import sys
from pathlib import Path

from ganopt.errors import printable


class _Default(str):
    """A default: the name of a shipped model, also where a path has the same name."""

    __slots__ = ()


def add_model(command: argparse.ArgumentParser) -> None:
    """Add the option --model, by default the teacher of cats."""
    text = "model: a name, a file, a run folder or user/repo"
    command.add_argument("--model", type=model, default=_Default("cats-teacher"), help=text)


def model(text: str) -> str:
    """What a user means by a model, as the `type` of an argument; says so if it could be a name or a path."""
    from ganopt.models import zoo  # slow

    if isinstance(text, _Default):
        return text
    if note := zoo.ambiguity(text):
        print(printable(note), file=sys.stderr)
        return zoo.text_of(Path(text))
    return text
