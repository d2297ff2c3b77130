"""From a request for a run to a recipe within the limits of the page, its cost, and its start."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.models.hub import AbsentError
from ganopt.models.networks import can_inherit, parse_architecture
from ganopt.runs import manager
from ganopt.runs.status import Run, find
from ganopt.thesis.experiments import EXPERIMENTS, SECOND_CRITIC
from ganopt.training import profiling
from ganopt.training.methods import METHODS, check
from ganopt.training.profiling import TrainingCost
from ganopt.training.recipe_text import parse
from ganopt.training.recipes import Recipe
from ganopt.ui import access
from ganopt.ui.access import check_limits, check_minutes, refusal

NETWORKS = (
    "big-res/4",
    "sle",
    "sle/4",
    "sle-thin/4",
    "big",
    "big/2",
    "big/4",
    "big/8",
    "big/16",
    "kd",
    "kd/4",
    "shuffle/4",
)
# the settings of the shipped models; a student uses this critic if its teacher has none
TUNED = {
    "transfer": EXPERIMENTS["dogs-transfer"].settings | {"snapshots": 0, "critic": "critic"},
    "distill": EXPERIMENTS["cats-student"].settings | {"snapshots": 0, "critic": "plain-critic"},
}
UPLOAD, FOLDER, NONE = "upload", "folder", "none"  # choices of pictures that are not drawn by a model
WITH_ORIGIN = [name for name, method in METHODS.items() if not method.from_scratch]
# settings in the form, each for the methods that have it, with their labels
SETTINGS = {
    "batch": "Batch size",
    "lr_g": "Learning rate of the generator",
    "lr_d": "Learning rate of the critic",
    "penalty": "Gradient penalty",
    "ema": "EMA decay",
    "seed": "Seed",
    "live_fids": "FID measurements",
    "alpha": "Alpha",
    "freeze_g": "Frozen generator layers",
    "freeze_d": "Frozen critic layers",
}
SHORT = 10  # minutes; runs up to this have more frequent previews


@dataclass(frozen=True)
class RunRequest:
    """A request for a run. `more` contains further settings of the recipe; None stands for the default."""

    method: str
    minutes: float
    data: str = ""  # a folder, or sample:MODEL
    origin: str = ""  # the source of a transfer or the teacher of a distillation
    network: str = "big/8"
    side: int = 64
    more: dict[str, Any] = dataclasses.field(default_factory=dict)
    second_critic: bool = False  # whether a projected critic is added


PRESETS = {
    "Cats from scratch in two minutes": RunRequest(
        "r1",
        2,
        f"{PREFIX}cats-teacher",
        network="big/4",
        side=32,  # a second critic would need most of the time, see tests.bench.minute
        more={"batch": 32, "lr_g": 1e-3, "lr_d": 1e-3, "lr_decay": 0.5, "penalty": 0.02},  # a weak one: few pixels
    ),
    "Student of the cat teacher, without pictures": RunRequest(
        "distill", 3, origin="cats-teacher", network="big/16", side=128, more={"alpha": 0.0}
    ),
    "Transfer from cats to dogs": RunRequest("transfer", 5, f"{PREFIX}dogs-transfer", "cats-teacher", side=128),
}


def resumed_budget(run: Run, recipe: Recipe, minutes: float | None, public: bool) -> float | None:
    """The new budget in minutes of a run that is resumed for `minutes`; None to finish the original budget.

    Raises UserError if the original budget is spent, or the page's limits are exceeded.
    """
    if minutes is None and (recipe.minutes is None or recipe.minutes > run.minutes) and run.status != "finished":
        check_minutes(1 if recipe.minutes is None else recipe.minutes - run.minutes, public)
        total = None
    else:
        total = run.minutes + check_minutes(minutes, public)
    check_limits(recipe, public)
    return total


def make_recipe(request: RunRequest, public: bool) -> Recipe:
    """The recipe for a request. Raises UserError for settings that are invalid or exceed the page's limits."""
    if public and request.data and not request.data.startswith(PREFIX):
        raise refusal("read folders on the server", "upload pictures instead")
    check_minutes(request.minutes, public)
    if request.method not in METHODS:
        raise UserError(f"Unknown method '{request.method[:40]}'; use one of {', '.join(METHODS)}.")
    values = {"recipe": request.method, "data": request.data} | TUNED.get(request.method, {}) | _networks(request)
    values |= {"minutes": request.minutes, "device": "auto"}
    values |= {"save_every": 100, "preview_every": 20 if request.minutes <= SHORT else 100}
    recipe = parse(values | {name: value for name, value in request.more.items() if value is not None})
    if request.second_critic:
        if not recipe.needs_pictures:
            raise UserError("Without pictures there is no critic; choose some, or switch the second critic off.")
        recipe = dataclasses.replace(recipe, critic=f"{recipe.critic},{SECOND_CRITIC}")
    if not recipe.needs_pictures:
        recipe = dataclasses.replace(recipe, data="")
    check_limits(recipe, public)
    check(recipe)
    return recipe


