"""Losses of adversarial training and distillation: pure functions of tensors.

Scores are (N,) and unbounded: of real and of generated pictures. Every loss is a scalar to be minimised.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss, softplus

from ganopt.models.networks import Critic


class Adversarial(NamedTuple):
    """One game: what the critic and the generator minimise, and whether the generator's part needs real scores."""

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor | None, Tensor], Tensor]
    generator_needs_real: bool = False


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


def relativistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(-(D(real) - D(fake)))] over pairs (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024)."""
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """E[softplus(-(D(fake) - D(real)))] over pairs."""
    assert real is not None
    return softplus(real - fake).mean()


ADVERSARIAL = {
    "wgan-gp": Adversarial(wasserstein_critic, wasserstein_generator),
    "dcgan": Adversarial(logistic_critic, logistic_generator),
    "r1": Adversarial(logistic_critic, logistic_generator),
    "r3": Adversarial(relativistic_critic, relativistic_generator, generator_needs_real=True),
}


def squared_gradient_norm(critic: Critic, pictures: Tensor) -> Tensor:
    """|grad_x D(x)|^2 for each picture: (N, 3, H, W) -> (N,), differentiable with respect to the critic."""
    pictures = pictures.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic.logits(pictures).float().sum(), pictures, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3))


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E[(|grad D(x)| - 1)^2] at x = mix * real + (1 - mix) * fake, mix (N, 1, 1, 1) uniform (Gulrajani et al. 2017)."""
    points = mix * real + (1 - mix) * fake
    norm = squared_gradient_norm(critic, points).clamp_min(1e-24).sqrt()  # the root of 0 has no slope
    return (norm - 1).square().mean()


def zero_centred_penalty(critic: Critic, pictures: Tensor) -> Tensor:
    """E[|grad D(x)|^2] / 2: R1 on real pictures, R2 on generated ones (Mescheder et al. 2018)."""
    return squared_gradient_norm(critic, pictures).mean() / 2


def pixel_loss(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """Mean squared (`mse`) or absolute (`l1`) difference of pictures (N, 3, H, W)."""
    return mse_loss(student, teacher) if kind == "mse" else l1_loss(student, teacher)


def feature_loss(critic: Critic, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of the activations of the teacher's frozen critic."""
    with torch.no_grad():
        target = critic.features(teacher)
    return l1_loss(critic.features(student), target)


def joint_loss(alpha: float, adversarial: Tensor | None, imitation: Tensor | None) -> Tensor:
    """alpha * adversarial + (1 - alpha) * imitation; a term of weight 0 may be None and is left out of the graph."""
    terms = [weight * term for weight, term in ((alpha, adversarial), (1 - alpha, imitation)) if term is not None]
    return torch.stack(terms).sum()
