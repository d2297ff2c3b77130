"""What `checkpoints/` holds, by its `catalogue.json`: a model's name -> what there is to know of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ganopt.errors import UserError
from ganopt.models.checkpoint_files import checkpoint

ROLES = ("teacher", "student", "transfer")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the catalogue, as it must be. Raises ValueError for a value of another type."""

    file: str  # in checkpoints/
    bytes: int
    sha256: str
    architecture: str

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if not isinstance(value := getattr(self, name), hint):
                raise ValueError(f"{name} is {value!r}")


@dataclass(frozen=True, kw_only=True)
class Entry(File):
    """A model of the catalogue: the file of its generator, and what there is to know of it."""

    name: str
    title: str
    role: str  # teacher, student or transfer
    trained_on: str
    licence: str
    images: int  # pictures seen in training
    critic: File | None = None
    source: str = ""  # the model that a delta is the difference to
    repository: str = ""  # on the Hub; "" for a model that is only in checkpoints/
    revision: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in ROLES:
            raise ValueError(f"the role of {self.name} is {self.role!r}")


def catalogue() -> dict[str, Entry]:
    """The models of `catalogue.json` by name, in its order; none without that file. Raises UserError if damaged."""
    path = checkpoint("catalogue.json")
    try:
        entries = [_entry(values) for values in (read_json(path) or {"models": []})["models"]]
        if len({entry.name for entry in entries}) < len(entries):
            raise ValueError("two models have one name")
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged ({error}); restore it from the project's repository.") from error
    return {entry.name: entry for entry in entries}


def read_json(path: Path) -> dict[str, Any]:
    """An object in a JSON file, empty without that file. Raises UserError if it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); restore it from the project's repository.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} is damaged (it holds no object); restore it from the project's repository.")
    return values


def _entry(values: dict[str, Any]) -> Entry:
    critic = values.get("critic")
    return Entry(**{**values, "critic": File(**critic) if critic else None})
