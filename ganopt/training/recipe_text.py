"""Recipes as plain values for JSON, and as command-line arguments."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

from ganopt.data.synthetic import PREFIX
from ganopt.models import hub
from ganopt.training.methods import find_method, from_scratch, method_of, recipe
from ganopt.training.recipes import CriticSettings, Recipe
from ganopt.training.recipes.critics import OPTIONS, format_with_options
from ganopt.training.recipes.settings import option, settings_of

# how version 0.1 trained all critics but the first; they were `projected` or `projected-fine`
FURTHER_CRITIC = {"loss": "hinge", "lr": 2e-4, "augment": ("color", "translation", "cutout")}


def describe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values for JSON, the inverse of `parse`."""
    return dataclasses.asdict(recipe)


def parse(values: dict[str, Any]) -> Recipe:
    """The recipe from plain values; missing ones have their default. Raises UserError if they are not valid.

    They are those of `describe`, or settings as on the command line.
    """
    method, values = _split(values)
    return recipe(method, **values)


def parse_saved(values: dict[str, Any]) -> tuple[Recipe, list[str]]:
    """A recipe that may be from another version, and a note for each difference to this version.

    Unknown settings are ignored; missing ones have their default. Raises UserError as `parse` does.
    """
    values, of_critics = _with_known_critics(values)
    method, values = _split(values)
    kind = find_method(method).recipe
    if "critics" not in values:
        critics = _critics_of_version_0_1(values, method)
        moved = {"critic", *OPTIONS} - settings_of(kind).keys()
        values = {key: value for key, value in values.items() if key not in moved} | {"critics": critics}
    known = {"critics", *settings_of(kind)}
    unknown, new = sorted(set(values) - known), sorted(known - set(values))
    found = recipe(method, **{name: value for name, value in values.items() if name not in unknown})
    notes = [f"The setting '{name}' is unknown to this version and is ignored." for name in unknown]
    notes += [f"The setting '{name}' was not saved; it is {getattr(found, name)}, the default." for name in new]
    return found, notes + of_critics


def models(recipe: Recipe, saved: bool = False) -> dict[str, str]:
    """The settings that name models, with their values: the source or teacher, and others.

    For a saved run only those that are read again when it is resumed.
    """
    rules = {field.name: field.metadata for field in dataclasses.fields(recipe)}
    names = dict.fromkeys([recipe.origin_setting, *(name for name in rules if rules[name].get("is_model"))])
    return {name: getattr(recipe, name) for name in names if name and not (saved and rules[name].get("at_start"))}


def shareable(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values for files that are shared: paths are reduced to their last part."""
    values = describe(recipe) | {name: _shared_model(model) for name, model in models(recipe).items()}
    if recipe.data.startswith(PREFIX):
        values["data"] = PREFIX + _shared_model(recipe.data.removeprefix(PREFIX))
    elif recipe.data and not recipe.data.startswith(hub.PREFIX):
        folder = Path(recipe.data).absolute().name
        values["data"] = os.path.join(os.curdir, folder) if folder.startswith((PREFIX, hub.PREFIX)) else folder
    return values


def _shared_model(name: str) -> str:
    is_path = name and (Path(name).exists() or not hub.is_repository(name))
    return Path(name).absolute().name if is_path else name


def argv(recipe: Recipe) -> list[str]:
    """The command-line arguments for a recipe, without the settings that have their default or no effect."""
    method = method_of(recipe)
    arguments = ["train", "--recipe", recipe.method] if recipe.method in from_scratch() else [recipe.method]
    critic, options = format_with_options(
        recipe.critics, {**method.defaults, "beta1": recipe.beta1, "beta2": recipe.beta2}
    )
    values = {"critic": critic} | {name: getattr(recipe, name) for name in settings_of(type(recipe))} | options
    without_effect = recipe.without_effect()
    for name, value in values.items():
        is_fixed = name in without_effect or (name == "generator" and recipe.generator_from_origin)
        if is_fixed or value == method.default(name):
            continue
        if isinstance(value, bool):
            arguments.append(option(name) if value else f"--no-{option(name)[2:]}")
        else:
            arguments += [option(name), ",".join(value) if isinstance(value, tuple) else str(value)]
    return arguments


def _critics_of_version_0_1(values: dict[str, Any], method: str) -> tuple[CriticSettings, ...]:
    """The settings of the first critic were those of the recipe; a divisor had no effect on a projected critic."""
    first = {field.name: values.get(name, find_method(method).default(name)) for name, field in OPTIONS.items()}
    critics: list[CriticSettings] = []
    for part in str(values.get("critic", find_method(method).default("critic"))).split(","):
        name, _, weight = part.partition(":")
        name = re.sub("/[0-9]+", "", name) if name.startswith("projected") else name
        settings: dict[str, Any] = FURTHER_CRITIC if critics else first
        critics.append(CriticSettings(architecture=name, weight=float(weight or 1), **settings))
    return tuple(critics)


def _with_known_critics(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Saved values without the settings of critics that this version does not know, and a note for each."""
    known = {field.name for field in dataclasses.fields(CriticSettings)}
    critics = [dict(each) for each in values.get("critics", ())]
    unknown = sorted({name for each in critics for name in each} - known)
    notes = [f"The setting '{name}' of a critic is unknown to this version and is ignored." for name in unknown]
    critics = [{name: value for name, value in each.items() if name in known} for each in critics]
    return values | ({"critics": critics} if "critics" in values else {}), notes


def _split(values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The method and the settings in plain values; version 0.1 wrote the method as `recipe`."""
    values = _with_tuples(values)
    old = values.pop("recipe", "")
    method = values.pop("method", old)
    if "critics" in values:
        values["critics"] = tuple(CriticSettings(**_with_tuples(each)) for each in values["critics"])
    return find_method(method).name, values


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in dict(values).items()}
