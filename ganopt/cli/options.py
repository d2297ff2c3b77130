"""Command-line options from the settings of training methods, with their help texts and defaults."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

from ganopt.cli.models import model
from ganopt.training.methods import METHODS, Method, find_method, from_scratch
from ganopt.training.recipes import CriticSettings
from ganopt.training.recipes.critics import OPTIONS
from ganopt.training.recipes.settings import option, option_type, settings_of


def add_train_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options of `train`, with the settings of the method that is named in the arguments, if any."""
    command.add_argument("--recipe", choices=METHODS, default="r1", help="method with its default settings")
    command.add_argument("--resume", metavar="FOLDER", help="resume a run, up to its budget or a new one")
    named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    named.add_argument("--recipe")
    name = named.parse_known_args(list(arguments))[0].recipe
    _add_settings(command, [METHODS[name]] if name in METHODS else [METHODS[each] for each in from_scratch()])


def add_method(command: argparse.ArgumentParser, arguments: Sequence[str], name: str) -> None:
    """Add the options of one method."""
    command.set_defaults(recipe=name)
    _add_settings(command, [find_method(name)])


def _add_settings(command: argparse.ArgumentParser, methods: list[Method]) -> None:
    """Add an option for each setting that all methods have. Those that are not given keep the method's default."""
    command.add_argument("--out", help="run folder; by default a new one in runs/ or $GANOPT_RUNS")
    first, *others = methods
    for name in first.settings:
        if not all(name in other.settings for other in others) or (
            name == "generator" and first.recipe.generator_from_origin
        ):
            continue
        command.add_argument(option(name), help=_help(name, methods), default=argparse.SUPPRESS, **_type(name, first))


def _type(name: str, method: Method) -> dict[str, Any]:
    """The arguments of `add_argument` for the type of a setting."""
    if name == "critic":
        return {}
    own = settings_of(method.recipe)
    return setting_argument(method.recipe if name in own else CriticSettings, own.get(name) or OPTIONS[name])


def setting_argument(kind: type, field: dataclasses.Field) -> dict[str, Any]:
    """The arguments of `add_argument` for the type of a field of a dataclass that is made by `setting`."""
    plain = option_type(kind, field.name)
    if plain is bool:
        return {"action": argparse.BooleanOptionalAction}
    if field.metadata.get("is_model"):
        return {"type": model}
    choices = {"choices": field.metadata["choices"]} if field.metadata["choices"] else {}
    return choices | ({"type": plain} if plain in (int, float, str) else {"type": _names, "metavar": "NAMES"})


def _help(name: str, methods: list[Method]) -> str:
    """A setting's help with its default, or with the default of each method if they differ."""
    text, defaults = methods[0].settings[name], {method.name: method.default(name) for method in methods}
    default = next(iter(defaults.values()))
    if all(each == default for each in defaults.values()):
        return text + (f" (default: {_text(default)})" if default not in (None, "") else "")
    return f"{text} (default: {', '.join(f'{_text(value)} for {name}' for name, value in defaults.items())})"


def _text(value: Any) -> str:
    return ",".join(value) or "none" if isinstance(value, tuple) else str(value)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.replace(" ", "").split(",")))
