"""Games by name: what the critic and the generator minimise, and the critic's gradient penalty, in one value."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.models.networks import Critic
from ganopt.training.adversarial import losses, penalties

CriticLoss = Callable[[Tensor, Tensor], Tensor]  # of real and generated scores, (N, K) each
GeneratorLoss = Callable[[Tensor | None, Tensor], Tensor]  # the same; real ones only where the game needs them
Penalty = Callable[[Critic, Tensor, Tensor, torch.Generator], Tensor]  # critic, real, generated, random stream


@dataclass(frozen=True)
class Game:
    """How a critic and a generator play against each other."""

    critic_loss: CriticLoss
    generator_loss: GeneratorLoss
    penalty: Penalty | None = None  # weighted by the recipe, which may leave it out
    generator_sees_real: bool = False  # whether the generator's loss compares with scores of real pictures
    estimates_distance: bool = False  # whether minus the critic's loss tells how far generated pictures are from real


@dataclass(frozen=True)
class Rules:
    """How a critic is trained beside the first one, whose rules are the recipe's."""

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
# by the kind of critic
RULES = {
    "projected": Rules("hinge", 2e-4, (0.0, 0.99), ("color", "translation", "cutout")),
}
