"""The catalogue of shipped models, `checkpoints/catalogue.json`."""

import json
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ganopt.errors import UserError
from ganopt.models.checkpoint_files import checkpoint

ModelRole = Literal["teacher", "student", "transfer"]
ROLES: tuple[ModelRole, ...] = get_args(ModelRole)
EXACT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, kw_only=True, config=EXACT)
class File:
    """A file in the catalogue. Raises ValueError for a value of the wrong type."""

    file: str  # in checkpoints/
    bytes: int
    sha256: str
    architecture: str


@dataclass(frozen=True, kw_only=True, config=EXACT)
class Entry(File):
    """A model in the catalogue: the file of its generator, and facts about the model."""

    name: str
    title: str
    role: ModelRole
    trained_on: str
    licence: str
    images: int  # pictures seen in training
    critic: File | None = None
    source: str = ""  # of a delta: the model that it is a difference to
    repository: str = ""  # on the Hub; "" for a model that is only in checkpoints/
    revision: str = ""
    notes: str = ""


@dataclass(frozen=True, kw_only=True, config=EXACT)
class _Catalogue:
    models: list[Entry]


def catalogue() -> dict[str, Entry]:
    """The models of `catalogue.json` by name, in order; empty without that file. Raises UserError if it is damaged."""
    path = checkpoint("catalogue.json")
    try:
        text = path.read_bytes() if path.exists() else b'{"models": []}'
        entries = TypeAdapter(_Catalogue).validate_json(text).models
        if len({entry.name for entry in entries}) < len(entries):
            raise ValueError("two models have the same name")
    except (OSError, ValueError) as error:
        reason = _first_problem(error) if isinstance(error, ValidationError) else error
        raise UserError(f"{path} is damaged ({reason}); restore it from the project's repository.") from error
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


def _first_problem(error: ValidationError) -> str:
    """What is wrong and where, as in `models.0.role: Input should be 'teacher', 'student' or 'transfer'`."""
    problem = error.errors(include_url=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]
