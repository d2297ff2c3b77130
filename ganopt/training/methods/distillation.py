"""Distillation: a student learns to draw the same picture for each latent as a frozen teacher (the thesis).

The generator's loss is alpha * adversarial + (1 - alpha) * imitation. Imitation compares pixels and, optionally, the
activations of the teacher's critic. The critic may start from the teacher's critic (Li et al. 2020).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.growing import GROWN, grown
from ganopt.models.hub import AbsentError
from ganopt.models.networks import Architecture, Critic, Generator, can_inherit, parse_architecture
from ganopt.models.pruning import inherit_channels
from ganopt.training.methods import registry
from ganopt.training.methods.presets import DCGAN
from ganopt.training.methods.registry import Method, architecture_of, new_networks
from ganopt.training.recipes import Recipe, setting
from ganopt.training.recipes.critics import OPTIONS
from ganopt.training.recipes.settings import settings_of
from ganopt.training.state import Networks, State
from ganopt.training.step import adversarial_loss

# settings that need a critic or real pictures, beside those of critics
FOR_CRITICS = ("critic", "inherit_critic", "n_critic", "share_fakes", "data", "classes", "flip", "images")


@dataclass(frozen=True, kw_only=True)
class Distill(Recipe):
    """The settings of a distillation."""

    origin_setting: ClassVar[str] = "teacher"
    teacher: str = setting("", "model to imitate: a name, a file or user/repo", is_model=True)
    alpha: float = setting(0.05, "weight of the adversarial term, 0 to 1", low=0, high=1)
    pixel: str = setting("mse", "pixel term", choices=("mse", "l1"))
    feature: float = setting(0.0, "weight of the feature term, from the teacher's critic", low=0)
    inherit: bool = setting(False, "start from the teacher's most important channels")
    start: str = setting(
        "",
        "trained model that the student starts from, of the same network, or one that can be grown",
        is_model=True,
        at_start=True,
    )
    inherit_critic: bool = setting(False, "start from the teacher's critic and its architecture (Li et al. 2020)")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.teacher:
            raise UserError("Distillation needs a teacher; name a model, as in --teacher cats-teacher.")

    @property
    def needs_pictures(self) -> bool:
        return self.alpha > 0

    @property
    def uses_origin_critic(self) -> bool:
        return (self.inherit_critic and self.alpha > 0) or (self.feature > 0 and self.alpha < 1)

    def without_effect(self) -> dict[str, str]:
        """Also those that are for a critic or for imitation, where there is none."""
        found = super().without_effect()
        if not self.needs_pictures:
            of_critics = {*OPTIONS} - settings_of(Distill).keys()  # the generator has betas too
            found |= dict.fromkeys([*FOR_CRITICS, *sorted(of_critics)], "at --alpha 0, where there is no critic")
        if self.alpha == 1:
            found |= dict.fromkeys(("pixel", "feature"), "at --alpha 1, where the teacher is not imitated")
        if self.start:
            found["inherit"] = "beside --start, which sets all weights"
        return found


def pixel_loss(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """Mean squared (`mse`) or absolute (`l1`) difference of pictures (N, 3, H, W)."""
    return mse_loss(student, teacher) if kind == "mse" else l1_loss(student, teacher)


def feature_loss(critic: Critic, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of activations in the teacher's frozen critic, the mean over its feature maps."""
    with torch.no_grad():
        targets = _maps(critic.features(teacher))
    losses = [l1_loss(mine, target) for mine, target in zip(_maps(critic.features(student)), targets, strict=True)]
    return losses[0] if len(losses) == 1 else torch.stack(losses).mean()


def _maps(features: Tensor | list[Tensor]) -> list[Tensor]:
    return [features] if isinstance(features, Tensor) else features


def joint_loss(alpha: float, adversarial: Tensor | None, imitation: Tensor | None) -> Tensor:
    """alpha * adversarial + (1 - alpha) * imitation. A term of weight 0 may be None."""
    terms = [weight * term for weight, term in ((alpha, adversarial), (1 - alpha, imitation)) if term is not None]
    return torch.stack(terms).sum()


