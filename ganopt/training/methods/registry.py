"""The registry of training methods: their recipes and defaults, how networks are made, and the generator's loss."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, manual_seed
from torch.random import fork_rng

from ganopt.data.image_folder import shows_text
from ganopt.data.real_pictures import Source
from ganopt.errors import UserError
from ganopt.models import weights, zoo
from ganopt.models.devices import computes_bfloat16, pick_device
from ganopt.models.networks import Architecture, Role, build_critic, build_generator, parse_architecture
from ganopt.training.recipes import CriticSettings, Recipe
from ganopt.training.recipes.critics import OPTIONS, OWN_DEFAULTS, parse_critics
from ganopt.training.recipes.settings import option, settings_of
from ganopt.training.state import Loss, Networks, State
from ganopt.training.step import adversarial_loss

CRITIC_HELP = "critic, plain-critic/2, or critics with weights, as in plain-critic/2,projected:0.5"


def new_networks(recipe: Recipe) -> Networks:
    """Networks with random weights; no critics if there is no adversarial loss."""
    generator = build_generator(recipe.generator)  # first: the order decides on the random weights
    critics = [build_critic(critic.architecture) for critic in recipe.critics] if recipe.needs_pictures else []
    return Networks(generator, critics)


def _adversarial_only(state: State, z: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    return adversarial_loss(state, fake), {}


@dataclass(frozen=True, kw_only=True)
class Method:
    """A training method: what its recipes contain, and functions of such a recipe."""

    name: str
    title: str  # shown to users
    recipe: type[Recipe] = Recipe
    defaults: Mapping[str, Any] = field(default_factory=dict)  # that differ from those of the recipe, by setting
    networks: Callable[[Any], Networks] = new_networks  # on the CPU, for the first step
    saved_networks: Callable[[Any], Networks] | None = None  # for a saved state, which has the trained weights
    # the recipe with the networks that come from its source or teacher
    resolve: Callable[[Any], Recipe] = lambda recipe: recipe
    generator_loss: Loss = _adversarial_only
    # settings that suit a source or teacher, from its name, the generator to train, and the settings given
    suggest: Callable[[str, Architecture, Mapping[str, Any]], dict[str, Any]] = lambda origin, student, given: {}
    labels: Mapping[str, str] = field(default_factory=dict)  # of settings of its own that a form shows
    without_pictures: Mapping[str, Any] = field(default_factory=dict)  # settings with which it needs no pictures
    distance: str = ""  # the term of its loss that measures the distance to the model it imitates
    epoch_steps: int = 100  # generator updates in an epoch, as the thesis counts them

    @property
    def settings(self) -> dict[str, str]:
        """The settings that users give, with their help texts."""
        fields = settings_of(self.recipe) | OPTIONS
        return {"critic": CRITIC_HELP} | {name: each.metadata["help"] for name, each in fields.items()}

    def default(self, name: str) -> Any:
        """The default of a setting."""
        if name in self.defaults:
            return self.defaults[name]
        return (settings_of(self.recipe) | OPTIONS)[name].default


METHODS: dict[str, Method] = {}


def register(method: Method) -> None:
    """Register a method under its name. Raises ValueError if the name is taken."""
    if method.name in METHODS:
        raise ValueError(f"the method {method.name!r} is already registered")
    METHODS[method.name] = method


def from_scratch() -> list[str]:
    """The names of the methods that need no other model."""
    return [name for name, method in METHODS.items() if not method.recipe.origin_setting]


def find_method(name: Any) -> Method:
    """The method of a name. Raises UserError if there is none."""
    if not isinstance(name, str) or name not in METHODS:
        raise UserError(f"Unknown method '{str(name)[:40]}'; use one of {', '.join(METHODS)}.")
    return METHODS[name]


def method_of(recipe: Recipe) -> Method:
    """The method of a recipe."""
    return METHODS[recipe.method]


def recipe(method: str, **settings: Any) -> Recipe:
    """The recipe of a method with some settings; the others have the method's defaults.

    The settings are those of the command line, as in `recipe("r1", data="cats", critic="plain-critic/2", minutes=30)`.
    `critics`, a tuple of CriticSettings, can stand for `critic` and the settings of critics. Raises UserError for an
    invalid one.
    """
    found = find_method(method)
    if unknown := set(settings) - {"critics", *found.settings}:
        raise UserError(f"The method {method} has no setting '{min(unknown)}'; leave it out.")
    if "critics" not in settings:
        text = settings.get("critic", found.default("critic"))
        if not isinstance(text, str):
            raise UserError(f"--critic is '{text}'; it must be text.")
        settings["critics"] = parse_critics(text, found.defaults, settings)
    elif doubled := set(settings) & ({"critic", *OPTIONS} - settings_of(found.recipe).keys()):
        raise UserError(f"The critics are given with all their settings; leave out {min(doubled)}.")
    own = {"critics", *settings_of(found.recipe)}
    values = {name: value for name, value in {**found.defaults, **settings}.items() if name in own}
    return found.recipe(method=method, **values)


def check_given(recipe: Recipe, given: Mapping[str, Any]) -> None:
    """Raise UserError if a setting that a user has given has no effect in a recipe; 0 and False ask for none."""
    for name, reason in recipe.without_effect().items():
        if given.get(name):
            raise UserError(f"{option(name)} has no effect {reason}; leave it out.")
    if given.get("critic"):
        named = recipe.critics[0].architecture
        used = parse_architecture(method_of(recipe).resolve(recipe).critics[0].architecture, "critic")
        if parse_architecture(named, "critic", used.side) != used:
            owner, _ = zoo.find_critic(recipe.origin)
            raise UserError(
                f"The first critic is that of {owner}, a {used}, not a {named}; name that one first in "
                "--critic, or leave it out."
            )


def architecture_of(model: str, role: Role) -> str:
    """The architecture of a model's generator, or of the critic to start from. Raises UserError if there is none."""
    path = zoo.find_critic(model)[1] if role == "critic" else zoo.locate(model)
    return str(weights.read_architecture(weights.read_metadata(path), str(path)))


