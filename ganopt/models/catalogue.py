"""The catalogue of shipped models, `checkpoints/catalogue.json`: those of faces, and those of the Lab."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import InitVar, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ganopt.errors import UserError
from ganopt.files import sha256, to_json, write_text
from ganopt.models.checkpoint_files import checkpoint, checkpoints

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

    def describes(self, path: Path) -> bool:
        """Whether a file is the one of the catalogue."""
        return path.stat().st_size == self.bytes and sha256(path) == self.sha256


@dataclass(frozen=True, kw_only=True, config=EXACT)
class Named(File):
    """A file in the catalogue that is listed."""

    name: str
    title: str


@dataclass(frozen=True, kw_only=True, config=EXACT)
class Entry(Named):
    """A model in the catalogue: the file of its generator, and facts about the model."""

    role: ModelRole
    trained_on: str
    licence: str
    images: int  # pictures seen in training
    critic: File | None = None
    source: str = ""  # of a delta: the model that it is a difference to
    notes: str = ""
    repository: InitVar[str] = ""  # only read, because version 0.1 wrote both, always empty
    revision: InitVar[str] = ""


@dataclass(frozen=True, kw_only=True, config=EXACT)
class LabEntry(Named):
    """A generator of the Lab in the catalogue, which draws no faces."""

    draws: str  # as in: digits of 28x28 pixels
    trained_on: str
    licence: str


@dataclass(frozen=True, kw_only=True, config=EXACT)
class _Catalogue:
    models: list[Entry] = field(default_factory=list)
    lab: list[LabEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        entries: list[Named] = [*self.models, *self.lab]
        if len({entry.name for entry in entries}) < len(entries):
            raise ValueError("two models have the same name")


def catalogue() -> dict[str, Entry]:
    """The models of faces by name, in order; empty without the file. Raises UserError if it is damaged."""
    return {entry.name: entry for entry in _read().models}


def lab_catalogue() -> dict[str, LabEntry]:
    """The generators of the Lab by name, as `catalogue` does."""
    return {entry.name: entry for entry in _read().lab}


def known_names(listed: Callable[[], Mapping[str, Named]] = catalogue) -> list[str]:
    """The names of `catalogue` or `lab_catalogue`; none if it cannot be read."""
    try:
        return list(listed())
    except UserError:
        return []


def refuse_lab(name: str, faces: Iterable[str]) -> None:
    """Raise UserError for a generator of the Lab, where one of faces is needed; `faces` are to choose from."""
    try:
        found = lab_catalogue().get(name)
    except UserError:  # the catalogue cannot be read
        return
    if found:
        choices = ", ".join(faces)
        raise UserError(
            f"{name} draws {found.draws}, no faces; draw with it by `generate` or in the Lab, or choose from {choices}."
        )


def write_catalogue(models: Mapping[str, Entry], lab: Mapping[str, LabEntry]) -> None:
    """Write the catalogue. Raises UserError if it cannot be written."""
    lists = {"models": models, "lab": lab}
    values = {key: [dataclasses.asdict(entry) for entry in entries.values()] for key, entries in lists.items()}
    write_text(checkpoints() / "catalogue.json", to_json(values, indent=1) + "\n")


def _read() -> _Catalogue:
    return read_json(checkpoint("catalogue.json"), _Catalogue)


def read_json(path: Path, kind: Any = dict[str, Any]) -> Any:
    """The object in a JSON file; empty without that file. Raises UserError if it is damaged or of another kind."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes() if path.exists() else b"{}")
    except (OSError, ValueError) as error:
        reason = _first_problem(error) if isinstance(error, ValidationError) else error
        raise UserError(f"{path} is damaged ({reason}); restore it from the project's repository.") from error


def _first_problem(error: ValidationError) -> str:
    """What is wrong and where, as in `models.0.role: Input should be 'teacher', 'student' or 'transfer'`."""
    problem = error.errors(include_url=False)[0]
    place, message = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
