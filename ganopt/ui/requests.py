"""From a request for a run to a recipe within the limits of the page, its cost, and its start."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganopt.data import image_folder, synthetic
from ganopt.data.crops import Upload
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models import hub, zoo
from ganopt.models.devices import pick_device
from ganopt.models.networks import kinds, parse_architecture
from ganopt.runs import manager, monitor
from ganopt.runs.status import Run, find
from ganopt.subprocesses import run_module
from ganopt.thesis.experiments import EXPERIMENTS
from ganopt.training import profiling
from ganopt.training.methods import METHODS, Method, check, check_given, find_method, quickest, recipe
from ganopt.training.profiling import TrainingCost
from ganopt.training.recipes import Recipe
from ganopt.training.recipes.critics import OWN_DEFAULTS
from ganopt.ui import access
from ganopt.ui.access import check_data, check_limits, check_minutes

UPLOAD, FOLDER, NONE = "upload", "folder", "none"  # choices of pictures that are not drawn by a model
NETWORKS = (
    *("big-res/4", "sle", "sle/4", "sle-thin/4"),
    *("big", "big/2", "big/4", "big/8", "big/16"),
    *("kd", "kd/4", "shuffle/4"),
)
# the settings of the shipped models; a student uses this critic if its teacher has none
TUNED = {
    "transfer": EXPERIMENTS["dogs-transfer"].settings | {"snapshots": 0, "critic": "critic"},
    "distill": EXPERIMENTS["cats-student"].settings | {"snapshots": 0, "critic": "plain-critic"},
}
SECOND_WEIGHT = 0.5  # of a second critic
SETTINGS = {  # in the form for all methods, with their labels
    "batch": "Batch size",
    "lr_g": "Learning rate of the generator",
    "lr_d": "Learning rate of the critic",
    "lr_decay": "Falling learning rates",
    "penalty": "Gradient penalty",
    "ema": "EMA decay",
    "seed": "Seed",
    "live_fids": "FID measurements (5 in long runs)",
}
SHOWN = 3  # pictures that were left out are named
LIVE_FIDS = 5  # measurements of fid100 in a run where they are cheap:
CHEAP = 15  # minutes; from then on, they take less than a twentieth of the time, and on a GPU always
SHORT = 10  # minutes; runs up to this have more frequent previews


@dataclass(frozen=True)
class RunRequest:
    """A request for a run. `more` contains further settings of the recipe; None stands for the default."""

    method: str
    minutes: float
    data: str = ""  # a folder, hub:USER/NAME, or sample:MODEL
    origin: str = ""  # the source of a transfer or the teacher of a distillation
    network: str = "big/8"
    side: int = 64
    more: dict[str, Any] = dataclasses.field(default_factory=dict)
    second_critic: str = ""  # the kind of a second critic, if any


PETS = RunRequest("transfer", 5, UPLOAD, side=128, second_critic="projected")
PRESETS = {
    "Cats from scratch in two minutes": RunRequest(
        "r1",
        2,
        f"{synthetic.PREFIX}cats-teacher",
        network="big/4",
        side=32,  # a second critic would need most of the time, see tests.bench.minute
        more={"batch": 32, "lr_g": 1e-3, "lr_d": 1e-3, "penalty": 0.02},  # a weak one: few pixels
    ),
    "Student of the cat teacher, without pictures": RunRequest(
        "distill", 3, origin="cats-teacher", network="big/16", side=128, more={"alpha": 0.0}
    ),
    "My pets, starting from the cats": dataclasses.replace(PETS, origin="cats-teacher"),
    "My pets, starting from the dogs": dataclasses.replace(PETS, origin="dogs-transfer"),
    "Transfer from cats to dogs": RunRequest(
        "transfer", 5, f"{synthetic.PREFIX}dogs-transfer", "cats-teacher", side=128
    ),
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
    check_data(request.data, public)
    check_minutes(request.minutes, public)
    method = find_method(request.method)
    values = {"data": request.data} | TUNED.get(request.method, {}) | _networks(request, method)
    values |= {"minutes": request.minutes, "device": "auto"}
    is_cheap = request.minutes >= CHEAP or pick_device("auto").type == "cuda"
    frequent, saves = (5, 20) if request.second_critic else (20, 100)  # with two critics, steps take longer
    values |= {
        "live_fids": LIVE_FIDS if is_cheap else 0,
        "save_every": saves,
        "preview_every": frequent if request.minutes <= SHORT else 100,
    }
    given = {name: value for name, value in request.more.items() if value is not None}
    made = quickest(recipe(method.name, **values | given))
    check_given(made, given)
    if not made.needs_pictures:
        if request.second_critic:
            raise UserError("Without pictures there is no critic; choose some, or no second critic.")
        made = dataclasses.replace(made, data="")
    check_limits(made, public)
    check(made)
    return made


def form_settings() -> dict[str, str]:
    """The settings in the form, with their labels: those of all methods, and their own."""
    own = {name: label for method in METHODS.values() for name, label in method.labels.items()}
    return SETTINGS | own


def from_api(
    method: str, minutes: float, data: str, origin: str, network: str, side: int, settings: dict | None
) -> RunRequest:
    """The request from an endpoint's arguments. Raises UserError for unknown settings and models.

    `data` is UPLOAD if files were uploaded.
    """
    settings = dict(settings or {})
    second_critic = settings.pop("second_critic", "")
    if isinstance(second_critic, bool):  # it used to be a switch
        second_critic = "projected" if second_critic else ""
    if not isinstance(second_critic, str) or second_critic not in ("", *kinds("critic")):
        raise UserError(f"second_critic is {str(second_critic)[:40]!r}; use one of {', '.join(kinds('critic'))}.")
    if unknown := set(settings) - set(form_settings()):
        known = ("second_critic", *form_settings())
        raise UserError(f"Unknown setting {str(min(unknown))[:40]!r}; use any of {', '.join(known)}.")
    if data.startswith(synthetic.PREFIX):
        zoo.check_offered([data.removeprefix(synthetic.PREFIX)])
    found = find_method(method)
    if not data:
        settings = {**found.without_pictures, **settings}
    if found.recipe.origin_setting:
        zoo.check_offered([origin])
    data = "" if data == UPLOAD else data
    origin = origin if found.recipe.origin_setting else ""
    return RunRequest(method, minutes, data, origin, network, side, settings, second_critic)


def estimate(request: RunRequest, public: bool) -> Iterator[str]:
    """Estimate the cost of a run: yields the elapsed time, and finally the result, as text for the page.

    Closing the iterator, as when the visitor leaves, stops the estimate.
    """
    made, start = make_recipe(request, public), time.monotonic()
    with contextlib.closing(profiling.follow_trial(made)) as updates:
        for cost in updates:
            yield _cost_text(request.minutes, cost) if cost else f"Estimating: {time.monotonic() - start:.0f} s."


def _cost_text(minutes: float, cost: TrainingCost) -> str:
    steps = 60 * minutes / cost.seconds
    pictures = f", {steps * cost.images:,.0f} pictures" if cost.images else ""
    text = f"A step takes {cost.seconds:.2g} s, so {minutes:.15g} minutes are about {steps:,.0f} steps{pictures}."
    return f"{text} Memory: {cost.peak / 1e9:.1f} GB of {cost.peak_of}."


def start(request: RunRequest, files: Sequence[Upload], name: str, public: bool) -> tuple[str, str]:
    """Start a run; returns a message and its name."""
    made, runs = make_recipe(request, public), runs_folder()
    if files and not made.needs_pictures:
        raise UserError(f"The uploaded pictures have no effect {made.without_effect()['data']}; leave them out.")
    limit = access.PUBLIC_QUEUE if public else None
    folder = manager.start(runs, name or None, made, files, limit)
    name, left_out = folder.name, _left_out(made, folder if files else None)
    if public:
        manager.forget(runs, access.PUBLIC_RUNS)
    training = [run.name for run in find(runs) if run.status == "training" and run.name != name]
    said = f"'{name}' is waiting for '{training[0]}'." if training else f"'{name}' has been started."
    return f"{said} {left_out}".strip(), name


def _left_out(made: Recipe, uploaded: Path | None) -> str:
    """How many uploaded pictures a new run uses, and which files of the upload or of a folder were left out and why."""
    if uploaded:
        kinds = ("Skipped ", "Pictures skipped ", image_folder.LEFT_OUT)
        lines = [line for line in monitor.log(uploaded).splitlines() if line.startswith(kinds)]
        more = f"and {len(lines) - SHOWN} more." if len(lines) > SHOWN else ""
        used = len(image_folder.find(uploaded / manager.PICTURES))
        return " ".join([f"It uses {used} pictures.", *lines[:SHOWN], more]).strip()
    with contextlib.suppress(UserError):  # no folder
        if made.data and (note := image_folder.survey(Path(made.data), made.classes).left_out):
            return f"{image_folder.LEFT_OUT}{note}."
    return ""


def pictures_text(data: str, files: list[Path], public: bool) -> str:
    """How many pictures a run would use, before it is started; "" if their choice says so or nothing is chosen.

    Raises UserError for files that cannot be used.
    """
    if files and files[0].suffix.lower() == ".zip":
        return _said_to_use(int(run_module(["ganopt.data.archives", str(files[0])], task="Counting the pictures")))
    if files:
        return _said_to_use(len(files))
    is_folder = data and not public and not data.startswith(hub.PREFIX)
    return _said_to_use(len(image_folder.find(Path(data)))) if is_folder else ""


def _said_to_use(count: int) -> str:
    return f"A run will use these {count:,} pictures, without those that cannot be read."


def _networks(request: RunRequest, method: Method) -> dict[str, Any]:
    """The settings for the networks. A model that is imitated decides on the side.

    The divisor of a new critic is half of the generator's.
    """
    origin = {method.recipe.origin_setting: request.origin} if method.recipe.origin_setting else {}
    if origin and not request.origin:
        raise UserError("The model to start from is missing; choose one.")
    critic = TUNED.get(method.name, {}).get("critic") or method.default("critic")
    generator = parse_architecture(request.network, "generator", request.side)
    generator = dataclasses.replace(generator, side=request.side)
    divisor = f"/{max(generator.divisor // 2, 1)}"
    second = request.second_critic + ("" if request.second_critic in OWN_DEFAULTS else divisor)
    critics = f"{critic}{divisor}" + (f",{second}:{SECOND_WEIGHT}" if request.second_critic else "")
    if method.recipe.generator_from_origin:
        return origin | {"critic": critics}
    if origin:
        generator = dataclasses.replace(generator, side=parse_architecture(zoo.entry(request.origin).architecture).side)
    suggested = method.suggest(request.origin, generator, request.more) if origin else {}
    return origin | suggested | {"generator": str(generator), "critic": critics}
