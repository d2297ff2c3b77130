"""Output that the commands have in common."""

import sys
from typing import Any

from ganopt.files import to_json


def print_json(**values: Any) -> None:
    """Print an object as JSON."""
    encoding = (sys.stdout.encoding or "").lower()
    print(to_json(values, indent=1, ensure_ascii=encoding != "utf-8"))
