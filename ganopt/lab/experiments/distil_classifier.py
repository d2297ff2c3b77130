"""`distil-classifier`: a student learns digits from few labels, with and without a teacher's soft targets."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from ganopt.errors import UserError
from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.digits import shipped
from ganopt.lab.digits.networks import CLASSES, SIDE
from ganopt.lab.digits.pictures import read_digits, sheet_panel
from ganopt.lab.networks import adam, descend, perceptron
from ganopt.training.recipes import falling_rate
from ganopt.viz.drawings import BLUE, GREEN, Curve, Drawing, Mark, Panel

MAX_TESTED, RATE, FRAMES = 500, 3e-3, 5  # digits held out, Adam's rate, frames a student
DRAWING = 0.1  # of the progress
PAPER, GAIN, PROMISED = 0.986, 0.02, 5  # of threes in Hinton et al.; least gain, and students from which it is promised
BIASES = torch.arange(0, 12, 0.1)  # tried for the logit of a digit that is left out
WITHOUT, WITH = "labels only", "soft targets"


@dataclass(frozen=True, kw_only=True)
class DistilClassifier(Config):
    """The settings of `distil-classifier`."""

    labelled: int = setting(3, "labelled digits of each class", low=1, high=500)
    transfer: int = setting(800, "digits without labels, the transfer set", low=20, high=20_000)
    temperature: float = setting(5.0, "temperature T of the soft targets", low=0.1, high=100)
    mix: float = setting(0.5, "weight lambda of the soft targets", low=0, high=1)
    left_out: int = setting(-1, "digit that the student never sees; -1 for none", low=-1, high=9)
    students: int = setting(5, "students of each kind, each with a seed and labelled digits of its own", low=1, high=20)
    steps: int = setting(200, "training steps of a student", low=10, high=10_000)
    width: int = setting(64, "units in the student's hidden layer", low=1, high=2048)
    digits: str = setting("", "folder or .npz file of digits with labels, instead of drawn ones")


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student), both softened by T, from logits (N, classes): the mean over the batch."""
    wanted, given = (log_softmax(each / temperature, 1) for each in (teacher, student))
    return temperature**2 * (wanted.exp() * (wanted - given)).sum(1).mean()


def distillation_loss(student: Tensor, teacher: Tensor, labels: Tensor, mix: float, temperature: float) -> Tensor:
    """(1 - lambda) CE(y, v) + lambda T^2 KL(teacher || student), from logits (N, classes) and labels (N,)."""
    return (1 - mix) * cross_entropy(student, labels) + mix * soft_loss(student, teacher, temperature)


