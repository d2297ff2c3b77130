"""Files of measurements, {"records": [...]}: each record has a kind and a name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganopt.errors import UserError
from ganopt.files import to_json, write_text

Record = dict[str, Any]
Records = dict[tuple[str, str], Record]  # by kind and name


def append(path: Path, records: list[Record]) -> None:
    """Add records to a file, created if needed. Raises UserError if it cannot be read or written."""
    _write(path, lambda stored: stored + records)


def replace(path: Path, record: Record) -> None:
    """Add a record and remove others of the same kind and name. Raises UserError as `append` does."""
    key = (record["kind"], record["name"])
    _write(path, lambda stored: [each for each in stored if (each["kind"], each["name"]) != key] + [record])


def _write(path: Path, change: Callable[[list[Record]], list[Record]]) -> None:
    try:
        results = json.loads(path.read_text(), parse_constant=_absent) if path.exists() else {}
        results["records"] = change(results.get("records", []))
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(f"{path} contains no results; choose another file with --results.") from error
    write_text(path, to_json(results, indent=1) + "\n")


def _absent(constant: str) -> None:
    """In place of a NaN or an infinity, which earlier versions wrote."""
