"""The registry of methods: how networks are made for a recipe, and what the generator minimises."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganopt.data.image_folder import holds_writing
from ganopt.models import weights, zoo
from ganopt.models.devices import pick_device
from ganopt.models.networks import Critic, Generator, Role
from ganopt.training.adversarial.updates import adversarial_loss, drawn
from ganopt.training.recipes import Recipe
from ganopt.training.state import State

GeneratorLoss = Callable[[State, Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Networks:
    """What a run begins with. What is frozen in the generator or the critic asks for no gradient."""

    generator: Generator
    critics: list[Critic]  # none where nothing is judged
    frozen: dict[str, nn.Module] = field(default_factory=dict)  # further networks that are only looked at, by name


def _play(state: State, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The generator's loss in the game alone."""
    return adversarial_loss(state, drawn(state, z)), {}


def _named_by_recipe(recipe: Any) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Method:
    """A way to train: the recipe that holds its settings, and functions of such a recipe."""

    recipe: type[Recipe]
    title: str  # what people read
    networks: Callable[[Any], Networks]  # new ones, on the CPU
    generator_loss: GeneratorLoss = _play  # on latents (N, 100, 1, 1): the loss and its terms by name
    architectures: Callable[[Any], dict[str, str]] = _named_by_recipe  # of networks that the recipe does not name
    from_scratch: bool = False  # whether it starts from no other model
    distance: str = ""  # the term of its loss that tells how far the generator is from what it imitates

    @property
    def settings(self) -> dict[str, str]:
        """The settings of its recipe, and what each is."""
        return {field.name: field.metadata["help"] for field in dataclasses.fields(self.recipe)}


METHODS: dict[str, Method] = {}


def register(method: Method) -> None:
    """Make a method known under the name of its recipe. Raises ValueError for a name that is taken."""
    if method.recipe.name in METHODS:
        raise ValueError(f"there is a method {method.recipe.name!r} already")
    METHODS[method.recipe.name] = method


def from_scratch() -> list[str]:
    """The names of the recipes that start from no other model."""
    return [name for name, method in METHODS.items() if method.from_scratch]


def method_of(recipe: Recipe) -> Method:
    """The method of a recipe."""
    return METHODS[recipe.name]


def architecture_of(model: str, role: Role) -> str:
    """The name of a model's generator or critic. Raises UserError where there is none."""
    path = zoo.locate(model, role)
    return str(weights.read_architecture(weights.read_metadata(path), str(path)))


def first_critic(recipe: Recipe, critic: str) -> str:
    """The critics of a recipe with another one, of whatever side, as their first."""
    _, _, others = recipe.critic.partition(",")
    return ",".join(filter(None, (critic, others)))


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with all that was left open: networks that are its source's or teacher's, whether to mirror."""
    names: dict[str, Any] = method_of(recipe).architectures(recipe)
    flip = recipe.flip
    if flip is None:
        flip = not (recipe.data and holds_writing(Path(recipe.data), recipe.classes))
    return dataclasses.replace(recipe, **names, flip=flip)


def new_state(recipe: Recipe, pictures: Tensor | None) -> State:
    """A run at step 0, from its recipe and its pictures, uint8 (N, 3, side, side).

    Raises UserError where source or teacher do not fit the recipe, or the pictures are too few for a batch.
    """
    recipe = resolved(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        networks = method_of(recipe).networks(recipe)
    return State(recipe, networks.generator, networks.critics, networks.frozen, pictures)


def check(recipe: Recipe) -> None:
    """Raise UserError where the device is not there, or source or teacher do not fit the recipe."""
    pick_device(recipe.device)
    method_of(recipe).networks(resolved(recipe))
