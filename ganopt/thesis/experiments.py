"""The experiments behind the tables: which models are trained, with which settings, and for how long.

`runs` trains each experiment for its share of a budget of minutes, and resumes experiments that were stopped.
"""

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganopt.errors import UserError
from ganopt.models.catalogue import catalogue
from ganopt.models.networks import parse_architecture
from ganopt.models.zoo import FILES
from ganopt.training import loop
from ganopt.training.methods import METHODS, recipe
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import CONFIG

ALPHAS = (1.0, 0.3, 0.05, 0.01, 0.001, 0.0)  # of the students; 1 and 0 are controls
R1_TUNED = {"loss": "r1", "penalty": 0.4, "penalty_every": 8, "n_critic": 1, "critic_chunk": 0, "beta2": 0.99}
AUGMENTED = {"augment": ("color", "translation")}
SECOND_CRITIC = "projected:0.5"
BOTH = {"critic": f"plain-critic/2,{SECOND_CRITIC}", "lr_decay": 0.5}
STUDENT = R1_TUNED | AUGMENTED | BOTH | {"batch": 16, "lr_g": 5e-4, "lr_d": 2e-4, "inherit_critic": True}
THESIS = {"generator": "big/4", "critic": "critic/2"}  # its networks, as narrow as two CPU cores can train them


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A model to train. `settings` are settings of its recipe; the others have their default."""

    name: str
    recipe: str  # the method
    classes: str  # the folder of its pictures: cat or dog
    share: float  # of the budget, relative to the other experiments
    settings: dict[str, Any] = field(default_factory=dict)
    needs: str = ""  # the experiment that trains its source or teacher

    @property
    def reference(self) -> str:
        """The name of the reference for FID."""
        return f"{self.classes}s"

    @property
    def origin(self) -> str:
        """The setting of its recipe for its source or teacher."""
        return METHODS[self.recipe].recipe.origin_setting


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        # ours, with both critics
        Experiment(
            name="cats-teacher", recipe="r1", classes="cat", share=30, settings={"generator": "big-res/4"} | BOTH
        ),
        Experiment(name="cats-thin", recipe="r1", classes="cat", share=20, settings={"generator": "big/4"} | BOTH),
        Experiment(name="dogs-scratch", recipe="r1", classes="dog", share=10, settings={"generator": "sle"} | BOTH),
        Experiment(
            name="dogs-transfer",
            recipe="transfer",
            classes="dog",
            share=10,
            settings=R1_TUNED | AUGMENTED | BOTH | {"freeze_g": 1, "freeze_d": 0, "snapshots": 10},
            needs="cats-teacher",
        ),
        Experiment(
            name="cats-big",
            recipe="transfer",
            classes="cat",
            share=20,
            settings=R1_TUNED
            | AUGMENTED
            | BOTH
            | {"widen": 4, "freeze_g": 0, "freeze_d": 0, "lr_g": 1e-4, "lr_d": 1e-4},
            needs="cats-thin",
        ),
        Experiment(
            name="cats-student",
            recipe="distill",
            classes="cat",
            share=20,
            settings=STUDENT | {"generator": "sle-thin/4", "alpha": 0.3, "snapshots": 6},
            needs="cats-teacher",
        ),
        Experiment(
            name="cats-fast",
            recipe="distill",
            classes="cat",
            share=20,
            settings=STUDENT | {"generator": "shuffle/4", "alpha": 0.3, "snapshots": 6},
            needs="cats-teacher",
        ),
        # the thesis's networks and methods
        Experiment(name="cats-thesis", recipe="wgan-gp", classes="cat", share=10, settings=THESIS),
        Experiment(
            name="dogs-transfer-thesis",
            recipe="transfer",
            classes="dog",
            share=5,
            settings={"freeze_g": 2, "freeze_d": 4},
            needs="cats-thin",
        ),
        *(
            Experiment(
                name=f"cats-kd-{alpha:g}",
                recipe="distill",
                classes="cat",
                share=5,
                settings=STUDENT | {"generator": "kd/4", "alpha": alpha},
                needs="cats-teacher",
            )
            for alpha in ALPHAS
        ),
        Experiment(name="cats-small", recipe="r1", classes="cat", share=5, settings={"generator": "kd/4"} | BOTH),
        # recipes from scratch: both critics, each alone, and the thesis's
        Experiment(
            name="race-ours",
            recipe="r1",
            classes="cat",
            share=4,
            settings={"generator": "sle/2", "snapshots": 30} | BOTH,
        ),
        Experiment(
            name="race-plain",
            recipe="r1",
            classes="cat",
            share=4,
            settings={"generator": "big/4", "critic": "plain-critic/2", "snapshots": 15},
        ),
        Experiment(
            name="race-features",
            recipe="r1",
            classes="cat",
            share=4,
            settings={"generator": "sle/2", "critic": "projected", "snapshots": 15},
        ),
        Experiment(name="race-thesis", recipe="wgan-gp", classes="cat", share=4, settings=THESIS | {"snapshots": 15}),
    )
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Folders, budget and pictures of the experiments."""

    data: Path  # contains a folder of pictures for each class, cat and dog
    folder: Path  # of the runs
    minutes: float  # of training, shared among the chosen experiments
    side: int = 128
    batch: int = 16
    device: str = "auto"
    precision: str = "float32"
    channels_last: bool = False


def choose(names: list[str] | None = None) -> list[Experiment]:
    """Experiments by their names, all of them by default. Raises UserError for an unknown name."""
    names = names or list(EXPERIMENTS)
    if unknown := set(names) - set(EXPERIMENTS):
        raise UserError(f"Unknown experiment '{min(unknown)}'; choose from {', '.join(EXPERIMENTS)}.")
    return [EXPERIMENTS[name] for name in names]


def recipes(setting: Setting, chosen: list[Experiment]) -> Iterator[tuple[Experiment, Recipe]]:
    """The recipes of experiments in a setting. Raises UserError if a source or teacher has not been trained."""
    shares = sum(each.share for each in chosen)
    for experiment in chosen:
        values: dict[str, Any] = {"data": str(setting.data), "classes": experiment.classes}
        for name in ("batch", "device", "precision", "channels_last"):
            values[name] = getattr(setting, name)
        values["minutes"] = setting.minutes * experiment.share / shares
        values |= experiment.settings
        if "generator" in values:  # else the networks are those of the source
            values["generator"] = str(dataclasses.replace(parse_architecture(values["generator"]), side=setting.side))
        if experiment.needs:
            source = locate(setting, experiment.needs)
            if source is None:
                raise UserError(f"{experiment.name} needs {experiment.needs}; train that one first.")
            values[experiment.origin] = source
        yield experiment, recipe(experiment.recipe, **values)


def runs(setting: Setting, names: list[str] | None = None) -> Iterator[tuple[Experiment, Generator[loop.Step]]]:
    """Experiments, by default all, in order, each with the steps that remain.

    Raises UserError for an unknown name, and if a source or teacher has not been trained.
    """
    for experiment, planned in recipes(setting, choose(names)):
        folder = setting.folder / experiment.name
        if (folder / CONFIG).exists():
            yield experiment, loop.resume(folder, budget={"minutes": planned.minutes})
        else:
            yield experiment, loop.train(planned, folder)


def locate(setting: Setting, name: str) -> str | None:
    """The model of an experiment for `zoo.load`: that of its run if saved, else the shipped one, else None."""
    folder = setting.folder / name
    if (folder / FILES["generator"]).exists():
        return str(folder)
    return name if name in catalogue() else None
