"""Settings of a recipe: dataclass fields with a help text, choices and bounds, checked when a recipe is created."""

import dataclasses
import functools
import math
import types
from collections.abc import Collection
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from ganopt.errors import UserError

TYPES = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    tuple[str, ...]: "a list of names",
}


def setting(
    default: Any,
    help: str,
    choices: Collection[str] = (),
    low: float = -math.inf,
    high: float = math.inf,
    is_model: bool = False,
    at_start: bool = False,
    given_as: str = "",
) -> Any:
    """A field of a recipe, with its help text, and choices, the bounds of a number, or whether it names a model.

    A model `at_start` is not read again once the run is saved. `given_as` is its name for users, if that is not the
    name of the field.
    """
    rules = {"help": help, "choices": choices, "low": low, "high": high, "given_as": given_as}
    return dataclasses.field(default=default, metadata=rules | {"is_model": is_model, "at_start": at_start})


def settings_of(kind: type) -> dict[str, dataclasses.Field]:
    """The fields of a dataclass that are made by `setting`, by their names for users."""
    fields = [field for field in dataclasses.fields(kind) if "help" in field.metadata]
    return {field.metadata["given_as"] or field.name: field for field in fields}


def option(name: str) -> str:
    """The command-line option of a setting."""
    return f"--{name.replace('_', '-')}"


def option_type(kind: type, name: str) -> Any:
    """The type of a setting without None: `int` for `int | None`."""
    hint = get_type_hints(kind)[name]
    return get_args(hint)[0] if isinstance(hint, types.UnionType) else hint


def check_settings(recipe: Any) -> None:
    """Raise UserError for a setting of the wrong type, out of bounds, or not among its choices."""
    kind: Any = type(recipe)
    for name, field in settings_of(kind).items():
        value, rules = getattr(recipe, field.name), field.metadata
        try:
            _adapter(kind, field.name).validate_python(value)
        except ValidationError as error:
            if error.errors()[0]["type"].endswith(("_type", "_parsing")):
                expected = TYPES[option_type(kind, field.name)]
                raise UserError(f"{option(name)} is '{value}'; it must be {expected}.") from error
            raise UserError(f"{option(name)} is {value:.15g}; it must be {_bounds(rules)}.") from error
        if rules["choices"] and value not in rules["choices"]:
            raise UserError(f"{option(name)} is '{value}'; use one of {', '.join(rules['choices'])}.")


@functools.cache
def _adapter(kind: Any, name: str) -> TypeAdapter:
    rules = next(field.metadata for field in dataclasses.fields(kind) if field.name == name)
    bounds: dict[str, Any] = {"allow_inf_nan": False} if option_type(kind, name) is float else {}
    bounds |= {key: rules[side] for key, side in (("ge", "low"), ("le", "high")) if math.isfinite(rules[side])}
    hint: Any = Annotated[get_type_hints(kind)[name], Field(strict=True, **bounds)]
    return TypeAdapter(hint)


def _bounds(rules: Any) -> str:
    low, high = rules["low"], rules["high"]
    if not math.isfinite(high):
        return f"at least {low:.15g}" if math.isfinite(low) else "a finite number"
    return f"from {low:.15g} to {high:.15g}"