def _resolve(recipe: Distill) -> Distill:
    if not (recipe.inherit_critic and recipe.needs_pictures):
        return recipe
    return dataclasses.replace(
        recipe, critics=registry.with_first_critic(recipe, architecture_of(recipe.teacher, "critic"))
    )


def _networks(recipe: Distill) -> Networks:
    networks = _with_teacher(recipe, new_networks(recipe))
    teacher = networks.frozen["teacher"]
    assert isinstance(teacher, Generator)
    if teacher.architecture.side != recipe.side:
        raise UserError(
            f"The teacher draws {teacher.architecture.side} pixels but the student {recipe.side}; use the same side."
        )
    if networks.critics and recipe.inherit_critic:
        networks.critics[0] = zoo.load_critic(recipe.teacher)
    if recipe.inherit:
        inherit_channels(networks.generator, teacher)
    if recipe.start:
        _start_from(networks.generator, recipe.start, recipe.seed)
    return networks


def _saved_networks(recipe: Distill) -> Networks:
    try:
        return _with_teacher(recipe, new_networks(recipe))
    except UserError as error:
        raise UserError(f"The run needs its teacher to go on, which cannot be read: {error}") from error


def _with_teacher(recipe: Distill, networks: Networks) -> Networks:
    """Networks with the frozen teacher, and with its critic if the loss needs that."""
    networks.frozen["teacher"] = zoo.load(recipe.teacher).requires_grad_(False)
    if recipe.feature and recipe.alpha < 1:
        networks.frozen["teacher_critic"] = zoo.load_critic(recipe.teacher).requires_grad_(False)
    return networks


def _start_from(student: Generator, model: str, seed: int) -> None:
    """Copy the weights of a trained model, grown if need be. Raises UserError if it is another network."""
    trained = zoo.load(model)
    if student.architecture.kind == GROWN.get(trained.architecture.kind):
        trained = grown(trained, seed)
    if trained.architecture != student.architecture:
        raise UserError(f"{model} is a {trained.architecture}, but the student a {student.architecture}; use the same.")
    student.load_state_dict(trained.state_dict())


def _suggest(teacher: str, student: Architecture, given: Mapping[str, Any]) -> dict[str, Any]:
    """A student inherits channels if it can, and the critic if there is one; imitation alone needs sharp pictures."""
    try:
        zoo.find_critic(teacher, local=False)
        has_critic = True
    except AbsentError:
        has_critic = False
    inherit = can_inherit(student, parse_architecture(zoo.entry(teacher).architecture))
    alone = {"pixel": "l1", "feature": float(has_critic)} if given.get("alpha") == 0 else {}
    return {"inherit": inherit, "inherit_critic": has_critic} | alone


def _generator_loss(state: State, z: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    recipe = state.recipe
    assert isinstance(recipe, Distill)
    terms = {"adversarial": adversarial_loss(state, fake)} if recipe.alpha > 0 else {}
    if recipe.alpha < 1:
        with torch.no_grad(), state.autocast():
            target = state.frozen["teacher"](z).float()
        terms["imitation"] = _imitation(state, recipe, fake, target)
    return joint_loss(recipe.alpha, terms.get("adversarial"), terms.get("imitation")), terms


def _imitation(state: State, recipe: Distill, fake: Tensor, target: Tensor) -> Tensor:
    loss = pixel_loss(fake, target, recipe.pixel)
    if recipe.feature:
        critic = state.frozen["teacher_critic"]
        assert isinstance(critic, Critic)
        with state.autocast():
            loss = loss + recipe.feature * feature_loss(critic, fake, target).float()
    return loss


registry.register(
    Method(
        name="distill",
        title="Distil: train a small network to imitate a trained one",
        recipe=Distill,
        defaults=DCGAN | {"generator": "kd", "batch": 8, "lr_g": 5e-4, "lr_d": 5e-4, "beta1": 0.0, "critic_chunk": 4},
        networks=_networks,
        saved_networks=_saved_networks,
        resolve=_resolve,
        generator_loss=_generator_loss,
        suggest=_suggest,
        labels={"alpha": "Alpha"},
        without_pictures={"alpha": 0.0},
        distance="imitation",
    )
)
