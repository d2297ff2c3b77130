"""The catalogue of shipped models, `checkpoints/catalogue.json`."""

from dataclasses import field
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
    models: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len({entry.name for entry in self.models}) < len(self.models):
            raise ValueError("two models have the same name")


def catalogue() -> dict[str, Entry]:
    """The models of `catalogue.json` by name, in order; empty without that file. Raises UserError if it is damaged."""
    return {entry.name: entry for entry in read_json(checkpoint("catalogue.json"), _Catalogue).models}


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
