"""The experiments behind the tables: which models are trained, from what, for how long, and how they are measured.

`runs` trains each experiment for its share of a budget of minutes, and goes on where it was stopped; `measure` writes
results.json.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganopt import evaluation, profiling, training, weights
from ganopt.errors import UserError
from ganopt.evaluation import Plan
from ganopt.features import Extractor
from ganopt.models import parse_architecture
from ganopt.recipes import RECIPES, Recipe, parse
from ganopt.results import replace

ALPHAS = (1.0, 0.3, 0.05, 0.01, 0.001, 0.0)  # of the students; 1 and 0 are the controls
R1_TUNED = {"loss": "r1", "penalty": 0.4, "penalty_every": 8, "n_critic": 1, "lr_g": 2e-4, "lr_d": 2e-4, "beta2": 0.99}
AUGMENTED = {"augment": ("color", "translation")}


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A model to train. `settings` are of its recipe, and what they leave out is the recipe's default."""

    name: str
    recipe: str
    classes: str  # the folder of its pictures: cat or dog
    share: float  # of the minutes
    settings: dict[str, Any] = field(default_factory=dict)
    needs: str = ""  # the experiment whose model is its source or teacher

    @property
    def reference(self) -> str:
        """The name of the pictures that it is measured against."""
        return f"{self.classes}s"


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(name="cats-teacher", recipe="r1", classes="cat", share=30, settings={"generator": "big"}),
        Experiment(name="cats-thesis", recipe="wgan-gp", classes="cat", share=10, settings={"generator": "big"}),
        Experiment(name="cats-small", recipe="r1", classes="cat", share=8, settings={"generator": "kd"}),
        Experiment(name="dogs-scratch", recipe="r1", classes="dog", share=10, settings={"generator": "big"}),
        Experiment(
            name="dogs-transfer-thesis",
            recipe="transfer",
            classes="dog",
            share=5,
            settings={"freeze_g": 2, "freeze_d": 4},
            needs="cats-teacher",
        ),
        Experiment(
            name="dogs-transfer",
            recipe="transfer",
            classes="dog",
            share=10,
            settings={"freeze_g": 1, "freeze_d": 2} | R1_TUNED | AUGMENTED,
            needs="cats-teacher",
        ),
        *(
            Experiment(
                name=f"cats-kd-{alpha:g}",
                recipe="distill",
                classes="cat",
                share=3,
                settings={"generator": "kd", "alpha": alpha},
                needs="cats-teacher",
            )
            for alpha in ALPHAS
        ),
        Experiment(
            name="cats-student",
            recipe="distill",
            classes="cat",
            share=9,
            settings={"generator": "big/4", "inherit": True, "pixel": "l1", "feature": 1.0, "alpha": 0.05}
            | {"critic": "plain-critic", "lr_g": 2e-4, "lr_d": 2e-4, "beta2": 0.99}
            | AUGMENTED,
            needs="cats-teacher",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how large experiments are run."""

    data: Path  # holds a folder of pictures of each class, cat and dog
    folder: Path  # of the runs
    minutes: float  # of training for all experiments; an experiment has its share of them
    divisor: int = 1  # of every width: 1 for the thesis's networks, more where there is no GPU
    side: int = 128
    batch: int = 16
    device: str = "auto"
    precision: str = "float32"
    channels_last: bool = False


def recipe_of(experiment: Experiment, setting: Setting) -> Recipe:
    """What an experiment trains in a setting."""
    values = {"recipe": experiment.recipe, "data": str(setting.data), "classes": experiment.classes}
    for name in ("batch", "device", "precision", "channels_last"):
        values[name] = getattr(setting, name)
    values["minutes"] = setting.minutes * experiment.share / sum(each.share for each in EXPERIMENTS.values())
    values |= experiment.settings
    defaults = {field.name: field.default for field in dataclasses.fields(RECIPES[experiment.recipe])}
    if experiment.recipe != "transfer":  # whose networks are those of its source
        for name in ("generator", "critic"):
            values[name] = _scaled(values.get(name, defaults[name]), setting)
    if experiment.needs:
        source = str(setting.folder / experiment.needs)
        values["source" if experiment.recipe == "transfer" else "teacher"] = source
    return parse(values)


def choose(names: list[str] | None = None) -> list[Experiment]:
    """Experiments by their names, all of them by default. Raises UserError for an unknown name."""
    names = names or list(EXPERIMENTS)
    if unknown := set(names) - set(EXPERIMENTS):
        raise UserError(f"There is no experiment '{min(unknown)}'; take any of {', '.join(EXPERIMENTS)}.")
    return [EXPERIMENTS[name] for name in names]


def runs(setting: Setting, names: list[str] | None = None) -> Iterator[tuple[Experiment, Iterator[training.Step]]]:
    """Experiments, all of them by default, in their order, each with the steps that it has still to do.

    Raises UserError for an unknown name, and where a source has not been trained.
    """
    for experiment in choose(names):
        folder = setting.folder / experiment.name
        if experiment.needs and not (setting.folder / experiment.needs / "generator.safetensors").exists():
            raise UserError(f"{experiment.name} starts from {experiment.needs}; train that one first.")
        recipe = recipe_of(experiment, setting)
        if (folder / "config.json").exists():
            yield experiment, training.resume(folder, budget={"minutes": recipe.minutes})
        else:
            yield experiment, training.train(recipe, folder)


def measure(setting: Setting, eye: Extractor, results: Path, count: int = 500) -> Iterator[dict[str, Any]]:
    """Measure every experiment that has saved a model: fidN with its floor, what it costs to draw and to train.

    Yields the records as they are written; they take the place of earlier ones of the same name and kind.
    """
    for experiment in EXPERIMENTS.values():
        folder = setting.folder / experiment.name
        if not (folder / "generator.safetensors").exists():
            continue
        against = str(setting.folder / experiment.needs) if experiment.recipe == "distill" else ""
        plan = Plan(models=(str(folder),), reference=experiment.reference, against=against, count=count)
        for update in evaluation.evaluate(plan, eye):
            if update.score:
                name = experiment.name if update.score.name == str(folder) else f"floor-{experiment.reference}"
                record = evaluation.record(update.score, eye) | {"name": name}
                record["against"] = experiment.needs if against else ""
                replace(results, record)
                yield record
        record = _cost(experiment, folder, eye.device)
        replace(results, record)
        yield record


def _cost(experiment: Experiment, folder: Path, device: torch.device) -> dict[str, Any]:
    counters, recipe = training.read_counters(folder), training.read_recipe(folder)
    generator = weights.load(folder / "generator.safetensors")
    drawing = profiling.cost_of_drawing(generator, device)
    pictures = torch.zeros(recipe.batch, 3, recipe.side, recipe.side, dtype=torch.uint8)
    cost = profiling.cost_of_training(recipe, pictures)
    return {
        "kind": "cost",
        "name": experiment.name,
        "recipe": recipe.name,
        "generator": recipe.generator,
        "images": counters["images"],
        "minutes": counters["seconds"] / 60,
        "drawing": dataclasses.asdict(drawing),
        "training": dataclasses.asdict(cost),
    }


def _scaled(name: str, setting: Setting) -> str:
    """A network with its widths divided once more, for the side of the setting."""
    architecture = parse_architecture(name)
    divisor = min(architecture.divisor * setting.divisor, 64)
    return str(dataclasses.replace(architecture, divisor=divisor, side=setting.side))
