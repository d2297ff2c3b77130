"""Distillation: a student learns to draw the same picture for each latent as a frozen teacher (the thesis).

The generator's loss is alpha * adversarial + (1 - alpha) * imitation. Imitation compares pixels and, optionally, the
activations of the teacher's critic. The critic may start from the teacher's critic (Li et al. 2020).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.networks import Critic, Generator, build_critic, build_generator
from ganopt.models.pruning import inherit_channels
from ganopt.training.adversarial.updates import adversarial_loss, draw_with_gradients
from ganopt.training.methods.registry import Method, Networks, architecture_of, first_critic, register
from ganopt.training.recipes import Dcgan
from ganopt.training.settings import setting
from ganopt.training.state import State


@dataclass(frozen=True, kw_only=True)
class Distill(Dcgan):
    """Train a student to imitate a frozen teacher, by alpha * adversarial + (1 - alpha) * (pixel + feature)."""

    name: ClassVar[str] = "distill"
    origin_setting: ClassVar[str] = "teacher"
    generator: str = setting("kd", "the student: kd, big/4, shuffle/4, ...")
    batch: int = setting(8, "pictures in a batch", low=2, high=4096)
    lr_g: float = setting(5e-4, "Adam's learning rate for the generator", low=0)
    lr_d: float = setting(5e-4, "Adam's learning rate for the critic", low=0)
    beta1: float = setting(0.0, "Adam's beta1", low=0, high=0.9999)
    critic_chunk: int = setting(4, "pictures in a critic's chunk; fewer need less memory; 0 for the whole batch", low=0)
    teacher: str = setting("", "model to imitate: a name, a file or user/repo", is_model=True)
    alpha: float = setting(0.05, "weight of the adversarial term, 0 to 1", low=0, high=1)
    pixel: str = setting("mse", "pixel term", choices=("mse", "l1"))
    feature: float = setting(0.0, "weight of the feature term, from the teacher's critic", low=0)
    inherit: bool = setting(False, "start from the teacher's most important channels")
    start: str = setting(
        "", "trained model that the student starts from, of the same network: a name or a file", is_model=True
    )
    inherit_critic: bool = setting(False, "start from the teacher's critic and its architecture (Li et al. 2020)")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.teacher:
            raise UserError("Distillation needs a teacher; name a model, as in --teacher cats-teacher.")

    @property
    def needs_pictures(self) -> bool:
        return self.alpha > 0


def pixel_loss(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """Mean squared (`mse`) or absolute (`l1`) difference of pictures (N, 3, H, W)."""
    return mse_loss(student, teacher) if kind == "mse" else l1_loss(student, teacher)


def feature_loss(critic: Critic, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of activations in the teacher's frozen critic."""
    with torch.no_grad():
        target = critic.features(teacher)
    return l1_loss(critic.features(student), target)


def joint_loss(alpha: float, adversarial: Tensor | None, imitation: Tensor | None) -> Tensor:
    """alpha * adversarial + (1 - alpha) * imitation. A term of weight 0 may be None."""
    terms = [weight * term for weight, term in ((alpha, adversarial), (1 - alpha, imitation)) if term is not None]
    return torch.stack(terms).sum()


def _architectures(recipe: Distill) -> dict[str, str]:
    if not (recipe.inherit_critic and recipe.needs_pictures):
        return {}
    return {"critic": first_critic(recipe, architecture_of(recipe.teacher, "critic"))}


def _networks(recipe: Distill) -> Networks:
    student = build_generator(recipe.generator)
    critics = [build_critic(name) for name, _ in recipe.critics] if recipe.needs_pictures else []
    if critics and recipe.inherit_critic:
        critics[0] = zoo.load_critic(recipe.teacher)
    teacher = zoo.load(recipe.teacher).requires_grad_(False)
    if teacher.architecture.side != recipe.side:
        raise UserError(
            f"The teacher draws {teacher.architecture.side} pixels but the student {recipe.side}; use the same side."
        )
    frozen: dict[str, torch.nn.Module] = {"teacher": teacher}
    if recipe.feature:
        frozen["teacher_critic"] = zoo.load_critic(recipe.teacher).requires_grad_(False)
    if recipe.inherit:
        inherit_channels(student, teacher)
    if recipe.start:
        _start_from(student, recipe.start)
    return Networks(student, critics, frozen)


def _start_from(student: Generator, model: str) -> None:
    """Copy the weights of a trained model. Raises UserError if it is another network."""
    trained = zoo.load(model)
    if trained.architecture != student.architecture:
        raise UserError(f"{model} is a {trained.architecture}, but the student a {student.architecture}; use the same.")
    student.load_state_dict(trained.state_dict())


def _generator_loss(state: State, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    recipe = state.recipe
    assert isinstance(recipe, Distill)
    target = _target(state, z) if recipe.alpha < 1 else None  # before a graph takes memory
    fake = draw_with_gradients(state, z)
    terms = {"adversarial": adversarial_loss(state, fake)} if recipe.alpha > 0 else {}
    if target is not None:
        terms["imitation"] = _imitation(state, recipe, fake, target)
    return joint_loss(recipe.alpha, terms.get("adversarial"), terms.get("imitation")), terms


def _target(state: State, z: Tensor) -> Tensor:
    with torch.no_grad(), state.autocast():
        return state.frozen["teacher"](z).float()


def _imitation(state: State, recipe: Distill, fake: Tensor, target: Tensor) -> Tensor:
    loss = pixel_loss(fake, target, recipe.pixel)
    if recipe.feature:
        critic = state.frozen["teacher_critic"]
        assert isinstance(critic, Critic)
        with state.autocast():
            loss = loss + recipe.feature * feature_loss(critic, fake, target).float()
    return loss


register(
    Method(
        Distill,
        "Distil: train a small network to imitate a trained one",
        _networks,
        generator_loss=_generator_loss,
        architectures=_architectures,
        distance="imitation",
    )
)
