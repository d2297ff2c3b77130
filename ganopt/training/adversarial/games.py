"""Adversarial games by name: the losses of critic and generator, and the critic's gradient penalty."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.models.networks import Critic
from ganopt.training.adversarial import losses, penalties

CriticLoss = Callable[[Tensor, Tensor], Tensor]  # from real and generated scores, (N, K) each
GeneratorLoss = Callable[[Tensor | None, Tensor], Tensor]  # likewise; real scores only if the game needs them
Penalty = Callable[[Critic, Tensor, Tensor, torch.Generator], Tensor]  # critic, real, generated, random stream


@dataclass(frozen=True)
class Game:
    """The losses by which a critic and a generator are trained against each other."""

    critic_loss: CriticLoss
    generator_loss: GeneratorLoss
    penalty: Penalty | None = None  # its weight is a setting of the recipe, and may be 0
    generator_sees_real: bool = False  # whether the generator's loss needs the scores of real pictures
    estimates_distance: bool = False  # whether minus the critic's loss estimates the distance to real pictures


@dataclass(frozen=True)
class Rules:
    """How a further critic is trained. The first critic follows the recipe's settings instead."""

    loss: str
    rate: float  # Adam's learning rate
    betas: tuple[float, float]
    augment: tuple[str, ...]  # DiffAugment
    penalty: float = 0.0
    penalty_every: int = 1


GAMES = {
    "wgan-gp": Game(
        losses.wasserstein_critic, losses.wasserstein_generator, penalties.wgan_gp, estimates_distance=True
    ),
    "dcgan": Game(losses.logistic_critic, losses.logistic_generator, penalties.r1),
    "r1": Game(losses.logistic_critic, losses.logistic_generator, penalties.r1),
    "hinge": Game(losses.hinge_critic, losses.wasserstein_generator),
    "r3": Game(
        losses.relativistic_critic, losses.relativistic_generator, penalties.r1_and_r2, generator_sees_real=True
    ),
}
_PROJECTED = Rules("hinge", 2e-4, (0.0, 0.99), ("color", "translation", "cutout"))
# by kind of critic
RULES = {"projected": _PROJECTED, "projected-fine": _PROJECTED}
