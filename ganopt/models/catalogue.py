"""The catalogue of shipped models, `checkpoints/catalogue.json`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ganopt.errors import UserError
from ganopt.models.checkpoint_files import checkpoint

ROLES = ("teacher", "student", "transfer")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file in the catalogue. Raises ValueError for a value of the wrong type."""

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
    """A model in the catalogue: the file of its generator, and facts about the model."""

    name: str
    title: str
    role: str  # teacher, student or transfer
    trained_on: str
    licence: str
    images: int  # pictures seen in training
    critic: File | None = None
    source: str = ""  # of a delta: the model that it is a difference to
    repository: str = ""  # on the Hub; "" for a model that is only in checkpoints/
    revision: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in ROLES:
            raise ValueError(f"the role of {self.name} is {self.role!r}")


def catalogue() -> dict[str, Entry]:
    """The models of `catalogue.json` by name, in order; empty without that file. Raises UserError if it is damaged."""
    path = checkpoint("catalogue.json")
    try:
        entries = [_entry(values) for values in (read_json(path) or {"models": []})["models"]]
        if len({entry.name for entry in entries}) < len(entries):
            raise ValueError("two models have the same name")
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged ({error}); restore it from the project's repository.") from error
    return {entry.name: entry for entry in entries}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty without that file. Raises UserError if it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); restore it from the project's repository.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} is damaged (it is not a JSON object); restore it from the project's repository.")
    return values


def _entry(values: dict[str, Any]) -> Entry:
    critic = values.get("critic")
    return Entry(**{**values, "critic": File(**critic) if critic else None})
