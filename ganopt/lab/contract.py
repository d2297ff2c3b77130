"""The contract of the Lab's experiments, by which the page and the command line run and draw each of them.

To add an experiment, write one module in `experiments`, with

* a frozen dataclass of settings that extends `Config`, each made by `setting(default, help, ...)`: the page makes a
  control from it and the command line an option. What cannot be checked one by one is checked in `__post_init__`,
  after `super().__post_init__()`, with a UserError;
* a generator function `run(config)` that yields a `Frame` at once, then some twenty to two hundred times, and at last
  one with progress 1. In between it yields None after each short piece of work (a step of training), so that it can be
  stopped and a page's limit on seconds holds. Those who run it call `frames`. A frame is complete: it has all figures
  and whole curves so far, so that any frame can be shown without the others. Stopping is closing the iterator, so there
  is nothing to do for it but `finally` where something must be cleaned up. All random numbers come from generators made
  from `config.seed`, never from a global one, so that equal settings give equal frames (but for measured times),
  whatever else runs. Nothing is downloaded unless a setting names it, and no file is written;
* a constant `EXPERIMENT`, which says in words and formulas what is to be seen.

Figures whose right answer is known carry it: `Figure(measured, exact=0.74, tolerance=0.05)`; it stands beside the
measured one on the page and in the CSV file, and the tests hold the experiment to it (`figure.is_right`). A claim of a
source that does not hold is shown as such.

Algorithms that are more than the experiment's own go into modules of `ganopt.lab`, data into `points`, networks are
made by `networks.perceptron`. Pictures are `ganopt.viz.drawings`. After a change that is meant to be seen, make the
finished run that the page shows first again: `python -m ganopt.lab.release NAME`.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganopt.errors import UserError
from ganopt.training.recipes.settings import check_settings, option_type, setting, settings_of
from ganopt.viz.drawings import Drawing

GROUPS = {  # after the lecture's section on partial training
    "together": "Trained together",
    "in turn": "Trained in turn",
    "competing": "Competing units",
    "beside": "Beside the GAN",
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings that all experiments have. Raises UserError for an invalid value."""

    seed: int = setting(0, "seed of all random numbers; the same seed repeats a run exactly", low=0, high=2**32 - 1)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Figure:
    """A measured number with its right answer, as far as that is known.

    That is an exact number, which a correct run meets within the tolerance, or bounds. Without a tolerance nothing is
    promised for the settings: the exact number is shown for comparison.
    """

    measured: float
    exact: float | None = None
    tolerance: float | None = None
    low: float = -math.inf
    high: float = math.inf

    @property
    def right(self) -> str:
        """The right answer as text; "" if none is known."""
        if self.exact is not None:
            return f"{self.exact:.4g}" + (f" ± {self.tolerance:.3g}" if self.tolerance else "")
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:.4g} to {self.high:.4g}"
        if math.isfinite(self.low):
            return f"at least {self.low:.4g}"
        return f"at most {self.high:.4g}" if math.isfinite(self.high) else ""

    @property
    def is_right(self) -> bool | None:
        """Whether the measured number is right; None if nothing is promised."""
        if self.exact is not None:
            return None if self.tolerance is None else abs(self.measured - self.exact) <= self.tolerance
        return self.low <= self.measured <= self.high if self.right else None


Curves = Mapping[str, Sequence[tuple[float, float]]]  # by name, each from left to right


@dataclass(frozen=True)
class Frame:
    """What an experiment shows at one moment.

    `progress` is from 0 to 1; `series` are charts by title, each with curves, on the axis `axis`.
    """

    said: str
    progress: float
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    series: Mapping[str, Curves] = dataclasses.field(default_factory=dict)
    pictures: Mapping[str, Drawing] = dataclasses.field(default_factory=dict)
    axis: str = "step"


@dataclass(frozen=True)
class Experiment:
    """An experiment: what it is, how it is run, and what is to be seen.

    `formula` is the objective in LaTeX. `presets` are settings by the text of their button; the first one is the
    default and has none. `files` names the settings that are paths on this machine or models to download, which a web
    page does not offer, `picks` the one that has the choices of what is clicked in a picture, if any
    (`ganopt.viz.drawings.Area`).
    """

    name: str
    title: str
    group: str
    summary: str
    formula: str
    look_for: str
    sources: Sequence[str]
    config: type[Config]
    run: Callable[[Any], Iterator[Frame | None]]
    presets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    notes: str = ""
    files: Sequence[str] = ()
    picks: str = ""

    @property
    def settings(self) -> dict[str, dataclasses.Field]:
        """The fields of the settings by name, the seed last."""
        found = settings_of(self.config)
        return found | {"seed": found.pop("seed")}

    def frames(self, config: Config) -> Iterator[Frame]:
        """The frames of a run."""
        return filter(None, self.run(config))

    def configure(self, values: Mapping[str, Any]) -> Config:
        """The config with these settings; the others have their defaults. Whole numbers may stand for others.

        Raises UserError for unknown settings and invalid values.
        """
        known = self.settings
        if unknown := set(values) - set(known):
            raise UserError(
                f"Unknown setting {str(min(unknown))[:40]!r} of {self.name}; use any of {', '.join(known)}."
            )
        return self.config(**{name: self._converted(name, value) for name, value in values.items()})

    def parse(self, text: str) -> Config:
        """The config from a text such as `critic_steps=5,loss=minimax`, as in the page's address.

        Raises UserError for unknown settings and invalid values.
        """
        values: dict[str, Any] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name not in self.settings:
                return self.configure({name: value})  # raises UserError
            kind = option_type(self.config, name)
            if kind is bool:
                values[name] = {"true": True, "false": False}.get(value.lower(), value)
            else:
                try:
                    values[name] = kind(value)
                except ValueError:
                    values[name] = value
        return self.configure(values)

    def format(self, config: Config) -> str:
        """The inverse of `parse`: the settings that differ from the defaults."""
        values = {name: (getattr(config, name), field.default) for name, field in self.settings.items()}
        return ",".join(f"{name}={_plain(value)}" for name, (value, default) in values.items() if value != default)

    def _converted(self, name: str, value: Any) -> Any:
        """A whole number for a setting of type float as such, and the reverse, as forms of pages confuse them."""
        kind = option_type(self.config, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return kind(value) if is_number and (kind is float or (kind is int and value == int(value))) else value


def _plain(value: Any) -> str:
    return (
        str(value).lower() if isinstance(value, bool) else f"{value:.10g}" if isinstance(value, float) else str(value)
    )
