"""Adversarial losses: pure functions of the scores of real and generated pictures, unbounded, (N, K).

Every loss is a scalar to minimise, the mean over pictures and their K scores.
"""

from torch import Tensor
from torch.nn.functional import softplus


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
