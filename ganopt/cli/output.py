"""Output that the commands have in common."""

import sys
from pathlib import Path
from typing import Any

from ganopt.files import to_json


def program() -> str:
    """How the program was started: `ganopt` or `python -m ganopt`."""
    return "ganopt" if Path(sys.argv[0]).stem == "ganopt" else "python -m ganopt"


def print_json(**values: Any) -> None:
    """Print an object as JSON."""
    encoding = (sys.stdout.encoding or "").lower()
    print(to_json(values, indent=1, ensure_ascii=encoding != "utf-8"))
