"""The generator and the classifier of digits that are shipped, and digits drawn and labelled by them."""

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganopt.errors import UserError
from ganopt.lab.digits.networks import LATENT, DigitClassifier, DigitGenerator
from ganopt.models import weights
from ganopt.models.catalogue import lab_catalogue
from ganopt.models.checkpoint_files import checkpoint
from ganopt.models.sampling import to_bytes

NAME = "digits-generator"  # in the catalogue
GENERATOR, CLASSIFIER = "digits-generator.safetensors", "digits-classifier.safetensors"  # in checkpoints/
BATCH = 100  # digits that are drawn at a time
SURE = 0.9  # the probability from which the classifier is sure
AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def load_generator() -> DigitGenerator:
    """The shipped generator, in evaluation mode. Raises UserError if its file is missing or damaged."""
    return restore(DigitGenerator(torch.Generator()), checkpoint(GENERATOR, _check))


def load_classifier() -> DigitClassifier:
    """The shipped classifier, in evaluation mode. Raises UserError if its file is missing or damaged."""
    return restore(DigitClassifier(torch.Generator()), checkpoint(CLASSIFIER))


def restore(network: AnyNetwork, path: Path) -> AnyNetwork:
    """Give a network the weights of a file, for evaluation.

    Raises UserError if they are missing, do not fit, or are not finite.
    """
    tensors, _ = weights.read(path)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(f"{path} does not contain this network; restore it from the project's repository.") from error
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise UserError(f"{path} has weights that are NaN or infinite; restore it from the project's repository.")
    return network.requires_grad_(False).eval()


@torch.inference_mode()
def digits_of(generator: DigitGenerator, latents: Tensor) -> Tensor:
    """The digits of latents (N, 100, 1, 1), on any device, as uint8 (N, 3, 28, 28) on the CPU."""
    device = next(generator.parameters()).device
    parts = [to_bytes(generator(part.flatten(1).to(device))).cpu() for part in latents.split(BATCH)]
    return torch.cat(parts).expand(-1, 3, -1, -1)


@torch.no_grad()
def draw_digits(generator: DigitGenerator, count: int, chance: torch.Generator) -> Tensor:
    """Digits (count, 1, 28, 28) in [-1, 1] from random latents."""
    return torch.cat([generator(latents) for latents in torch.randn(count, LATENT, generator=chance).split(BATCH)])


@torch.no_grad()
def probabilities(classifier: DigitClassifier, pictures: Tensor) -> Tensor:
    """How probable the classifier finds each class, (N, 10)."""
    return classifier(pictures).softmax(1)


def drawn_digits(count: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Digits that the shipped generator draws and labels that the shipped classifier gives: those it is sure of.

    Returns pictures (count, 1, 28, 28) in [-1, 1] and labels (count,).
    """
    generator, classifier = load_generator(), load_classifier()
    pictures, labels, found = list[Tensor](), list[Tensor](), 0
    while found < count:
        some = draw_digits(generator, BATCH, chance)
        best, label = probabilities(classifier, some).max(1)
        sure = best > SURE
        pictures, labels, found = [*pictures, some[sure]], [*labels, label[sure]], found + int(sure.sum())
    return torch.cat(pictures)[:count], torch.cat(labels)[:count]


def _check(path: Path) -> None:
    entry = lab_catalogue().get(NAME)
    if entry and not entry.describes(path):
        raise UserError(
            f"{path} is not the file that the catalogue describes; restore it from the project's repository."
        )
