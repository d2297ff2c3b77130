"""Train and ship the networks of digits: `python -m ganopt.lab.digits.release DIGITS [--steps 8000]`.

DIGITS is a folder or an .npz file with labels. A tenth of the digits only measures the classifier. Writes `digits-
classifier.safetensors` and `digits-generator.safetensors` (8-bit integers) of `checkpoints/`, with the generator's
entry in the catalogue, and prints what they come to. The generator is the running mean of the trained one, with
statistics of its own.
"""

import argparse
import copy
import json
from functools import partial

import torch
from torch import Tensor, nn

from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import sha256
from ganopt.lab.digits import shipped
from ganopt.lab.digits.networks import CLASSES, LATENT, SIDE, DigitClassifier, DigitCritic, DigitGenerator
from ganopt.lab.digits.pictures import read_digits
from ganopt.lab.digits.training import gan_step, keras_adam, shifted, train_classifier, train_gan
from ganopt.models import weights
from ganopt.models.batch_norm import renew_statistics
from ganopt.models.catalogue import LabEntry, catalogue, lab_catalogue, write_catalogue
from ganopt.models.checkpoint_files import checkpoints
from ganopt.training.recipes import falling_rate

BATCH, RATES, BETA1 = 32, (5e-4, 2.5e-4), 0.5  # of generator and critic; faster than the tutorial's on few digits
CLASSIFIER_STEPS = 1500
KEPT = 0.998  # of the running mean at each step
STATISTICS = 20  # batches for BatchNorm's statistics
FALLING = 0.4  # last share of the generator's steps, in which the rates fall to 0


def ship_classifier(pictures: Tensor, labels: Tensor, source: str) -> float:
    """Train a classifier on nine tenths of the digits and store it; returns its accuracy on the others."""
    chance = torch.Generator().manual_seed(0)
    order = torch.randperm(len(pictures), generator=chance)
    held_out, others = order[: len(order) // 10], order[len(order) // 10 :]
    classifier = trained_classifier(pictures[others], labels[others], chance)
    right = shipped.probabilities(classifier, pictures[held_out]).argmax(1) == labels[held_out]
    facts = {"source": source, "accuracy": f"{right.float().mean().item():.4f}", "held_out": str(len(held_out))}
    store(classifier, shipped.CLASSIFIER, facts, torch.float16)
    return right.float().mean().item()


def trained_classifier(pictures: Tensor, labels: Tensor, chance: torch.Generator) -> DigitClassifier:
    """A classifier that is trained on digits."""
    classifier = DigitClassifier(chance)
    for _ in train_classifier(classifier, pictures, labels, chance, CLASSIFIER_STEPS):
        pass
    return classifier


def trained_generator(pictures: Tensor, labels: Tensor, steps: int) -> DigitGenerator:
    """The running mean of a generator that is trained on digits.

    The critic sees all digits shifted, and a classifier, which is not the one that is shipped, rewards digits that are
    clearly of a class.
    """
    classifier = trained_classifier(pictures, labels, torch.Generator().manual_seed(1)).requires_grad_(False)
    chance = torch.Generator().manual_seed(0)
    generator, critic = DigitGenerator(chance), DigitCritic(chance)
    mean = copy.deepcopy(generator).requires_grad_(False)
    learners = keras_adam(generator, RATES[0], BETA1), keras_adam(critic, RATES[1], BETA1)
    epochs = -(-steps // (len(pictures) // BATCH))
    step = partial(gan_step, classifier=classifier, augment=partial(shifted, chance=chance))
    running = train_gan(generator, critic, learners, pictures, chance, epochs, BATCH, step)
    for index, _ in enumerate(running, start=1):
        with torch.no_grad():
            for each, new in zip(mean.parameters(), generator.parameters(), strict=True):
                each.lerp_(new, 1 - min(KEPT, 1 - 1 / (1 + index / 4)))
        for learner, rate in zip(learners, RATES, strict=True):
            learner.param_groups[0]["lr"] = rate * falling_rate(index / steps, FALLING)
        if index >= steps:
            break
    chance = torch.Generator().manual_seed(1)
    latents = (torch.randn(shipped.BATCH, LATENT, generator=chance) for _ in range(STATISTICS))
    renew_statistics(mean.eval(), latents)
    return mean


def store(network: nn.Module, name: str, facts: dict[str, str], dtype: torch.dtype) -> None:
    """Write a network into `checkpoints/`, with facts as its recipe."""
    tensors = {key: value.detach().contiguous() for key, value in network.state_dict().items()}
    weights.write(tensors, checkpoints() / name, {"recipe": json.dumps(facts)}, dtype)


def enter(source: str, digits: int, licence: str) -> None:
    """Add the stored generator to the catalogue, or replace its entry."""
    path = checkpoints() / shipped.GENERATOR
    entry = LabEntry(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=sha256(path),
        architecture="dcgan",
        name=shipped.NAME,
        title="Digits, for the Lab",
        draws=f"digits of {SIDE}x{SIDE} pixels",
        trained_on=f"{digits:,} digits of {source}",
        licence=licence,
    )
    write_catalogue(catalogue(), lab_catalogue() | {entry.name: entry})


def measured(count: int = 1000, seed: int = 0) -> tuple[float, list[int]]:
    """The share of the shipped generator's digits that the classifier is sure of, and how many are of each class."""
    digits = shipped.draw_digits(shipped.load_generator(), count, torch.Generator().manual_seed(seed))
    best, labels = shipped.probabilities(shipped.load_classifier(), digits).max(1)
    return (best > shipped.SURE).float().mean().item(), labels.bincount(minlength=CLASSES).tolist()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m ganopt.lab.digits.release", description="Ship the networks of digits.")
    parser.add_argument("digits", help="folder or .npz file of digits with labels")
    parser.add_argument("--source", default="MNIST, LeCun and Cortes, CC BY-SA 3.0", help="what the digits are")
    parser.add_argument("--licence", default="cc-by-sa-3.0", help="licence of the digits")
    parser.add_argument("--steps", type=int, default=8000, help="training steps of the generator")
    options = parser.parse_args()
    pictures, labels = read_digits(options.digits)
    if labels is None:
        raise UserError(f"The digits in {options.digits} have no labels; the classifier needs them.")
    print(f"Classifier: accuracy {ship_classifier(pictures, labels, options.source):.4f}", flush=True)
    facts = {"source": options.source, "digits": str(len(pictures)), "steps": str(options.steps), "batch": str(BATCH)}
    store(trained_generator(pictures, labels, options.steps), shipped.GENERATOR, facts, torch.int8)
    enter(options.source, len(pictures), options.licence)
    share, counts = measured()
    print(f"Generator: of 1,000 digits the classifier is sure of {share:.1%}; of each class {counts}")


if __name__ == "__main__":
    with exit_on_user_error():
        main()
