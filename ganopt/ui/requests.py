"""What a person asks for on the page -> a recipe, within what the page allows."""

import contextlib
import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Any

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import zoo
from ganopt.models.hub import AbsentError
from ganopt.models.networks import can_inherit, parameters_of, parse_architecture
from ganopt.runs.manager import AT_WORK, Run, find
from ganopt.thesis.experiments import EXPERIMENTS
from ganopt.training.methods import METHODS, Transfer, check
from ganopt.training.recipe_text import parse
from ganopt.training.recipes import Recipe

NETWORKS = ("big", "big/2", "big/4", "big/8", "big/16", "kd", "kd/4", "shuffle/4")
# as the models that come with the project were trained; a student's critic, where its teacher comes without one
TUNED = {
    "transfer": EXPERIMENTS["dogs-transfer"].settings | {"snapshots": 0},
    "distill": EXPERIMENTS["cats-student"].settings | {"snapshots": 0, "critic": "plain-critic"},
}
SHORT = 10  # minutes: shorter runs are drawn more often
PUBLIC_MINUTES = 5
PUBLIC_BATCH, PUBLIC_PARAMETERS, PUBLIC_RUNS, PUBLIC_QUEUE, PUBLIC_FIDS = 32, 5_000_000, 20, 4, 8


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


def is_public() -> bool:
    """Whether the page is a Space, or is served to other machines."""
    here = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1") in ("127.0.0.1", "localhost", "::1", "")
    shared = os.environ.get("GRADIO_SHARE", "").lower() == "true"
    return "SPACE_ID" in os.environ or shared or not here


def most_minutes() -> float | None:
    """The longest run that the page allows: $GANOPT_TRAIN_MINUTES, 0 for none at all; None where there is no limit.

    Raises UserError for a setting that is no number.
    """
    text = os.environ.get("GANOPT_TRAIN_MINUTES") or (str(PUBLIC_MINUTES) if is_public() else "inf")
    with contextlib.suppress(ValueError):
        if (most := float(text)) >= 0:
            return most if math.isfinite(most) else None
    raise UserError(f"GANOPT_TRAIN_MINUTES is '{text[:40]}'; set it to a number of minutes.")


def check_minutes(minutes: float | None) -> float:
    """The minutes themselves. Raises UserError for a time that a run may not take, or none at all."""
    most = most_minutes()
    if most == 0:
        raise UserError(limits())
    if not minutes or minutes <= 0:
        raise UserError("Give the run some minutes.")
    if most is not None and minutes > most:
        raise UserError(f"A run may take up to {most:g} min on this page; ask for no more.")
    return minutes


def going_on(run: Run, recipe: Recipe, minutes: float | None) -> float | None:
    """The budget in minutes of a run that goes on for some, or, for None, to its first end, which is None again.

    Raises UserError where that is over, and where the page does not allow it.
    """
    if minutes is None and (recipe.minutes is None or recipe.minutes > run.minutes) and run.status != "finished":
        check_minutes(1 if recipe.minutes is None else recipe.minutes - run.minutes)
        total = None
    else:
        total = run.minutes + check_minutes(minutes)
    check_limits(recipe)
    return total


def limits() -> str:
    """What the page allows, in a sentence; "" where that is everything."""
    most = most_minutes()
    if most == 0:
        return "Training is switched off on this page; run it on a machine of your own to train."
    if not is_public():
        return "" if most is None else f"A run may take up to {most:g} min here."
    return (
        f"This page is public: a run may take up to {most:g} min, batches of {PUBLIC_BATCH} and a generator of "
        f"{PUBLIC_PARAMETERS / 1e6:g} M parameters, anybody sees it, stops it or goes on with it, and the last "
        f"{PUBLIC_RUNS} are kept. On a machine of your own there are no limits."
    )


def recipe(asked: RunRequest) -> Recipe:
    """The recipe of a run. Raises UserError for what fits neither together nor into the page's limits."""
    check_minutes(asked.minutes)
    if asked.method not in METHODS:
        raise UserError(f"'{asked.method[:40]}' is no method; take one of {', '.join(METHODS)}.")
    values = {"recipe": asked.method, "data": asked.data} | TUNED.get(asked.method, {}) | _networks(asked)
    values |= {"minutes": asked.minutes, "device": "auto"}
    values |= {"save_every": 100, "preview_every": 20 if asked.minutes <= SHORT else 100}
    made = parse(values | {name: value for name, value in asked.more.items() if value is not None})
    if not made.needs_pictures:
        made = dataclasses.replace(made, data="")
    check_limits(made)
    check(made)
    return made


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


def check_limits(made: Recipe) -> None:
    """Raise UserError where a recipe asks for more than a public page gives, or there is no room in the queue."""
    if not is_public():
        return
    if len([run for run in find(runs_folder()) if run.status in AT_WORK]) >= PUBLIC_QUEUE:
        raise UserError(f"{PUBLIC_QUEUE} runs are at work or wait here already; try again in some minutes.")
    if made.live_fids > PUBLIC_FIDS:
        raise UserError(f"A run may measure fid100 {PUBLIC_FIDS} times on this page; ask for no more.")
    if made.batch > PUBLIC_BATCH:
        raise UserError(f"Batches may hold {PUBLIC_BATCH} pictures on this page; ask for no more.")
    name = zoo.entry(made.source).architecture if isinstance(made, Transfer) else made.generator
    if parameters_of(name) > PUBLIC_PARAMETERS:
        raise UserError(f"A generator may have {PUBLIC_PARAMETERS / 1e6:g} M parameters on this page; take a thin one.")


def _has_critic(model: str) -> bool:
    """Whether a teacher comes with its critic, which the feature term and a student's critic need."""
    try:
        zoo.locate(model, "critic", local=False)
    except AbsentError:
        return False
    return True
