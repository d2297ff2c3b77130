"""The experiments of the Lab, found in the folder `experiments`."""

import functools
import importlib
import pkgutil

from ganopt.errors import UserError
from ganopt.lab import experiments
from ganopt.lab.contract import GROUPS, Experiment


@functools.cache
def all_experiments() -> dict[str, Experiment]:
    """The experiments by name, group after group."""
    names = [f"{experiments.__name__}.{module.name}" for module in pkgutil.iter_modules(experiments.__path__)]
    found: list[Experiment] = [importlib.import_module(name).EXPERIMENT for name in names]
    groups = [*GROUPS]
    return {each.name: each for each in sorted(found, key=lambda each: groups.index(each.group))}


def find_experiment(name: str) -> Experiment:
    """The experiment of a name. Raises UserError if there is none."""
    if name not in (known := all_experiments()):
        raise UserError(f"Unknown experiment {str(name)[:40]!r}; use one of {', '.join(known)}.")
    return known[name]
