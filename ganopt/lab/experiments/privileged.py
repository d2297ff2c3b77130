"""`privileged`: a teacher that sees more than its student, on objects for which every accuracy is known exactly."""

import copy
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.networks import adam, descend
from ganopt.lab.privileged import Linear, Problems, label_loss, likeness_loss
from ganopt.training.recipes import falling_rate
from ganopt.viz.drawings import INK, PINK, TEAL, VIOLET, Cells, Curve, Dots, Drawing, Mark, Panel

FRAMES = 30  # of each stage
PAPER = (0.88, 0.95)  # accuracies of plain learning and of the student
SHOWN = 300  # new objects in the picture
ROWS, TRAINED = 6, 4  # objects in the picture of settings, and how many of them are there to train with
SETTINGS = {  # the rows of x, x* and y that are known while training
    "supervised": (4, 0, 4),
    "unsupervised": (4, 0, 0),
    "privileged (LUPI)": (4, 4, 4),
    "semi-supervised": (4, 0, 2),
    "transductive": (6, 0, 4),
    "semi-supervised LUPI": (4, 4, 2),
}


@dataclass(frozen=True, kw_only=True)
class Privileged(Config):
    """The settings of `privileged`."""

    form: str = setting(
        "separate", "whether the teacher is trained first, or together with its student", choices=("separate", "joint")
    )
    sees: str = setting("x*", "what the teacher sees", choices=("x*", "x and x*"))
    likeness: str = setting(
        "squares", "distance of student and teacher, L(a, a*)", choices=("squares", "cross-entropy")
    )
    mu: float = setting(10.0, "weight of that distance; 0 is learning without a teacher", low=0, high=1000)
    teaching: float = setting(1.0, "weight of the teacher's own loss in the joint form, lambda", low=0, high=1000)
    objects: int = setting(200, "objects with a label", low=2, high=1000)
    unlabelled: int = setting(0, "objects without a label, on which the student is like the teacher", low=0, high=1000)
    dimensions: int = setting(50, "components of x", low=2, high=100)
    problems: int = setting(20, "problems over which accuracies are averaged", low=1, high=50)
    steps: int = setting(200, "steps of each training, on all objects", low=10, high=5000)
    lr: float = setting(0.1, "Adam's learning rate, which falls to 0", low=0, high=1)


