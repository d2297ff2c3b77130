"""`digits`: a Keras DCGAN for MNIST, as trained from an untrained generator's noise on, and as shipped."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.digits import shipped, training
from ganopt.lab.digits.networks import CLASSES, LATENT, DigitCritic, DigitGenerator
from ganopt.lab.digits.pictures import read_digits, sheet_panel
from ganopt.viz.drawings import Drawing

FIXED = 16  # latents that are drawn after each epoch
JUDGED = 200  # digits that the classifier sees after each epoch of training
ENOUGH, CLASSES_SEEN, SHARE_SURE = 1000, 9, 0.8  # digits from which the classes are promised, share aimed at
PER_CLASS = 0.02  # the share of digits from which a class counts as drawn


@dataclass(frozen=True, kw_only=True)
class Digits(Config):
    """The settings of `digits`."""

    train: bool = setting(False, "train a new generator, on the digits given or on drawn ones; else draw only")
    digits: str = setting("", "folder or .npz file of digits to train on")
    count: int = setting(1000, "digits that the shipped generator draws", low=50, high=20_000)
    epochs: int = setting(100, "epochs of training", low=1, high=1000)
    batch: int = setting(256, "digits in a batch", low=2, high=1024)
    lr: float = setting(1e-4, "Adam's learning rate for both networks", low=0, high=1)
    beta1: float = setting(0.9, "Adam's beta 1", low=0, high=0.999)


def run(config: Digits) -> Iterator[Frame | None]:
    """Draw with the shipped generator, or train another one, with a frame an epoch."""
    chance = torch.Generator().manual_seed(config.seed)
    view = _View(config, torch.randn(FIXED, LATENT, generator=chance))
    generator, critic = DigitGenerator(chance).eval(), DigitCritic(chance)
    view.count_values(generator, critic)
    yield view.frame("Noise of an untrained generator", 0.0, generator)
    yield from (_train if config.train or config.digits else _draw)(config, view, generator, critic, chance)


def _draw(
    config: Digits, view: "_View", _: DigitGenerator, __: DigitCritic, chance: torch.Generator
) -> Iterator[Frame | None]:
    generator, drawn = shipped.load_generator(), 0
    while drawn < config.count:
        some = shipped.draw_digits(generator, min(shipped.BATCH // 2, config.count - drawn), chance)
        drawn += len(some)
        view.judge(some)
        yield view.frame(f"{drawn:,} digits of the shipped generator", drawn / config.count, generator)


def _train(
    config: Digits, view: "_View", generator: DigitGenerator, critic: DigitCritic, chance: torch.Generator
) -> Iterator[Frame | None]:
    pictures = read_digits(config.digits)[0] if config.digits else shipped.drawn_digits(config.count, chance)[0]
    learners = (
        training.keras_adam(generator, config.lr, config.beta1),
        training.keras_adam(critic, config.lr, config.beta1),
    )
    steps = training.train_gan(generator, critic, learners, pictures, chance, config.epochs, config.batch)
    for epoch, ends, losses in steps:
        view.recent.append(losses)
        yield None
        if ends:
            view.forget()
            view.judge(shipped.draw_digits(generator, JUDGED, torch.Generator().manual_seed(config.seed)))
            view.note_losses(epoch)
            yield view.frame(f"Epoch {epoch:,} of {config.epochs:,}", epoch / config.epochs, generator)


class _View:
    """The fixed latents, the digits that the classifier has seen, and the curves of the losses."""

    def __init__(self, config: Digits, latents: Tensor) -> None:
        self.config, self.latents = config, latents
        self.classifier = shipped.load_classifier()
        self.recent, self.losses = list[tuple[float, float]](), list[tuple[int, float, float]]()
        self.sizes: dict[str, Figure] = {}
        self.forget()

    def forget(self) -> None:
        """Forget the digits that were seen."""
        self.pictures, self.best, self.labels = torch.empty(0, 1, 28, 28), torch.empty(0), torch.empty(0).long()

    def judge(self, pictures: Tensor) -> None:
        """Let the classifier see some digits."""
        best, labels = shipped.probabilities(self.classifier, pictures).max(1)
        self.pictures, self.best = torch.cat((self.pictures, pictures)), torch.cat((self.best, best))
        self.labels = torch.cat((self.labels, labels))

    def note_losses(self, epoch: int) -> None:
        """Note the mean losses of an epoch."""
        mean = torch.tensor(self.recent).mean(0).tolist()
        self.losses.append((epoch, mean[0], mean[1]))
        self.recent.clear()

    def count_values(self, generator: DigitGenerator, critic: DigitCritic) -> None:
        """Count what is trained."""
        for name, network, exact in (("generator", generator, 2_305_472), ("critic", critic, 212_865)):
            count = sum(each.numel() for each in network.parameters())
            self.sizes[f"trained values of the {name}, in thousands"] = Figure(count / 1000, exact / 1000, 0)

    def frame(self, said: str, progress: float, generator: DigitGenerator) -> Frame:
        """The frame: fixed latents, digits by class, figures and losses."""
        with torch.no_grad():
            fixed = Drawing("Digits of sixteen fixed latents", [sheet_panel("", generator(self.latents), 4, 3)])
        losses = {name: [(epoch, each[index]) for epoch, *each in self.losses] for index, name in enumerate(("G", "D"))}
        return Frame(
            said=f"{said}.",
            progress=progress,
            figures=self._figures(progress) | self.sizes,
            series={"Losses": losses} if self.losses else {},
            pictures={"Sixteen fixed latents": fixed, **self._by_class()},
            axis="epoch",
        )

    def _figures(self, progress: float) -> dict[str, Figure]:
        if not len(self.labels):
            return {}
        promised = progress == 1 and len(self.labels) >= ENOUGH
        low_classes = CLASSES_SEEN if promised else -float("inf")
        share = (self.best > shipped.SURE).float().mean().item()
        counts = self.labels.bincount(minlength=CLASSES)
        seen = int((counts >= PER_CLASS * len(self.labels)).sum())
        return {
            "share of digits that the classifier is sure of (right: aimed at)": Figure(share, exact=SHARE_SURE),
            "classes that are at least 2 % of the digits": Figure(seen, low=low_classes),
            "rarest class, share": Figure(counts.min().item() / len(self.labels)),
        }

    def _by_class(self) -> dict[str, Drawing]:
        """The first digits of each class, a column each."""
        if not len(self.labels):
            return {}
        rows = -torch.ones(6, CLASSES, 1, 28, 28)
        for label in range(CLASSES):
            some = self.pictures[self.labels == label][: len(rows)]
            rows[: len(some), label] = some
        panel = sheet_panel("0 to 9, as the classifier reads them", rows.flatten(0, 1), CLASSES)
        return {"By class": Drawing("Drawn digits, a column for each class", [panel])}


EXPERIMENT = Experiment(
    name="digits",
    title="Digits",
    group="together",
    summary="A DCGAN of the size of Keras's tutorials draws digits; a small classifier says which.",
    formula=r"\begin{gathered} L_D = -\log \sigma(D(x)) - \log(1 - \sigma(D(G(z)))), \quad L_G = -\log \sigma(D(G(z)))"
    r" \\ \text{both updated once from the same } z \end{gathered}",
    look_for="Noise becomes strokes, then digits; the same sixteen latents keep their digits once these are found.",
    sources=(
        "An article on pairs of networks, 2022, section 1: architecture, batches of 256, 100 epochs",
        "TensorFlow's tutorial on DCGAN: Adam with 1e-4, inputs in [-1, 1]",
        "Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        "Springenberg 2016, Unsupervised and semi-supervised learning with categorical GANs",
        "Digits: LeCun and Cortes, MNIST, CC BY-SA 3.0",
    ),
    config=Digits,
    run=run,
    presets={
        "Draw with the shipped generator": {},
        "Train a new one on drawn digits": {"train": True, "batch": 64, "lr": 5e-4, "beta1": 0.5, "epochs": 30},
    },
    notes="The shipped generator saw 5,000 digits of MNIST some 50 times, in batches of 32, with higher rates; the "
    "article's saw 60,000 of them 100 times. Unlike the article's, it was also rewarded for digits of which another "
    "classifier was sure (Springenberg 2016), and its critic saw all digits shifted: without these two, the classifier "
    "here was sure of 62 % at most. Some digits are still between two classes, as it is given none.",
    files=("digits",),
)
