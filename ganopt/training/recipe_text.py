"""Recipes as plain values for JSON, and as command-line arguments."""

import dataclasses
from pathlib import Path
from typing import Any

from ganopt.errors import UserError
from ganopt.models import hub
from ganopt.training.methods import METHODS, method_of
from ganopt.training.recipes import Recipe
from ganopt.training.settings import option


def describe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values for JSON, the inverse of `parse`."""
    return {"recipe": recipe.name, **dataclasses.asdict(recipe)}


def parse(values: dict[str, Any]) -> Recipe:
    """The recipe from plain values; missing ones have their default. Raises UserError if they are not valid."""
    kind, values = _split(values)
    if unknown := set(values) - _settings(kind):
        raise UserError(f"The recipe {kind.name} has no setting '{min(unknown)}'; leave it out.")
    return kind(**values)


def parse_saved(values: dict[str, Any]) -> tuple[Recipe, list[str]]:
    """A recipe that may be from another version, and a note for each difference to this version.

    Unknown settings are ignored; missing ones have their default. Raises UserError as `parse` does.
    """
    kind, values = _split(values)
    unknown, new = sorted(set(values) - _settings(kind)), sorted(_settings(kind) - set(values))
    recipe = kind(**{name: value for name, value in values.items() if name not in unknown})
    notes = [f"The setting '{name}' is unknown to this version and is ignored." for name in unknown]
    notes += [f"The setting '{name}' was not saved; it is {getattr(recipe, name)}, the default." for name in new]
    return recipe, notes


def models(recipe: Recipe) -> dict[str, str]:
    """The settings that name models, with their values: the source or teacher, and others."""
    fields = (field for field in dataclasses.fields(recipe) if field.metadata.get("is_model"))
    return {name: getattr(recipe, name) for name in (recipe.origin_setting, *(field.name for field in fields)) if name}


def travelling(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values for files that are shared: paths are reduced to their last part."""
    values = describe(recipe)
    for name in ("data", *models(recipe)):
        model = name != "data" and hub.is_repository(values[name]) and not Path(values[name]).exists()
        if values[name] and not model:
            values[name] = Path(values[name]).absolute().name
    return values


def argv(recipe: Recipe) -> list[str]:
    """The command-line arguments for a recipe, without the settings that have their default."""
    arguments = ["train", "--recipe", recipe.name] if method_of(recipe).from_scratch else [recipe.name]
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if value == field.default:
            continue
        if isinstance(value, bool):
            arguments.append(option(field.name) if value else f"--no-{option(field.name)[2:]}")
        else:
            arguments += [option(field.name), ",".join(value) if isinstance(value, tuple) else str(value)]
    return arguments


def _split(values: dict[str, Any]) -> tuple[type[Recipe], dict[str, Any]]:
    values = dict(values)
    method = METHODS.get(str(values.pop("recipe", "")))
    if method is None:
        raise UserError(f"Unknown recipe; use one of {', '.join(METHODS)}.")
    return method.recipe, {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _settings(kind: type[Recipe]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}