def run(config: Privileged) -> Iterator[Frame | None]:
    """Train without a teacher, and the teacher; beside them (joint form) or after them (separate form) the student."""
    chance = torch.Generator().manual_seed(config.seed)
    given = Problems(config.problems, config.objects + config.unlabelled, config.dimensions, chance)
    plain = Linear(config.problems, config.dimensions, chance)
    student = copy.deepcopy(plain)
    apart = torch.Generator().manual_seed(2**32 + config.seed)  # so that the teacher takes none of the others' numbers
    seen = given.extra if config.sees == "x*" else torch.cat((given.extra, given.x), 2)
    teacher = Linear(config.problems, seen.shape[2], apart)
    view = _View(config, given, {"plain": plain, "student": student, "teacher": teacher}, apart)
    yield view.frame(1, 0)
    learners = {model: adam(model) for model in (plain, student, teacher)}
    pair = nn.ModuleList((student, teacher))
    learner_pair = adam(pair)
    every = max(config.steps // FRAMES, 1)

    def own(logits: Tensor) -> Tensor:
        return label_loss(logits[:, : config.objects], given.y[:, : config.objects])

    for stage in view.stages:
        for step in range(1, config.steps + 1):
            rate = config.lr * falling_rate((step - 1) / config.steps, 1)
            if stage == 1:
                descend(learners[plain], own(plain(given.x)), rate)
            if config.form == "joint":
                a, known = student(given.x), teacher(seen)
                loss = own(a) + config.teaching * own(known) + config.mu * likeness_loss(a, known, config.likeness)
                descend(learner_pair, loss, rate)
            elif stage == 1:
                descend(learners[teacher], own(teacher(seen)), rate)
            else:
                a, known = student(given.x), teacher(seen).detach()
                descend(learners[student], own(a) + config.mu * likeness_loss(a, known, config.likeness), rate)
            yield None
            if step % every == 0 or step == config.steps:
                yield view.frame(stage, step)


class _View:
    """Measures and draws the models; keeps the curves."""

    def __init__(self, config: Privileged, given: Problems, models: dict[str, Linear], chance: torch.Generator) -> None:
        self.config, self.given, self.models = config, given, models
        self.stages = (1, 2) if config.form == "separate" else (1,)
        self.new = given.draw(SHOWN, chance)
        self.curves: dict[str, list[tuple[float, float]]] = {name: [] for name in models}

    def weights(self, name: str) -> Tensor:
        """The weights of a model for x, (P, d); x* is put in as alpha'x."""
        weights = self.models[name].weights.detach()
        if name != "teacher":
            return weights
        return weights[:, :1] * self.given.alpha + (weights[:, 1:] if self.config.sees == "x and x*" else 0)

    def frame(self, stage: int, step: int) -> Frame:
        """The frame after some steps of a stage."""
        accuracy = {name: self.given.accuracy(self.weights(name)).mean().item() for name in self.models}
        trained = ["plain", "teacher"] if stage == 1 else []
        trained += ["student"] if stage == self.stages[-1] or not step else []
        for name in trained:
            self.curves[name].append((step, accuracy[name]))
        progress = ((stage - 1) * self.config.steps + step) / (len(self.stages) * self.config.steps)
        best = self.given.best().mean().item()
        curves = {name: [*curve] for name, curve in self.curves.items() if curve}
        return Frame(
            said=f"Step {step:,} of {self.config.steps:,}: plain {accuracy['plain']:.3f}, student "
            f"{accuracy['student']:.3f}, teacher {accuracy['teacher']:.3f}; the best possible is {best:.3f}.",
            progress=progress,
            figures=self._figures(accuracy, best, progress),
            series={"Accuracy on new objects": curves | {"best possible": [(0, best), (self.config.steps, best)]}},
            pictures={"Student and teacher": self._drawing(), "Six settings": _settings_drawing()},
            axis="step of each training",
        )

    def _figures(self, accuracy: dict[str, float], best: float, progress: float) -> dict[str, Figure]:
        """The figures, beside the paper's for its objects; promised with the default settings, but for mu = 0."""
        config = self.config
        promised = progress == 1 and dataclasses.replace(config, seed=0, form="separate") == Privileged()
        theirs = (config.objects, config.unlabelled, config.dimensions) == (200, 0, 50)
        plain, student = PAPER if theirs else (None, None)
        figures = {
            "accuracy of plain learning": Figure(accuracy["plain"], plain, 0.02 if promised else None),
            "accuracy of the student": Figure(accuracy["student"], student, 0.01 if promised else None),
            "accuracy of the teacher": Figure(accuracy["teacher"], best, 1e-4 if promised else None),
        }
        if config.mu == 0 and progress == 1:
            apart = (self.weights("plain") - self.weights("student")).abs().max().item()
            figures["largest difference of the student's weights from plain ones"] = Figure(apart, 0, 0)
        return figures

    def _drawing(self) -> Drawing:
        """New objects of the first problem: what each model says of them, against x*, both of variance 1."""
        x, extra, y = (each[0] for each in self.new)
        truth = extra[:, 0] / self.given.alpha[0].norm()
        panels = []
        for name in self.models:
            weights = self.weights(name)[0]
            said = x @ weights / weights.norm().clamp_min(1e-30)
            points, right = torch.stack((truth, said), 1).numpy(), ((said > 0) == (y > 0.5)).numpy()
            title = f"{name}: {self.given.accuracy(self.weights(name))[0]:.3f}"
            marks: list[Mark] = [
                Curve(np.array([(-3.0, 0.0), (3.0, 0.0)]), INK, 1),
                Curve(np.array([(-3.0, -3.0), (3.0, 3.0)]), INK, 1, "2 3"),
                Dots(points[right], TEAL, 2),
                Dots(points[~right], PINK, 2.5),
            ]
            panels.append(Panel(title, (-3, 3, -3, 3), marks, (200, 200)))
        return Drawing(
            "What plain learning, student and teacher say of new objects, above their x*",
            panels,
            3,
            [(TEAL, "right"), (PINK, "wrong"), (INK, "x* itself (dotted)")],
        )


def _settings_drawing() -> Drawing:
    """What is known of objects, a row each: x, x* and y while training, and x of those that the model is applied to."""
    columns = {TEAL: slice(0, 3), VIOLET: slice(4, 6), INK: slice(7, 8)}
    panels = []
    for name, known in SETTINGS.items():
        marks: list[Mark] = []
        for (colour, place), rows in zip(columns.items(), known, strict=True):
            values = np.zeros((ROWS, 8))
            values[: TRAINED if colour != TEAL else ROWS, place] = 0.08
            values[:rows, place] = 0.75
            marks.append(Cells(values, colour))
        marks.append(Curve(np.array([(0.0, TRAINED), (1.0, TRAINED)]), INK, 1, "2 3"))
        panels.append(Panel(name, (0, 1, ROWS, 0), marks, (190, 90)))
    legend = [(TEAL, "x"), (VIOLET, "x*"), (INK, "y; below the line: the objects that the model is applied to")]
    return Drawing("What is known while training in six settings of learning", panels, 3, legend)


EXPERIMENT = Experiment(
    name="privileged",
    title="Privileged information",
    group="in turn",
    summary="A teacher that sees what is known only while training passes it on to its student.",
    formula=r"\begin{gathered} \text{separate: } a^* \text{ first, then } \min_a \sum_i L(a(x_i), y_i) +"
    r" \mu L(a(x_i), a^*(x_i, x_i^*)) \\ \text{joint: } \min_{a, a^*} \sum_i L(a(x_i), y_i) +"
    r" \lambda L(a^*(x_i, x_i^*), y_i) + \mu L(a(x_i), a^*(x_i, x_i^*)) \end{gathered}",
    look_for="The student, with the same x and labels as plain learning, comes close to the best possible accuracy.",
    sources=(
        "Vapnik and Vashist 2009, A new learning paradigm: learning using privileged information",
        "Lopez-Paz et al. 2016, Unifying distillation and privileged information, section 6: 0.88 and 0.95",
        "K. V. Vorontsov's lecture on unsupervised neural networks: both forms, six settings",
    ),
    config=Privileged,
    run=run,
    presets={
        "Separate": {},
        "Joint": {"form": "joint"},
        "Without a teacher: mu = 0": {"mu": 0.0},
        "20 labels, 200 objects without": {"objects": 20, "unlabelled": 200},
        "The teacher sees x too": {"sees": "x and x*"},
        "Joint, they agree on anything": {"form": "joint", "likeness": "cross-entropy", "mu": 100.0},
    },
    notes="Accuracies are exact, from the angle between the weights and alpha. The lecture's teacher sees x and x*; on "
    "these few objects it learns them by heart, as plain learning does, and its student gains almost nothing, so ours "
    "sees x* alone unless told otherwise. In the joint form, cross-entropy is a poor distance: it is least where both "
    "are sure, whatever they say, and with a large mu they agree on wrong answers.",
)
