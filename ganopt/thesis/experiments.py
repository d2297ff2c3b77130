"""The experiments behind the tables: which models are trained, with which settings, and for how long.

`runs` trains each experiment for its share of a budget of minutes, and resumes experiments that were stopped.
"""

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganopt.data import image_folder
from ganopt.errors import UserError
from ganopt.locks import lock_run
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
BOTH = {"critic": "plain-critic/2,projected:0.5", "lr_decay": 0.5}
OURS = R1_TUNED | AUGMENTED | BOTH
STUDENT = OURS | {"batch": 16, "lr_g": 5e-4, "lr_d": 2e-4, "inherit_critic": True}
THESIS = {"generator": "big/4", "critic": "critic/2"}  # its networks, as narrow as two CPU cores can train them


@dataclass(frozen=True)
class Experiment:
    """A model to train. `settings` are settings of its recipe; the others have their default."""

    name: str
    recipe: str  # the method
    share: float  # of the budget, relative to the other experiments
    settings: dict[str, Any]
    classes: str = "cat"  # the folder of its pictures: cat or dog
    needs: str = ""  # the experiment that trains its source or teacher

    @property
    def reference(self) -> str:
        """The name of the reference for FID."""
        return f"{self.classes}s"

    @property
    def origin(self) -> str:
        """The setting of its recipe for its source or teacher."""
        return METHODS[self.recipe].recipe.origin_setting


def _student(name: str, share: float, settings: dict[str, Any]) -> Experiment:
    """An experiment that distils the cat teacher."""
    return Experiment(name, "distill", share, STUDENT | settings, needs="cats-teacher")


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        # ours, with both critics
        Experiment("cats-teacher", "r1", 30, {"generator": "big-res/4"} | BOTH),
        Experiment("cats-thin", "r1", 20, {"generator": "big/4"} | BOTH),
        Experiment("dogs-scratch", "r1", 10, {"generator": "big-res/4", "snapshots": 10} | BOTH, classes="dog"),
        Experiment(
            "dogs-transfer",
            "transfer",
            10,
            OURS | {"freeze_g": 1, "freeze_d": 0, "snapshots": 10},
            classes="dog",
            needs="cats-teacher",
        ),
        Experiment(
            "cats-big",
            "transfer",
            20,
            OURS | {"widen": 4, "freeze_g": 0, "freeze_d": 0, "lr_g": 1e-4, "lr_d": 1e-4},
            needs="cats-thin",
        ),
        _student("cats-student", 20, {"generator": "big-res/16", "alpha": 0.3, "snapshots": 6}),
        _student("cats-fast", 20, {"generator": "shuffle/4", "alpha": 0.3, "snapshots": 6}),
        # the thesis's networks and methods
        Experiment("cats-thesis", "wgan-gp", 10, THESIS),
        Experiment("dogs-plain", "r1", 5, {"generator": "big/4", "critic": "plain-critic/2"}, classes="dog"),
        Experiment(
            "dogs-transfer-thesis", "transfer", 5, {"freeze_g": 2, "freeze_d": 4}, classes="dog", needs="cats-thin"
        ),
        *(_student(f"cats-kd-{alpha:g}", 5, {"generator": "kd/4", "alpha": alpha}) for alpha in ALPHAS),
        Experiment("cats-small", "r1", 5, {"generator": "kd/4"} | BOTH),
        # recipes from scratch: both critics, each alone, and the thesis's
        Experiment("race-ours", "r1", 4, {"generator": "big/4", "snapshots": 15} | BOTH),
        Experiment("race-plain", "r1", 4, {"generator": "big/4", "critic": "plain-critic/2", "snapshots": 15}),
        Experiment("race-features", "r1", 4, {"generator": "big/4", "critic": "projected", "snapshots": 15}),
        Experiment("race-thesis", "wgan-gp", 4, THESIS | {"snapshots": 15}),
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
    """The recipes of experiments in a setting.

    Raises UserError if a source or teacher has not been trained and is not among the experiments before.
    """
    before: list[str] = []
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
            if source is None and experiment.needs in before:
                source = str(setting.folder / experiment.needs)
            if source is None:
                raise UserError(f"{experiment.name} needs {experiment.needs}; train that one first.")
            values[experiment.origin] = source
        yield experiment, recipe(experiment.recipe, **values)
        before.append(experiment.name)


def planned(setting: Setting, names: list[str] | None = None) -> Iterator[tuple[Experiment, Recipe]]:
    """What would be trained, for dry runs, with all that can be checked before. Raises UserError as `runs` does."""
    for experiment, made in recipes(setting, choose(names)) if setting.minutes > 0 else ():
        folder = setting.folder / experiment.name
        if (folder / CONFIG).exists():
            with lock_run(folder):
                yield experiment, loop.prepare_resume(folder, budget={"minutes": made.minutes}).recipe
        elif experiment.needs and not locate(setting, experiment.needs):  # it will be trained before
            image_folder.check(setting.data, experiment.classes)
            yield experiment, made
        else:
            yield experiment, loop.prepare(made, folder).recipe


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
