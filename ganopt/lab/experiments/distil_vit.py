"""`distil-vit`: a vision transformer teaches a MobileNetV2; is the gain more than the noise of the test?"""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganopt.lab.classifiers.networks import SIDE, SmallViT, mobilenet
from ganopt.lab.classifiers.pictures import DRAWN_PARTS, FOR_TEACHER, Pictures, draw_all, drawn_faces, in_folder
from ganopt.lab.classifiers.teacher import Teacher, load, plain_pixels
from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.experiments.distil_classifier import WITH, WITHOUT, distillation_loss
from ganopt.lab.networks import adam, descend
from ganopt.training.recipes import falling_rate
from ganopt.viz.drawings import BLUE, GREEN, RED, Curve, Drawing, Mark, Panel, Pixels

ARTICLE, ARTICLE_TESTED = {WITHOUT: 0.63, WITH: 0.6875}, 128  # accuracies, and the test pictures that they are of
ARTICLE_TEACHER = "merve/beans-vit-224"
TEACHER = "teacher"
TEACHER_EPOCHS = 10  # of the teacher that is trained here
SHOWN = 8  # test pictures
BORDER = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)])
SPANS = {TEACHER: (0.0, 0.2), WITHOUT: (0.2, 0.6), WITH: (0.6, 1.0)}  # of the progress
Loss = Callable[[Tensor, Tensor], Tensor]  # of logits, and the numbers of the pictures that they are of


@dataclass(frozen=True, kw_only=True)
class DistilViT(Config):
    """The settings of `distil-vit`."""

    temperature: float = setting(5.0, "temperature T of the soft targets", low=0.1, high=100)
    mix: float = setting(0.5, "weight lambda of the soft targets", low=0, high=1)
    epochs: int = setting(30, "passes over the training pictures for each student", low=1, high=1000)
    batch: int = setting(16, "pictures in a batch", low=2, high=512)
    lr: float = setting(1e-3, "Adam's learning rate; it falls to 0", low=0, high=1)
    folder: str = setting("", "folder of pictures, with a folder for each class, instead of drawn faces")
    teacher: str = setting(
        "", "image classifier of transformers, user/repo on the Hub or a folder; without it, one is trained here"
    )


def run(config: DistilViT) -> Iterator[Frame | None]:
    """Train two students from the same weights and in the same order, one of them with a teacher."""
    pictures = in_folder(config.folder, config.seed) if config.folder else drawn_faces(config.seed)
    view = _View(config, pictures)
    yield view.frame("Some pictures of the test", 0.0)
    yield view.frame(f"Loading {config.teacher}" if config.teacher else "The teacher learns first", 0.01)
    classes, labels = pictures.classes, pictures.labels
    if config.teacher:
        data = Data(pictures, load(config.teacher).of(classes, config.teacher))
    else:
        small = SmallViT(len(classes), torch.Generator().manual_seed(config.seed))
        data = Data(pictures, Teacher(classes, plain_pixels, small))
        if not config.folder:
            yield from draw_all(pictures)

        def plain(logits: Tensor, numbers: Tensor) -> Tensor:
            return cross_entropy(logits, labels[numbers])

        yield from view.follow(
            TEACHER, TEACHER_EPOCHS, _fit(small, data, pictures.taught, plain, TEACHER_EPOCHS, config)
        )
    targets = yield from data.logits(data.teacher.logits, torch.arange(len(labels)))
    view.verdicts[TEACHER] = targets[data.test].argmax(1)
    for kind, mix in ((WITHOUT, 0.0), (WITH, config.mix)):
        student = mobilenet(len(classes), torch.Generator().manual_seed(config.seed))

        def soft(logits: Tensor, numbers: Tensor, mix: float = mix) -> Tensor:
            return distillation_loss(logits, targets[numbers], labels[numbers], mix, config.temperature)

        yield from view.follow(kind, config.epochs, _fit(student, data, data.train, soft, config.epochs, config))
        view.verdicts[kind] = (yield from data.logits(student, data.test)).argmax(1)
    yield view.frame(view.conclusion(), 1.0)


