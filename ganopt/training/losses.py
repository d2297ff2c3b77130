"""Adversarial losses and gradient penalties: pure functions, and the table of losses by name.

Losses are functions of the scores of real and generated pictures, unbounded, (N, K). Each is a scalar to minimise, the
mean over pictures and their K scores. Penalties are scalars, differentiable with respect to the critic: means over
pictures (N, 3, side, side), of the gradient of a picture's mean score.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganopt.distributed import share, whole
from ganopt.models.devices import send
from ganopt.models.networks import Critic


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)]; its negative estimates the Wasserstein distance (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def wasserstein_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """-E[D(fake)]."""
    return -fake.mean()


def logistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(-D(real))] + E[softplus(D(fake))]: binary cross-entropy on logits (Goodfellow et al. 2014)."""
    return softplus(-real).mean() + softplus(fake).mean()


def logistic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """E[softplus(-D(fake))], the non-saturating form (Goodfellow et al. 2014)."""
    return softplus(-fake).mean()


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (Lim and Ye 2017); the generator's loss is Wasserstein's."""
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def relativistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(-(D(real) - D(fake)))] over pairs (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024)."""
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """E[softplus(-(D(fake) - D(real)))] over pairs."""
    assert real is not None
    return softplus(real - fake).mean()


def squared_gradient_norm(critic: Critic, pictures: Tensor) -> Tensor:
    """|grad_x D(x)|^2 for each picture: (N, 3, H, W) -> (N,)."""
    pictures = pictures.detach().requires_grad_()
    scores = critic.scores(pictures).float().mean(dim=1)  # (N, K) -> (N,)
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3))


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E[(|grad D(x)| - 1)^2] at x = mix * real + (1 - mix) * fake, mix (N, 1, 1, 1) uniform (Gulrajani et al. 2017)."""
    points = mix * real + (1 - mix) * fake
    norm = squared_gradient_norm(critic, points).clamp_min(1e-24).sqrt()  # the square root has no derivative at 0
    return (norm - 1).square().mean()


def zero_centred_penalty(critic: Critic, pictures: Tensor) -> Tensor:
    """E[|grad D(x)|^2] / 2: R1 on real pictures, R2 on generated ones (Mescheder et al. 2018)."""
    return squared_gradient_norm(critic, pictures).mean() / 2


def wgan_gp(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """The gradient penalty at random points between real and generated pictures."""
    mix = share(torch.rand(whole(len(real)), 1, 1, 1, generator=random))
    return gradient_penalty(critic, real, fake, send(mix, real.device))


def r1(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """R1: the zero-centred penalty on real pictures."""
    return zero_centred_penalty(critic, real)


def r1_and_r2(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """R1 and R2: the zero-centred penalty on real and generated pictures (Huang et al. 2024)."""
    return zero_centred_penalty(critic, real) + zero_centred_penalty(critic, fake)


@dataclass(frozen=True)
class AdversarialLoss:
    """The losses by which a critic and a generator are trained against each other."""

    critic: Callable[[Tensor, Tensor], Tensor]  # of real and generated scores, (N, K) each
    generator: Callable[[Tensor | None, Tensor], Tensor]  # likewise; real scores only if the loss compares with them
    penalty: Callable[[Critic, Tensor, Tensor, torch.Generator], Tensor] | None = None  # critic, real, fake, random
    compares_with_real: bool = False  # whether the generator's loss needs the scores of real pictures
    scores_are_logits: bool = False  # whether the sigmoid of a score is the probability that the picture is real
    estimates_distance: bool = False  # whether minus the critic's loss estimates the distance to real pictures


LOSSES = {
    "wgan-gp": AdversarialLoss(wasserstein_critic, wasserstein_generator, wgan_gp, estimates_distance=True),
    "dcgan": AdversarialLoss(logistic_critic, logistic_generator, r1, scores_are_logits=True),
    "r1": AdversarialLoss(logistic_critic, logistic_generator, r1, scores_are_logits=True),
    "hinge": AdversarialLoss(hinge_critic, wasserstein_generator),
    "r3": AdversarialLoss(relativistic_critic, relativistic_generator, r1_and_r2, compares_with_real=True),
}
