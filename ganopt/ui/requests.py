"""What a person asks for on the page -> a recipe, within what the page allows them."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.hub import AbsentError
from ganopt.models.networks import can_inherit, parse_architecture
from ganopt.runs.status import Run
from ganopt.thesis.experiments import EXPERIMENTS
from ganopt.training.methods import METHODS, check
from ganopt.training.recipe_text import parse
from ganopt.training.recipes import Recipe
from ganopt.ui.access import check_limits, check_minutes, refusal

NETWORKS = ("big", "big/2", "big/4", "big/8", "big/16", "kd", "kd/4", "shuffle/4")
# as the models that come with the project were trained; a student's critic, where its teacher comes without one
TUNED = {
    "transfer": EXPERIMENTS["dogs-transfer"].settings | {"snapshots": 0},
    "distill": EXPERIMENTS["cats-student"].settings | {"snapshots": 0, "critic": "plain-critic"},
}
UPLOAD, FOLDER, NONE = "upload", "folder", "none"  # pictures that are not a sample
STARTING = [name for name, method in METHODS.items() if not method.from_scratch]
# settings that matter, for the methods that have them
MORE = ("batch", "lr_g", "lr_d", "penalty", "ema", "seed", "live_fids", "alpha", "freeze_g", "freeze_d")
SHORT = 10  # minutes: shorter runs are drawn more often


@dataclass(frozen=True)
class RunRequest:
    """A run as it is asked for. `more` holds settings of the recipe; those that are None are left to it."""

    method: str
    minutes: float
    data: str = ""  # a folder, or sample:MODEL
    origin: str = ""  # the model that a transfer or a distillation starts from
    network: str = "big/8"
    side: int = 64
    more: dict[str, Any] = dataclasses.field(default_factory=dict)


PRESETS = {
    "Cats from nothing, in two minutes": RunRequest(
        "r1",
        2,
        f"{PREFIX}cats-teacher",
        network="big/8",
        side=32,
        more={"batch": 32, "lr_g": 1e-3, "lr_d": 1e-3, "penalty": 0.02},  # small pictures bear a weak penalty
    ),
    "A student of the teacher, without pictures": RunRequest(
        "distill", 3, origin="cats-teacher", network="big/16", side=128, more={"alpha": 0.0}
    ),
    "Cats become dogs": RunRequest("transfer", 5, f"{PREFIX}dogs-transfer", "cats-teacher", side=128),
}


def going_on(run: Run, recipe: Recipe, minutes: float | None, public: bool) -> float | None:
    """The budget in minutes of a run that goes on for some, or, for None, to its first end, which is None again.

    Raises UserError where that is over, and where the page does not allow it.
    """
    if minutes is None and (recipe.minutes is None or recipe.minutes > run.minutes) and run.status != "finished":
        check_minutes(1 if recipe.minutes is None else recipe.minutes - run.minutes, public)
        total = None
    else:
        total = run.minutes + check_minutes(minutes, public)
    check_limits(recipe, public)
    return total


def recipe(asked: RunRequest, public: bool) -> Recipe:
    """The recipe of a run. Raises UserError for what fits neither together nor into what the page allows."""
    if public and asked.data and not asked.data.startswith(PREFIX):
        raise refusal("read folders on the server", "upload pictures instead")
    check_minutes(asked.minutes, public)
    if asked.method not in METHODS:
        raise UserError(f"'{asked.method[:40]}' is no method; take one of {', '.join(METHODS)}.")
    values = {"recipe": asked.method, "data": asked.data} | TUNED.get(asked.method, {}) | _networks(asked)
    values |= {"minutes": asked.minutes, "device": "auto"}
    values |= {"save_every": 100, "preview_every": 20 if asked.minutes <= SHORT else 100}
    made = parse(values | {name: value for name, value in asked.more.items() if value is not None})
    if not made.needs_pictures:
        made = dataclasses.replace(made, data="")
    check_limits(made, public)
    check(made)
    return made


def wanted(
    method: str, minutes: float, data: str, origin: str, network: str, side: int, settings: dict | None
) -> RunRequest:
    """The run that a program asks for; `data` is UPLOAD where it brings files. Raises UserError for unknown names."""
    settings = dict(settings or {})
    if unknown := set(settings) - set(MORE):
        raise UserError(f"There is no setting {str(min(unknown))[:40]!r}; take any of {', '.join(MORE)}.")
    if data.startswith(PREFIX):
        zoo.check_offered([data.removeprefix(PREFIX)])
    elif not data and method == "distill":
        settings.setdefault("alpha", 0.0)  # the teacher is all that a student learns from
    if method in STARTING:
        zoo.check_offered([origin])
    chosen = "" if data == UPLOAD else data
    return RunRequest(method, minutes, chosen, origin if method in STARTING else "", network, side, settings)


def _networks(asked: RunRequest) -> dict[str, Any]:
    """The settings that name networks: a transfer's are its source's, a student draws as large as its teacher.

    A thinner student of the teacher's kind starts from its channels, and its critic from the teacher's. A new critic is
    divided by half as much as the generator is.
    """
    if METHODS[asked.method].recipe.origin_setting and not asked.origin:
        raise UserError("Choose the model to start from.")
    if asked.method == "transfer":
        return {"source": asked.origin}
    generator = dataclasses.replace(parse_architecture(asked.network), side=asked.side)
    settings: dict[str, Any] = {}
    if asked.method == "distill":
        teacher = parse_architecture(zoo.entry(asked.origin).architecture)
        generator = dataclasses.replace(generator, side=teacher.side)
        judged = _has_critic(asked.origin)
        settings = {
            "teacher": asked.origin,
            "inherit": can_inherit(generator, teacher),
            "inherit_critic": judged,
            "feature": float(judged),
        }
    known: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(METHODS[asked.method].recipe)}
    critic = parse_architecture((known | TUNED.get(asked.method, {}))["critic"])
    critic = dataclasses.replace(critic, divisor=max(generator.divisor // 2, 1), side=generator.side)
    return settings | {"generator": str(generator), "critic": str(critic)}


def _has_critic(model: str) -> bool:
    """Whether a teacher comes with its critic, which the feature term and a student's critic need."""
    try:
        zoo.locate(model, "critic", local=False)
    except AbsentError:
        return False
    return True
