"""Command-line options from a recipe's settings, with their help texts and defaults."""

import argparse
import dataclasses
from typing import Any

from ganopt.training.methods import METHODS, from_scratch
from ganopt.training.recipes import Recipe
from ganopt.training.settings import option_type


def add_settings(command: argparse.ArgumentParser, kind: type[Recipe]) -> None:
    """Add an option for each setting of a recipe. Options that are not given keep the recipe's default."""
    command.add_argument("--out", help="run folder; by default a new one in runs/ or $GANOPT_RUNS")
    for field in dataclasses.fields(kind):
        option, settings = f"--{field.name.replace('_', '-')}", dict(field.metadata)
        plain = option_type(kind, field.name)
        arguments: dict[str, Any] = {"help": _help(kind, field), "default": argparse.SUPPRESS, "type": plain}
        if plain is bool:
            arguments |= {"action": argparse.BooleanOptionalAction}
            del arguments["type"]
        elif plain not in (int, float, str):  # a tuple of names
            arguments |= {"type": _names, "metavar": "NAMES"}
        if settings["choices"]:
            arguments |= {"choices": settings["choices"]}
        command.add_argument(option, **arguments)


def _help(kind: type[Recipe], field: dataclasses.Field) -> str:
    """A setting's help with its default, or with the default of each recipe if they differ."""
    text = field.metadata["help"]
    if kind is not Recipe:
        return text + (f" (default: {_text(field.default)})" if field.default not in (None, "") else "")
    defaults = {name: _default(METHODS[name].recipe, field.name) for name in from_scratch()}
    if len(set(defaults.values())) == 1:
        default = defaults["r1"]
        return text + (f" (default: {_text(default)})" if default not in (None, "") else "")
    return f"{text} (default: {', '.join(f'{_text(value)} for {name}' for name, value in defaults.items())})"


def _default(kind: type[Recipe], name: str) -> Any:
    return next(field.default for field in dataclasses.fields(kind) if field.name == name)


def _text(value: Any) -> str:
    return ",".join(value) or "none" if isinstance(value, tuple) else str(value)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.replace(" ", "").split(",")))
