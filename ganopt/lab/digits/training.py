"""Training the networks of digits: a step of the GAN, and the classifier."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import softplus
from torch.optim import Adam

from ganopt.lab.digits.networks import LATENT, DigitClassifier, DigitCritic, DigitGenerator
from ganopt.lab.networks import set_gradients
from ganopt.training.adam import LeanAdam

MAX_SHIFT = 2  # pixels in each direction
CLARITY = 2.0  # weight of `unclarity` in the generator's loss


def keras_adam(network: nn.Module, rate: float, beta1: float = 0.9) -> Adam:
    """Adam with Keras's defaults."""
    return LeanAdam(list(network.parameters()), rate, (beta1, 0.999), eps=1e-7, fused=True)


def gan_step(
    generator: DigitGenerator,
    critic: DigitCritic,
    learner_g: Adam,
    learner_d: Adam,
    real: Tensor,
    latents: Tensor,
    classifier: nn.Module | None = None,
    augment: Callable[[Tensor], Tensor] = lambda pictures: pictures,
) -> tuple[float, float]:
    """Update both networks once from the same fakes; returns the losses of generator and critic before.

    Binary cross-entropy on logits s: the critic's is softplus(-s) for real and softplus(s) for fake pictures, the
    generator's softplus(-s), batch means; with a classifier, plus CLARITY times `unclarity` of the fake pictures. The
    critic sees all pictures augmented. Computed in bfloat16 under autocast.
    """
    pictures = generator(latents)
    fake = critic(augment(pictures)).float()
    loss_g = softplus(-fake).mean()
    if classifier:
        loss_g = loss_g + CLARITY * unclarity(classifier(pictures).float())
    loss_d = softplus(-critic(augment(real)).float()).mean() + softplus(fake).mean()
    set_gradients(learner_d, loss_d, keep_graph=True)
    set_gradients(learner_g, loss_g)
    learner_d.step()
    learner_g.step()
    return loss_g.item(), loss_d.item()


def unclarity(logits: Tensor) -> Tensor:
    """The mean entropy of the classes of pictures, less the entropy of their mean: logits (N, classes) -> scalar.

    It is lowest, -ln(classes), if each picture is surely of one class and all classes are equally frequent (the loss of
    the generator in Springenberg 2016, CatGAN).
    """
    chances = logits.softmax(1)
    return entropy(chances).mean() - entropy(chances.mean(0))


def entropy(chances: Tensor) -> Tensor:
    """The entropy of distributions along the last dimension, in nats."""
    return torch.special.entr(chances).sum(-1)


def train_gan(
    generator: DigitGenerator,
    critic: DigitCritic,
    learners: tuple[Adam, Adam],
    pictures: Tensor,
    chance: torch.Generator,
    epochs: int,
    batch: int,
    step: Callable[..., tuple[float, float]] = gan_step,
) -> Iterator[tuple[int, bool, tuple[float, float]]]:
    """Train on digits (N, 1, 28, 28) in bfloat16; yields after each step the epoch, if it ends, and both losses.

    Each epoch shows the digits in another random order, in whole batches.
    """
    size = min(batch, len(pictures))
    for network in (generator, critic):
        network.to(memory_format=torch.channels_last)  # faster
    for epoch in range(1, epochs + 1):
        batches = torch.randperm(len(pictures), generator=chance).split(size)[: len(pictures) // size]
        for index, chosen in enumerate(batches, start=1):
            latents = torch.randn(size, LATENT, generator=chance)
            generator.train()
            with torch.autocast("cpu", torch.bfloat16):
                losses = step(generator, critic, *learners, pictures[chosen], latents)
            generator.eval()
            yield epoch, index == len(batches), losses


def train_classifier(
    classifier: DigitClassifier,
    pictures: Tensor,
    labels: Tensor,
    chance: torch.Generator,
    steps: int,
    batch: int = 128,
    rate: float = 3e-3,
) -> Iterator[float]:
    """Train on shifted digits with labels (N,), with a rate that falls to 0; yields the loss of each step."""
    learner = LeanAdam(list(classifier.parameters()), rate, fused=True)
    classifier.train()
    for step in range(steps):
        chosen = torch.randint(len(pictures), (batch,), generator=chance)
        loss = functional.cross_entropy(classifier(shifted(pictures[chosen], chance)), labels[chosen])
        learner.param_groups[0]["lr"] = rate * (1 - step / steps)
        set_gradients(learner, loss)
        learner.step()
        yield loss.item()
    classifier.eval()


def shifted(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """Pictures (N, 1, H, W), each moved by up to two pixels in each direction; what moves in is black (-1)."""
    count, _, height, width = pictures.shape
    padded = functional.pad(pictures, (MAX_SHIFT,) * 4, value=-1.0)
    down, across = torch.randint(2 * MAX_SHIFT + 1, (2, count, 1), generator=chance)
    rows, columns = down + torch.arange(height), across + torch.arange(width)
    return padded[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]