def borrowed_critic(recipe: Recipe) -> str:
    """A sentence that says whose critic stands for that of the source or teacher, if this has none; else empty."""
    owner = zoo.find_critic(recipe.origin)[0] if recipe.uses_origin_critic else recipe.origin
    if owner == recipe.origin:
        return ""
    return f"{recipe.origin} has no critic of its own; that of {owner}, which it was trained from, is used."


def with_first_critic(recipe: Recipe, architecture: str) -> tuple[CriticSettings, ...]:
    """The critics of a recipe, where the first one has another architecture and keeps its settings.

    If that is of another kind with defaults of its own, it has these.
    """
    first, *others = recipe.critics
    kind = CriticSettings(architecture=architecture).kind
    own = {} if first.kind == kind else OWN_DEFAULTS.get(kind, {})
    return dataclasses.replace(first, architecture=architecture, **own), *others


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with all settings decided: networks taken from the source or teacher, and whether to mirror."""
    recipe = method_of(recipe).resolve(recipe)
    flip = recipe.flip
    if flip is None:
        flip = not (recipe.data and shows_text(Path(recipe.data), recipe.classes))
    return dataclasses.replace(recipe, flip=flip)


def quickest(recipe: Recipe) -> Recipe:
    """The recipe in bfloat16 if its device has units for that, and in the memory format that is faster then.

    A gradient penalty in every update differentiates twice, which is slower in the format channels-last.
    """
    if not computes_bfloat16(pick_device(recipe.device)):
        return recipe
    lazy = all(critic.penalty_every > 1 or not critic.has_penalty for critic in recipe.critics)
    return dataclasses.replace(recipe, precision="bfloat16", channels_last=lazy)


def new_state(recipe: Recipe, pictures: Source | None, saved: bool = False) -> State:
    """A run at step 0, from its recipe and its pictures, uint8 (N, 3, side, side).

    `saved` is for a state that will be restored: its weights are not read from the source. Raises UserError if the
    source or teacher does not fit the recipe, or the pictures are too few for a batch.
    """
    recipe, method = recipe if saved else resolved(recipe), method_of(recipe)
    with fork_rng(devices=[]):
        manual_seed(recipe.seed)
        networks = (method.saved_networks or method.networks)(recipe) if saved else method.networks(recipe)
    return State(recipe, networks, pictures, method.generator_loss)


def check(recipe: Recipe) -> None:
    """Raise UserError if the device is not available, or the source or teacher does not fit the recipe."""
    pick_device(recipe.device)
    method_of(recipe).networks(resolved(recipe))
