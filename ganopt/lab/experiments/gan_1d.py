"""`gan-1d`: a GAN of two perceptrons on the line, as in the figure of Goodfellow et al. 2014, where all is known."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from ganopt.lab import line
from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.networks import adam, descend, perceptron
from ganopt.training.recipes import falling_rate
from ganopt.viz.drawings import BLUE, GREEN, INK, ORANGE, Arrows, Curve, Drawing, Mark, Panel

FRAMES = 60
MAX_ERROR = 0.05  # of a critic that has learned its task
SEEN = 0.05  # of the largest p + q, below which a critic sees too few points to be judged
EDGE = 0.15  # from a jump of a density, nearer to which a smooth critic cannot be right
VIEW = (-3.5, 4.5)
POINTS = 20_000  # equally likely values of the noise, for figures


@dataclass(frozen=True, kw_only=True)
class Gan1d(Config):
    """The settings of `gan-1d`."""

    data: str = setting("Gaussian", "distribution of the data", choices=[*line.DATA])
    noise: str = setting("Gaussian", "distribution of the noise z", choices=line.NOISE)
    train: str = setting(
        "both", "what is trained; without training, the generator is x = z", choices=("both", "critic only")
    )
    loss: str = setting("non-saturating", "loss of the generator", choices=("non-saturating", "minimax"))
    critic_steps: int = setting(5, "critic steps per generator step, k", low=1, high=50)
    iterations: int = setting(600, "generator steps", low=10, high=50_000)
    batch: int = setting(256, "points in a batch", low=2, high=4096)
    lr_g: float = setting(1e-3, "Adam's learning rate for the generator", low=0, high=1)
    lr_d: float = setting(5e-3, "Adam's learning rate for the critic", low=0, high=1)
    falling: float = setting(0.8, "last share of the run, in which both rates fall to 0", low=0, high=1)


def critic_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """- E log D(x) - E log(1 - D(G(z))), from logits (N, 1)."""
    return softplus(-real).mean() + softplus(fake).mean()


def generator_loss(fake: torch.Tensor, loss: str) -> torch.Tensor:
    """Minimax: E log(1 - D(G(z))); non-saturating: - E log D(G(z)); from logits (N, 1)."""
    return -softplus(fake).mean() if loss == "minimax" else softplus(-fake).mean()


def run(config: Gan1d) -> Iterator[Frame | None]:
    """Train, and yield frames with the paper's panels."""
    chance = torch.Generator().manual_seed(config.seed)
    data, both = line.DATA[config.data], config.train == "both"
    generator = perceptron((1, 32, 32, 1), chance, nn.Tanh) if both else nn.Identity()
    critic = perceptron((1, 48, 48, 1), chance, nn.Tanh)
    learner_g, learner_d = adam(generator, 0.0) if both else None, adam(critic, 0.0)
    view = _View(config, generator, critic)
    yield view.frame(0)
    every = max(config.iterations // FRAMES, 1)
    for iteration in range(1, config.iterations + 1):
        rate = falling_rate((iteration - 1) / config.iterations, config.falling)
        for _ in range(config.critic_steps):
            with torch.no_grad():
                fake = generator(line.draw_noise(config.noise, config.batch, chance))
            loss = critic_loss(critic(data.draw(config.batch, chance)), critic(fake))
            descend(learner_d, loss, rate * config.lr_d)
        if learner_g:
            fake = critic(generator(line.draw_noise(config.noise, config.batch, chance)))
            descend(learner_g, generator_loss(fake, config.loss), rate * config.lr_g)
        yield None
        if iteration % every == 0 or iteration == config.iterations:
            yield view.frame(iteration)


class _View:
    """Measures and draws both networks; keeps the curves and the first three panels of the figure."""

    def __init__(self, config: Gan1d, generator: nn.Module, critic: nn.Module) -> None:
        self.config, self.generator, self.critic = config, generator, critic
        self.data = line.DATA[config.data]
        self.edges = np.linspace(*VIEW, 161)
        self.x = (self.edges[1:] + self.edges[:-1]) / 2
        self.marks = [0, config.iterations // 20, config.iterations // 4]  # of the panels (a) to (c)
        self.kept: list[Panel] = []
        self.distances: list[tuple[float, float]] = []
        self.gaps: list[tuple[float, float]] = []

    def frame(self, iteration: int) -> Frame:
        """The frame after some iterations."""
        config = self.config
        points = line.generated(self.generator, config.noise, POINTS)
        with torch.no_grad():
            judged = self.critic(torch.from_numpy(self.x).float()[:, None]).sigmoid()[:, 0].double().numpy()
            both = np.concatenate((points[::20], self.data.quantiles(POINTS // 20)))
            gap = (self.critic(torch.from_numpy(both).float()[:, None]).sigmoid() - 0.5).abs().mean().item()
        p, q = self.data.density(self.x), line.density_of(points, self.edges)
        distance = line.wasserstein(points, self.data) / self.data.deviation
        self.distances.append((iteration, distance))
        self.gaps.append((iteration, gap))
        due = len(self.kept) < 3 and iteration >= self.marks[len(self.kept)]
        names = [f"({letter}) after {iteration:,}" for letter in "abcd"]
        if due:
            self.kept.append(self._panel(names[len(self.kept)], p, q, judged))
        panels = [*self.kept, self._panel(names[3], p, q, judged)]
        return Frame(
            said=f"Iteration {iteration:,} of {config.iterations:,}: distance {distance:.3f}, |D - 1/2| {gap:.3f}.",
            progress=iteration / config.iterations,
            figures=self._figures(iteration / config.iterations, self._error(p, q, judged), distance, gap),
            series={
                "Distance to the data and of D to 1/2": {
                    "Wasserstein / sd": [*self.distances],
                    "mean |D - 1/2|": [*self.gaps],
                }
            },
            pictures={"The figure of 2014": self._drawing(panels)},
            axis="iteration",
        )

    def _figures(self, progress: float, error: float, distance: float, gap: float) -> dict[str, Figure]:
        """The figures; those of equilibrium are promised only for settings that reach it."""
        config = self.config
        if config.train == "critic only":
            return {"largest |D - p/(p+q)|": Figure(error, exact=0, tolerance=MAX_ERROR if progress == 1 else None)}
        promised = progress == 1 and dataclasses.replace(config, seed=0) == Gan1d()
        far, uneven = (0.1, 0.05) if promised else (None, None)
        return {
            "Wasserstein distance / standard deviation": Figure(distance, exact=0, tolerance=far),
            "mean |D - 1/2|": Figure(gap, exact=0, tolerance=uneven),
            "largest |D - p/(p+q)|": Figure(error),
        }

    def _error(self, p: np.ndarray, q: np.ndarray, judged: np.ndarray) -> float:
        """The largest error of D where there are points, away from jumps of the densities."""
        seen = p + q >= SEEN * (p + q).max()
        jumps = [*self.data.edges(), *((-1, 1) if self.config.noise == "uniform" else ())]
        for jump in jumps if self.config.train == "critic only" else self.data.edges():
            seen &= np.abs(self.x - jump) > EDGE
        return float(np.abs(judged - line.optimal_critic(p, q))[seen].max(initial=0))

    def _panel(self, title: str, p: np.ndarray, q: np.ndarray, judged: np.ndarray) -> Panel:
        """Densities and D above, arrows from z to x below."""
        z = line.noise_quantiles(self.config.noise, 15)[:, 0].numpy()
        x = line.generated(self.generator, self.config.noise, 15)
        seen = p + q > SEEN * (p + q).max()
        best = np.where(seen, line.optimal_critic(p, q), np.nan)
        smooth = np.convolve(q, np.ones(3) / 3, "same")
        scale = 0.95 / max(p.max(), 1e-9)  # p reaches almost as high as D can
        marks: list[Mark] = [
            Curve(np.stack((self.x, scale * p), 1), INK, 2, "2 3"),
            Curve(np.stack((self.x, np.minimum(scale * smooth, 1.2)), 1), GREEN),
            Curve(np.stack((self.x[seen], best[seen]), 1), ORANGE, 1, "4 3"),
            Curve(np.stack((self.x, judged), 1), BLUE),
            Curve(np.array([(VIEW[0], -0.15), (VIEW[1], -0.15)]), INK, 1),
            Curve(np.array([(VIEW[0], -0.55), (VIEW[1], -0.55)]), INK, 1),
            Arrows(np.stack((z, np.full(15, -0.55)), 1), np.stack((x, np.full(15, -0.15)), 1), GREEN),
        ]
        return Panel(title, (*VIEW, -0.65, 1.25), marks, (300, 170))

    def _drawing(self, panels: list[Panel]) -> Drawing:
        legend = [(INK, "data p (dotted)"), (GREEN, "generated q, and z to x"), (BLUE, "critic D"), (ORANGE, "p/(p+q)")]
        return Drawing("Densities of data and generator, and the critic, at four moments", panels, 2, legend)


EXPERIMENT = Experiment(
    name="gan-1d",
    title="GAN on the line",
    group="together",
    summary="Two perceptrons play the game of 2014 on the line, where densities and the best critic are known.",
    formula=r"\begin{gathered} \min_G \max_D \; \mathbb{E}_{x \sim p}\log D(x) + \mathbb{E}_{z}\log(1 - D(G(z)))"
    r" \\ D^*(x) = p(x) / (p(x) + q(x)) \end{gathered}",
    look_for="The green curve moves to the dotted one; the critic follows p/(p+q) and becomes flat at 1/2.",
    sources=(
        "Goodfellow et al. 2014, Generative adversarial nets, figure 1 (which used k = 1)",
        "An article on the 2014 GAN and diffusion, which recommends several critic steps",
    ),
    config=Gan1d,
    run=run,
    presets={
        "k = 5": {},
        "k = 1, as many critic steps": {"critic_steps": 1, "iterations": 3000},
        "Critic alone: D becomes p/(p+q)": {"train": "critic only", "batch": 1024},
        "Two modes": {"data": "mixture", "iterations": 1500},
        "One network wins": {"loss": "minimax", "critic_steps": 1, "lr_g": 0.05, "falling": 0.0},
    },
)
