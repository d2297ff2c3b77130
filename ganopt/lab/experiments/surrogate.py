"""`surrogate`: a small network learns, from some calls, to stand in for a model that is costly to call."""

import dataclasses
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.costly import COSTLY, MODEL
from ganopt.lab.networks import adam, descend, perceptron
from ganopt.training.recipes import falling_rate
from ganopt.viz.drawings import INK, TEAL, Curve, Dots, Drawing, Mark, Panel

MIN_CALLS = 50  # calls; then twice as many, and so on
CHUNK = 16  # calls at a time
FRAMES = 10  # while the costly model is called
SHOWN = 400  # objects in a panel


@dataclass(frozen=True, kw_only=True)
class Surrogate(Config):
    """The settings of `surrogate`."""

    costly: str = setting("known function", "what is costly to call", choices=[*COSTLY])
    calls: int = setting(
        800, f"most calls to learn from; also half of them, and so on down to {MIN_CALLS}", low=MIN_CALLS, high=20_000
    )
    tested: int = setting(1000, "further calls, on which R^2 is measured", low=50, high=10_000)
    hidden: int = setting(64, "units in each of the surrogate's two hidden layers", low=1, high=512)
    steps: int = setting(400, "steps of each training", low=10, high=10_000)
    batch: int = setting(256, "objects in a batch", low=2, high=4096)
    lr: float = setting(0.01, "Adam's learning rate, which falls to 0", low=0, high=1)
    shrinkage: float = setting(0.0, "penalty on the squares of the weights", low=0, high=1)


def r_squared(said: Tensor, right: Tensor) -> float:
    """1 - sum of squared errors / sum of squares about the mean, of (N,)."""
    return 1 - ((said - right).square().sum() / (right - right.mean()).square().sum()).item()


def linear_prediction(x: Tensor, y: Tensor, new: Tensor) -> Tensor:
    """What least squares, linear in x (N, size) with a constant, say of new objects (M, size): (M,)."""
    known, asked = (nn.functional.pad(each, (0, 1), value=1.0).double() for each in (x, new))
    return (asked @ torch.linalg.lstsq(known, y.double()[:, None]).solution)[:, 0].float()


def train(network: nn.Module, x: Tensor, y: Tensor, config: Surrogate, chance: torch.Generator) -> Iterator[None]:
    """Train a surrogate b on calls (N, size) and (N,), by sum (b(x'_i) - a(x'_i))^2; yields after each step."""
    learner, weights = adam(network), [each for each in network.parameters() if each.ndim > 1]
    for step in range(config.steps):
        rows = torch.randint(len(x), (config.batch,), generator=chance) if len(x) > config.batch else slice(None)
        loss = (network(x[rows])[:, 0] - y[rows]).square().mean()
        if config.shrinkage:
            loss = loss + config.shrinkage * torch.stack([each.square().sum() for each in weights]).sum()
        descend(learner, loss, config.lr * falling_rate(step / config.steps, 0.8))
        yield None