class Data:
    """Pictures as the pixels that a teacher's image processor makes of them, for the teacher and its students alike."""

    def __init__(self, pictures: Pictures, teacher: Teacher) -> None:
        self.pictures, self.teacher, self.labels = pictures, teacher, pictures.labels
        self.train, self.validation, self.test = pictures.parts

    def pixels(self, numbers: Tensor) -> Tensor:
        """The pixels of the pictures of these numbers, (n, 3, H, W)."""
        return self.teacher.pixels([self.pictures.read(number) for number in numbers.tolist()])

    def logits(
        self, network: Callable[[Tensor], Tensor], numbers: Tensor, batch: int = 16
    ) -> Generator[None, None, Tensor]:
        """What a network, in evaluation mode, says of the pictures of these numbers: (n, classes)."""
        found = []
        for part in numbers.split(batch):
            with torch.no_grad():
                found.append(network(self.pixels(part)))
            yield None
        return torch.cat(found)


def _fit(
    network: nn.Module, data: Data, train: Tensor, loss: Loss, epochs: int, config: DistilViT
) -> Generator[float | None, None, None]:
    """Train a network, then give it the weights of its best epoch; yields None, and after each epoch its accuracy."""
    learner, chance = adam(network), torch.Generator().manual_seed(config.seed)
    best, weights = -1.0, {}
    for epoch in range(epochs):
        order = train[torch.randperm(len(train), generator=chance)]
        batches = order.tensor_split(max(len(order) // config.batch, 1))
        network.train()
        for index, numbers in enumerate(batches):
            rate = config.lr * falling_rate((epoch + index / len(batches)) / epochs)
            descend(learner, loss(network(data.pixels(numbers)), numbers), rate)
            yield None
        logits = yield from data.logits(network.eval(), data.validation)
        accuracy = _right(logits.argmax(1), data.labels[data.validation]).mean().item()
        if accuracy > best:
            best, weights = accuracy, {name: tensor.clone() for name, tensor in network.state_dict().items()}
        yield accuracy
    network.load_state_dict(weights)


def _right(verdicts: Tensor, labels: Tensor) -> Tensor:
    return (verdicts == labels).float()


class _View:
    """The curves, the verdicts on the test, and what they come to."""

    def __init__(self, config: DistilViT, pictures: Pictures) -> None:
        self.config, self.pictures, self.test = config, pictures, pictures.parts[2]
        self.labels = pictures.labels[self.test]
        self.curves: dict[str, list[tuple[float, float]]] = {}
        self.verdicts: dict[str, Tensor] = {}
        self.shown = [
            np.asarray(Image.fromarray(pictures.read(number).transpose(1, 2, 0)).resize((SIDE, SIDE)))
            for number in self.test[:SHOWN].tolist()
        ]

    def follow(self, kind: str, epochs: int, fit: Iterator[float | None]) -> Iterator[Frame | None]:
        """Frames for the epochs of a network."""
        start, end = SPANS[kind]
        curve = self.curves[kind] = []
        for accuracy in fit:
            if accuracy is None:
                yield None
                continue
            curve.append((len(curve) + 1, accuracy))
            done = start + 0.99 * (end - start) * len(curve) / epochs
            yield self.frame(f"{kind.capitalize()}: epoch {len(curve)} of {epochs}", done)

    def gain(self) -> tuple[float, float]:
        """The gain in accuracy by soft targets, and its standard error over the pictures of the test."""
        with_, without = (_right(self.verdicts[kind], self.labels) for kind in (WITH, WITHOUT))
        gains = with_ - without
        return gains.mean().item(), gains.std().item() / math.sqrt(len(gains))

    def conclusion(self) -> str:
        """Whether the gain is more than noise, in a sentence without its full stop."""
        gain, error = self.gain()
        verdict = "about noise" if abs(gain) <= 2 * error else "more than noise"
        return (
            f"On {len(self.labels)} test pictures, the gain of {100 * gain:.1f} points has a standard error of "
            f"{100 * error:.1f} points, so it is {verdict}"
        )

    def frame(self, said: str, progress: float) -> Frame:
        """The frame: pictures, figures and curves so far."""
        series = {"Accuracy on the validation pictures": {kind: [*curve] for kind, curve in self.curves.items()}}
        return Frame(
            said=f"{said}.",
            progress=progress,
            figures=self._figures(),
            series=series if self.curves else {},
            pictures={"Test pictures": self._drawing()},
            axis="epoch",
        )

    def _figures(self) -> dict[str, Figure]:
        figures, tested = {"test pictures": Figure(len(self.labels))}, len(self.labels)
        is_articles_teacher = self.config.teacher.partition("@")[0] == ARTICLE_TEACHER
        for kind, verdicts in self.verdicts.items():
            accuracy = _right(verdicts, self.labels).mean().item()
            figures[f"accuracy, {kind}"] = Figure(accuracy, exact=ARTICLE.get(kind) if is_articles_teacher else None)
            figures[f"standard error, {kind}"] = Figure(standard_error(accuracy, tested))
        if WITH in self.verdicts:
            figures["gain by soft targets"], figures["standard error of the gain"] = map(Figure, self.gain())
        return figures

    def _drawing(self) -> Drawing:
        """Some pictures of the test, with a frame in the colour of the students that are right."""
        panels = []
        for index, picture in enumerate(self.shown):
            label = int(self.labels[index])
            marks: list[Mark] = [Pixels(picture)]
            if WITH in self.verdicts:
                with_, without = (int(self.verdicts[kind][index]) == label for kind in (WITH, WITHOUT))
                if colour := {(False, False): RED, (True, False): GREEN, (False, True): BLUE}.get((with_, without)):
                    marks.append(Curve(BORDER, colour, 6))
            panels.append(Panel(self.pictures.classes[label][:16], (0, 1, 0, 1), marks, (104, 104)))
        legend = [(GREEN, f"only {WITH} right"), (BLUE, f"only {WITHOUT} right"), (RED, "both wrong")]
        return Drawing("Test pictures", panels, 4, legend if WITH in self.verdicts else ())


def standard_error(accuracy: float, count: int) -> float:
    """The standard error of an accuracy measured on so many pictures."""
    return math.sqrt(accuracy * (1 - accuracy) / count)


NOTES = f"""The article reports {ARTICLE[WITH]:.2%} with soft targets against about {ARTICLE[WITHOUT]:.0%} without, on
{ARTICLE_TESTED} test pictures: one standard error is {100 * standard_error(ARTICLE[WITH], ARTICLE_TESTED):.1f} points,
so its five points are about noise.

On the page, a small transformer is trained on {DRAWN_PARTS[0] + FOR_TEACHER} faces that two models draw, and the
students on {DRAWN_PARTS[0]} of them. The article's own pair runs on the command line, where pictures of beans are in
folders by class: `python -m ganopt lab distil-vit --folder beans --teacher {ARTICLE_TEACHER}`. The student, which is
torchvision's MobileNetV2 without its dropout, sees the pixels that the teacher's image processor makes. Of each network
trained here, the epoch counts that is best on the validation pictures."""

EXPERIMENT = Experiment(
    name="distil-vit",
    title="Distilling a ViT",
    group="in turn",
    summary="A vision transformer teaches a small convolutional network; the noise of the test stands beside the gain.",
    formula=r"\begin{gathered} (1 - \lambda)\,\mathrm{CE}(y, v) + \lambda T^2\,\mathrm{KL}\bigl(\sigma(z / T) \,\Vert\,"
    r" \sigma(v / T)\bigr) \\ \text{standard error} = \sqrt{p (1 - p) / n} \end{gathered}",
    look_for="Whether the gain by soft targets is larger than two of its standard errors.",
    sources=(
        "Hinton, Vinyals, Dean 2015, Distilling the knowledge in a neural network",
        "Dosovitskiy et al. 2021, An image is worth 16x16 words; Sandler et al. 2018, MobileNetV2",
        "An article on pairs of networks, 2022, section 2: a ViT teaches a MobileNetV2 on pictures of beans",
    ),
    config=DistilViT,
    run=run,
    notes=NOTES,
    files=("folder", "teacher"),
)