def run(config: DistilClassifier) -> Iterator[Frame | None]:
    """Train the students in pairs, from the same weights and labelled digits."""
    chance = torch.Generator().manual_seed(config.seed)
    view = _View(config)
    if config.digits:
        pictures, labels = read_digits(config.digits)
        if labels is None:
            raise UserError(f"The digits in {config.digits} have no labels; the experiment needs them.")
        order = torch.randperm(len(pictures), generator=chance)
        pictures, labels = pictures[order], labels[order]
        yield view.frame("Digits of the file", 0.0, pictures)
    else:
        pictures, labels = shipped.drawn_digits(shipped.BATCH, chance)
        yield view.frame("Drawn digits", 0.0, pictures)
        needed = MAX_TESTED + config.transfer + 20 * config.labelled
        while len(pictures) < needed:
            more = shipped.drawn_digits(shipped.BATCH, chance)
            pictures, labels = torch.cat((pictures, more[0])), torch.cat((labels, more[1]))
            drawn = min(len(pictures) / needed, 1.0)
            yield view.frame(f"{len(pictures):,} digits are drawn", DRAWING * drawn, pictures)
    tested = min(MAX_TESTED, len(pictures) // 4)
    test, rest = (pictures[:tested], labels[:tested]), (pictures[tested:], labels[tested:])
    for number in range(config.students):
        few, unlabelled = _split(config, *rest, torch.Generator().manual_seed(config.seed + 1000 * number + 1))
        for kind in (WITHOUT, WITH):
            student = perceptron((SIDE**2, config.width, CLASSES), torch.Generator().manual_seed(number))
            curve: list[tuple[float, float]] = []
            for step in _train(config, student, kind, few, unlabelled, chance):
                yield None
                if step % max(config.steps // FRAMES, 1) == 0 or step == config.steps:
                    curve.append((step, _right(student, *test).mean().item()))
                    view.note(number, kind, curve)
                    pairs = 2 * number + (kind == WITH) + step / config.steps
                    last = number == config.students - 1 and kind == WITH and step == config.steps
                    if step == config.steps:
                        view.finish(student, kind, *test)
                    said = f"Student {number + 1} of {config.students}, {kind}: step {step} of {config.steps}"
                    yield view.frame(said, 1.0 if last else DRAWING + 0.89 * pairs / (2 * config.students), pictures)


def _split(
    config: DistilClassifier, pictures: Tensor, labels: Tensor, chance: torch.Generator
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Few labelled digits of each class, and others without labels; neither has the digit that is left out."""
    order = torch.randperm(len(pictures), generator=chance)
    order = order[labels[order] != config.left_out]
    few = torch.cat([order[labels[order] == label][: config.labelled] for label in range(CLASSES)])
    others = order[~torch.isin(order, few)][: config.transfer]
    return (pictures[few].flatten(1), labels[few]), pictures[others].flatten(1)


def _train(
    config: DistilClassifier,
    student: nn.Module,
    kind: str,
    few: tuple[Tensor, Tensor],
    unlabelled: Tensor,
    chance: torch.Generator,
) -> Iterator[int]:
    """Train a student; yields the number of each step."""
    teacher, learner = shipped.load_classifier(), adam(student)
    both = torch.cat((few[0], unlabelled))
    with torch.no_grad():
        targets = torch.cat([teacher(each.reshape(-1, 1, SIDE, SIDE)) for each in both.split(256)])
    for step in range(1, config.steps + 1):
        loss = cross_entropy(student(few[0]), few[1])
        if kind == WITH:
            chosen = torch.randint(len(both), (128,), generator=chance)
            soft = soft_loss(student(both[chosen]), targets[chosen], config.temperature)
            loss = (1 - config.mix) * loss + config.mix * soft
        descend(learner, loss, RATE * falling_rate((step - 1) / config.steps))
        yield step


@torch.no_grad()
def _right(student: nn.Module, pictures: Tensor, labels: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """Whether each digit is read right, 1.0 or 0.0, with something added to the logits."""
    return ((student(pictures.flatten(1)) + bias).argmax(1) == labels).float()


class _View:
    """The curves and the accuracies of the students."""

    def __init__(self, config: DistilClassifier) -> None:
        self.config, self.curves = config, dict[tuple[int, str], list[tuple[float, float]]]()
        self.ends: dict[str, list[float]] = {WITHOUT: [], WITH: []}
        self.left: dict[str, list[float]] = {}

    def note(self, number: int, kind: str, curve: list[tuple[float, float]]) -> None:
        """Note the curve of a student so far."""
        self.curves[number, kind] = [*curve]

    def finish(self, student: nn.Module, kind: str, pictures: Tensor, labels: Tensor) -> None:
        """Note the accuracy of a student, and how it reads the digit that is left out, its bias corrected or not."""
        self.ends[kind].append(_right(student, pictures, labels).mean().item())
        if self.config.left_out >= 0 and kind == WITH:
            only, place = labels == self.config.left_out, torch.eye(CLASSES)[self.config.left_out]
            best = max(BIASES.tolist(), key=lambda bias: _right(student, pictures, labels, bias * place).mean().item())
            for name, bias in (("as trained", 0.0), ("bias corrected", best)):
                right = _right(student, pictures[only], labels[only], bias * place).mean().item()
                self.left.setdefault(f"the digit left out, {name}", []).append(right)

    def frame(self, said: str, progress: float, pictures: Tensor) -> Frame:
        """The frame: digits, the curves of all students, and the means."""
        means = {name: sum(each) / len(each) for name, each in self.ends.items() if each}
        figures = {f"accuracy, {name}": Figure(mean) for name, mean in means.items()}
        if len(means) == 2 and len(self.ends[WITH]) == len(self.ends[WITHOUT]):
            config = self.config
            promised = progress == 1 and config.students >= PROMISED and config.left_out < 0 and config.labelled <= 5
            gain = means[WITH] - means[WITHOUT]
            figures["gain by soft targets"] = Figure(gain, low=GAIN if promised and config.mix > 0.2 else -math.inf)
        for name, each in self.left.items():
            exact = PAPER if "corrected" in name else None
            figures[name] = Figure(sum(each) / len(each), exact=exact)
        marks: list[Mark] = [
            Curve(torch.tensor(curve).numpy(), GREEN if kind == WITH else BLUE)
            for (_, kind), curve in self.curves.items()
        ]
        accuracy = Panel("accuracy on digits held out", (0, self.config.steps, 0, 1), marks, (300, 224), numbers=True)
        legend = [(BLUE, WITHOUT), (GREEN, WITH)]
        some = Drawing("Digits", [sheet_panel("", pictures[:40], 10)])
        students = {"Students": Drawing("Accuracy of each student while it learns", [accuracy], 1, legend)}
        return Frame(f"{said}.", progress, figures, {}, (students if marks else {}) | {"Digits": some})


EXPERIMENT = Experiment(
    name="distil-classifier",
    title="Distilling a classifier",
    group="in turn",
    summary="Few digits have labels; a teacher's soft targets on many others make the student better.",
    formula=r"\begin{gathered} (1 - \lambda)\,\mathrm{CE}(y, v) + \lambda T^2\,\mathrm{KL}\bigl(\sigma(z / T) \,\Vert\,"
    r" \sigma(v / T)\bigr) \\ \partial L / \partial v = \bigl[(1 - \lambda)(\sigma(v) - y) + \lambda T\,(\sigma(v / T)"
    r" - \sigma(z / T))\bigr] / N \end{gathered}",
    look_for="The green curves, with soft targets, end above the blue ones, which had the labels only.",
    sources=(
        "Hinton, Vinyals, Dean 2015, Distilling the knowledge in a neural network",
        "An article on pairs of networks, 2022, section 2: T = 5, lambda = 0.5",
    ),
    config=DistilClassifier,
    run=run,
    presets={
        "Few labels": {},
        "The digit that is left out: 3": {"left_out": 3, "mix": 1.0, "temperature": 10.0, "steps": 600},
    },
    notes="The teacher is the shipped classifier of digits. Drawn digits have its labels, and only those it is sure of "
    "are taken. For a digit that is left out, something is added to its logit that makes the accuracy on the digits "
    "held out largest, as in the paper, which then read 98.6 % of the threes of MNIST.",
    files=("digits",),
)