def run(config: Surrogate) -> Iterator[Frame | None]:
    """Call the costly model, then train surrogates on more and more of its calls, with a frame for each."""
    costly, chance = COSTLY[config.costly], torch.Generator().manual_seed(config.seed)
    new, x = costly.objects(config.tested, chance), costly.objects(config.calls, chance)
    view = _View(config)
    yield view.frame("Nothing has been called yet", 0.0)
    costly.call(new[:1])  # loads the networks, which is not to be timed
    objects = torch.cat((new, x)).split(CHUNK)
    called, spent = list[Tensor](), 0.0
    for index, part in enumerate(objects, 1):
        started = time.perf_counter()
        called.append(costly.call(part))
        spent += time.perf_counter() - started
        yield None
        if index % max(len(objects) // FRAMES, 1) == 0:
            mean = torch.cat(called).mean().item()
            yield view.frame(
                f"Part {index:,} of {len(objects):,} of the calls; their mean is {mean:.4g}", 0.5 * index / len(objects)
            )
    right, y = torch.cat(called).split((config.tested, config.calls))
    counts = call_counts(config.calls)
    view.linear = r_squared(linear_prediction(x, y, new), right)
    for index, count in enumerate(counts, 1):
        mean, deviation = y[:count].mean(), y[:count].std().clamp_min(1e-6)
        network = perceptron((x.shape[1], config.hidden, config.hidden, 1), chance, nn.SiLU)
        yield from train(network, x[:count], (y[:count] - mean) / deviation, config, chance)
        started = time.perf_counter()
        with torch.no_grad():
            said = torch.cat([network(part)[:, 0] for part in new.split(CHUNK)]) * deviation + mean
        own = (time.perf_counter() - started) / len(new)
        view.note(count, said, right)
        if config.costly != "known function" and index == len(counts):
            view.ratio = spent / (len(new) + len(x)) / own
        yield view.frame(f"{count:,} calls: R^2 is {view.found[-1][1]:.4f}", 0.5 + 0.5 * index / len(counts))


def call_counts(most: int) -> list[int]:
    """Numbers of calls, ascending: the most, and halves of it as long as they are MIN_CALLS or more."""
    halves = itertools.takewhile(lambda count: count >= MIN_CALLS, (most >> power for power in range(64)))
    return sorted(halves)


class _View:
    """Keeps and draws what the surrogates come to."""

    def __init__(self, config: Surrogate) -> None:
        self.config = config
        self.found: list[tuple[float, float]] = []
        self.panels: list[Panel] = []
        self.linear: float | None = None
        self.ratio: float | None = None

    def note(self, count: int, said: Tensor, right: Tensor) -> None:
        """Note what a surrogate of so many calls says of new objects."""
        self.found.append((count, r_squared(said, right)))
        self.panels.append(self._panel(f"{count:,} calls: {self.found[-1][1]:.4f}", said, right))

    def frame(self, said: str, progress: float) -> Frame:
        """The frame with all surrogates so far."""
        config = self.config
        curves = {"surrogate": [*self.found]}
        if self.linear is not None:
            curves["linear, all calls"] = [(count, self.linear) for count, _ in self.found]
        [first, *others] = self.panels or [Panel("before the first call", (0, 1, 0, 1), [], (200, 200))]
        return Frame(
            said=f"{said}.",
            progress=progress,
            figures=self._figures(progress),
            series={"R^2 on new objects": curves} if self.found else {},
            pictures={
                "Surrogate and costly model": Drawing(
                    f"What surrogates say of new objects, above the {config.costly}", [first, *others[-5:]], 3
                )
            },
            axis="calls",
        )

    def _figures(self, progress: float) -> dict[str, Figure]:
        """The figures; those of the known function are promised with the default settings."""
        if not self.found:
            return {}
        promised = progress == 1 and dataclasses.replace(self.config, seed=0) == Surrogate()
        last, rises = self.found[-1][1], [b - a for (_, a), (_, b) in itertools.pairwise(self.found)]
        low = (0.99, 0.0) if promised else (-float("inf"),) * 2
        figures = {"R^2 of the surrogate": Figure(last, low=low[0])}
        if rises:
            figures["smallest rise of R^2 with twice the calls"] = Figure(min(rises), low=low[1])
        if self.linear is not None:
            figures["R^2 of a linear model of all calls"] = Figure(self.linear)
        if self.ratio is not None:
            figures["time of a costly call / of the surrogate"] = Figure(self.ratio)
        return figures

    def _panel(self, title: str, said: Tensor, right: Tensor) -> Panel:
        low, high = right.min().item(), right.max().item()
        points = torch.stack((right, said), 1)[:SHOWN].double().numpy()
        marks: list[Mark] = [Curve(np.array([(low, low), (high, high)]), INK, 1, "2 3"), Dots(points, TEAL, 1.5)]
        return Panel(title, (low, high, low, high), marks, (200, 200), numbers=True)


EXPERIMENT = Experiment(
    name="surrogate",
    title="Surrogate",
    group="in turn",
    summary="A small network learns from some calls of a costly model to stand in for it.",
    formula=r"\min_b \sum_i L\bigl(b(x'_i), a(x'_i)\bigr), \quad R^2 = 1 - \frac{\sum_j (b(x_j) - a(x_j))^2}"
    r"{\sum_j (a(x_j) - \bar a)^2}",
    look_for="With twice the calls the points come closer to the dotted line, and R^2 to 1.",
    sources=(
        "K. V. Vorontsov's lecture on unsupervised neural networks: surrogates",
        "Friedman 1991, Multivariate adaptive regression splines: the known function",
    ),
    config=Surrogate,
    run=run,
    presets={
        "A known function": {},
        "Colour of a face from its latent": {"costly": "colour of a face"},
        "Eyes of a face from its latent": {"costly": "eyes of a face", "tested": 400, "shrinkage": 0.05},
    },
    notes="The objects x' are drawn for the purpose; no data of the costly model's own are needed. The faces are those "
    f"of {MODEL}: their colour, red less blue, can be told from the latent; how much their eyes differ hardly can, "
    "from so few calls.",
)
