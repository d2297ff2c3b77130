"""Gradient penalties of critics: scalars, differentiable with respect to the critic.

They are means over pictures (N, 3, side, side). The gradient is that of a picture's mean score. The last three
functions are the penalties of games: their arguments are real and generated pictures and the run's random generator.
"""

import torch
from torch import Tensor

from ganopt.models.devices import send
from ganopt.models.networks import Critic


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
    """The gradient penalty between real and generated pictures."""
    return gradient_penalty(critic, real, fake, send(torch.rand(len(real), 1, 1, 1, generator=random), real.device))


def r1(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """R1: the penalty on real pictures."""
    return zero_centred_penalty(critic, real)


def r1_and_r2(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """R1 and R2: the penalty on real and generated pictures (Huang et al. 2024)."""
    return zero_centred_penalty(critic, real) + zero_centred_penalty(critic, fake)
