"""The registry of training methods: how networks are made for a recipe, and the generator's loss."""

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
from ganopt.training.adversarial.updates import adversarial_loss, draw_with_gradients
from ganopt.training.recipes import Recipe
from ganopt.training.state import State

GeneratorLoss = Callable[[State, Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Networks:
    """The initial networks of a run. Frozen parameters have `requires_grad=False`."""

    generator: Generator
    critics: list[Critic]  # empty if there is no adversarial loss
    frozen: dict[str, nn.Module] = field(default_factory=dict)  # further networks, which are not trained, by name


def _adversarial_only(state: State, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The adversarial loss of the generator, without further terms."""
    return adversarial_loss(state, draw_with_gradients(state, z)), {}


def _named_by_recipe(recipe: Any) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Method:
    """A training method: the recipe with its settings, and functions of such a recipe."""

    recipe: type[Recipe]
    title: str  # shown to users
    networks: Callable[[Any], Networks]  # new ones, on the CPU
    generator_loss: GeneratorLoss = _adversarial_only  # of latents (N, 100, 1, 1): the loss and its terms by name
    architectures: Callable[[Any], dict[str, str]] = _named_by_recipe  # of networks that come from another model
    from_scratch: bool = False  # whether it needs no other model
    distance: str = ""  # the term of its loss that measures the distance to the model it imitates

    @property
    def settings(self) -> dict[str, str]:
        """The settings of its recipe, with their help texts."""
        return {field.name: field.metadata["help"] for field in dataclasses.fields(self.recipe)}


METHODS: dict[str, Method] = {}


def register(method: Method) -> None:
    """Register a method under the name of its recipe. Raises ValueError if the name is taken."""
    if method.recipe.name in METHODS:
        raise ValueError(f"the method {method.recipe.name!r} is already registered")
    METHODS[method.recipe.name] = method


def from_scratch() -> list[str]:
    """The names of the recipes that need no other model."""
    return [name for name, method in METHODS.items() if method.from_scratch]


def method_of(recipe: Recipe) -> Method:
    """The method of a recipe."""
    return METHODS[recipe.name]


def architecture_of(model: str, role: Role) -> str:
    """The architecture of a model's generator or critic. Raises UserError if there is none."""
    path = zoo.locate(model, role)
    return str(weights.read_architecture(weights.read_metadata(path), str(path)))


def first_critic(recipe: Recipe, critic: str) -> str:
    """The critics of a recipe with the first one replaced."""
    _, _, others = recipe.critic.partition(",")
    return ",".join(filter(None, (critic, others)))


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with all settings decided: networks taken from the source or teacher, and whether to mirror."""
    names: dict[str, Any] = method_of(recipe).architectures(recipe)
    flip = recipe.flip
    if flip is None:
        flip = not (recipe.data and holds_writing(Path(recipe.data), recipe.classes))
    return dataclasses.replace(recipe, **names, flip=flip)


def new_state(recipe: Recipe, pictures: Tensor | None) -> State:
    """A run at step 0, from its recipe and its pictures, uint8 (N, 3, side, side).

    Raises UserError if the source or teacher does not fit the recipe, or the pictures are too few for a batch.
    """
    recipe = resolved(recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        networks = method_of(recipe).networks(recipe)
    return State(recipe, networks.generator, networks.critics, networks.frozen, pictures)


def check(recipe: Recipe) -> None:
    """Raise UserError if the device is not available, or the source or teacher does not fit the recipe."""
    pick_device(recipe.device)
    method_of(recipe).networks(resolved(recipe))