def from_api(
    method: str, minutes: float, data: str, origin: str, network: str, side: int, settings: dict | None
) -> RunRequest:
    """The request from an endpoint's arguments. Raises UserError for unknown settings and models.

    `data` is UPLOAD if files were uploaded.
    """
    settings = dict(settings or {})
    second_critic = settings.pop("second_critic", False)
    if not isinstance(second_critic, bool):
        raise UserError(f"second_critic is {str(second_critic)[:40]!r}; use true or false.")
    if unknown := set(settings) - set(SETTINGS):
        known = ("second_critic", *SETTINGS)
        raise UserError(f"Unknown setting {str(min(unknown))[:40]!r}; use any of {', '.join(known)}.")
    if data.startswith(PREFIX):
        zoo.check_offered([data.removeprefix(PREFIX)])
    elif not data and method == "distill":
        settings.setdefault("alpha", 0.0)  # the student learns from the teacher only
    if method in WITH_ORIGIN:
        zoo.check_offered([origin])
    data = "" if data == UPLOAD else data
    origin = origin if method in WITH_ORIGIN else ""
    return RunRequest(method, minutes, data, origin, network, side, settings, second_critic)


def estimate(request: RunRequest, public: bool) -> Iterator[str]:
    """Estimate the cost of a run: yields the elapsed time, and finally the result, as text for the page.

    Closing the iterator, as when the visitor leaves, stops the estimate.
    """
    recipe, start = make_recipe(request, public), time.monotonic()
    with contextlib.closing(profiling.follow_trial(recipe)) as updates:
        for cost in updates:
            yield _cost_text(request.minutes, cost) if cost else f"Estimating: {time.monotonic() - start:.0f} s."


def _cost_text(minutes: float, cost: TrainingCost) -> str:
    steps = 60 * minutes / cost.seconds
    pictures = f", {steps * cost.images:,.0f} pictures" if cost.images else ""
    text = f"A step takes {cost.seconds:.2g} s, so {minutes:g} minutes are about {steps:,.0f} steps{pictures}."
    return f"{text} Memory: {cost.peak / 1e9:.1f} GB of {cost.peak_of}."


def start(request: RunRequest, files: list[Path], name: str, public: bool) -> tuple[str, str]:
    """Start a run; returns a message and its name."""
    recipe, runs = make_recipe(request, public), runs_folder()
    limit = access.PUBLIC_QUEUE if public else None
    name = manager.start(runs, name or None, recipe, files if recipe.needs_pictures else [], limit).name
    if public:
        manager.forget(runs, access.PUBLIC_RUNS)
    training = [run.name for run in find(runs) if run.status == "training" and run.name != name]
    return f"'{name}' is waiting for '{training[0]}'." if training else f"'{name}' has been started.", name


def _networks(request: RunRequest) -> dict[str, Any]:
    """The settings for the networks. A transfer uses those of its source; a student has the side of its teacher.

    A student inherits the teacher's channels if it can, and the teacher's critic. The divisor of a new critic is half
    of the generator's.
    """
    if METHODS[request.method].recipe.origin_setting and not request.origin:
        raise UserError("The model to start from is missing; choose one.")
    if request.method == "transfer":
        return {"source": request.origin}
    generator = dataclasses.replace(parse_architecture(request.network), side=request.side)
    settings: dict[str, Any] = {}
    if request.method == "distill":
        teacher = parse_architecture(zoo.entry(request.origin).architecture)
        generator = dataclasses.replace(generator, side=teacher.side)
        has_critic = _has_critic(request.origin)
        settings = {
            "teacher": request.origin,
            "inherit": can_inherit(generator, teacher),
            "inherit_critic": has_critic,
        }
        if request.more.get("alpha") == 0:  # nothing else than imitation makes its pictures sharp
            settings |= {"pixel": "l1", "feature": float(has_critic)}
    defaults: dict[str, Any] = {
        field.name: field.default for field in dataclasses.fields(METHODS[request.method].recipe)
    }
    critic = parse_architecture((defaults | TUNED.get(request.method, {}))["critic"])
    critic = dataclasses.replace(critic, divisor=max(generator.divisor // 2, 1), side=generator.side)
    return settings | {"generator": str(generator), "critic": str(critic)}


def _has_critic(model: str) -> bool:
    """Whether a teacher has a critic, for the feature term and for the student's critic."""
    try:
        zoo.locate(model, "critic", local=False)
    except AbsentError:
        return False
    return True
