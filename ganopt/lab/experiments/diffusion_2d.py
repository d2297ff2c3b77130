"""`diffusion-2d`: diffusion of points in the plane in three rows, as in Sohl-Dickstein et al. 2015, beside a GAN."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganopt.lab import diffusion
from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.networks import adam, descend, perceptron
from ganopt.lab.points import POINTS
from ganopt.training.recipes import falling_rate
from ganopt.viz.drawings import BLUE, GREEN, INK, PINK, Arrows, Dots, Drawing, Mark, Panel

FRAMES, SHOWN, COLUMNS = 30, 250, 5  # frames of training, points and times in a row
SCALE = 2  # of the points, which then have about the variance of the noise
BOX = (-2.4, 2.4, -2.4, 2.4)
WAVES = 4  # frequencies of the time that the network is given
SAMPLE = 1000  # points of a measured sample
REACH = 0.1  # distance within which a point covers another


@dataclass(frozen=True, kw_only=True)
class Diffusion2d(Config):
    """The settings of `diffusion-2d`."""

    data: str = setting("spiral", "points in the plane", choices=[*POINTS])
    times: int = setting(100, "steps of noise, T", low=2, high=1000)
    schedule: str = setting("cosine", "how the noise grows", choices=[*diffusion.SCHEDULES])
    sampler: str = setting("DDPM", "the way back", choices=("DDPM", "DDIM"))
    sampler_steps: int = setting(50, "steps back, at most T", low=1, high=1000)
    width: int = setting(96, "units in each of three hidden layers", low=4, high=512)
    iterations: int = setting(3000, "training steps", low=10, high=50_000)
    batch: int = setting(256, "points in a batch", low=8, high=4096)
    lr: float = setting(3e-3, "Adam's learning rate; it falls to 0", low=0, high=1)
    gan: bool = setting(True, "also train a GAN with as many weights, for as many steps")


class Denoiser(nn.Module):
    """The noise in x_t, from x_t (N, 2) and t (N,): a perceptron that is given waves of t / T."""

    def __init__(self, width: int, times: int, chance: torch.Generator) -> None:
        super().__init__()
        self.times = times
        self.layers = perceptron((2 + 1 + 2 * WAVES, width, width, width, 2), chance, nn.SiLU)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(N, 2), (N,) -> (N, 2)."""
        place = (t / self.times)[:, None]
        waves = torch.pi * place * 2.0 ** torch.arange(WAVES)
        return self.layers(torch.cat((x, place, waves.sin(), waves.cos()), 1))


def run(config: Diffusion2d) -> Iterator[Frame | None]:
    """Train the denoiser, then the GAN, and measure both at the end."""
    chance = torch.Generator().manual_seed(config.seed)
    numbers = np.random.default_rng(config.seed)
    schedule = diffusion.SCHEDULES[config.schedule](config.times)
    model, view = Denoiser(config.width, config.times, chance), _View(config, schedule)
    learner = adam(model)
    yield view.frame("Nothing is learned yet", 0.0, model)
    share, every = (0.7 if config.gan else 0.97), max(config.iterations // FRAMES, 1)
    for iteration in range(1, config.iterations + 1):
        started = time.process_time()
        loss = diffusion.loss(model, schedule, _points(config.data, config.batch, numbers), chance)
        descend(learner, loss, config.lr * falling_rate((iteration - 1) / config.iterations, 1.0))
        view.trained(iteration, loss.item(), time.process_time() - started)
        yield None
        if iteration % every == 0 or iteration == config.iterations:
            said = f"Denoiser: step {iteration:,} of {config.iterations:,}, loss {view.mean_loss():.3f}"
            yield view.frame(said, share * iteration / config.iterations, model)
    if config.gan:
        for iteration in _train_gan(config, view, chance, numbers):
            yield None
            if iteration % max(config.iterations // 10, 1) == 0:
                done = iteration / config.iterations
                yield view.frame(f"GAN: step {iteration:,} of {config.iterations:,}", share + 0.27 * done, model)
    yield view.frame("Done", 1.0, model)


def _train_gan(
    config: Diffusion2d, view: "_View", chance: torch.Generator, numbers: np.random.Generator
) -> Iterator[int]:
    """Train two perceptrons with together as many weights as the denoiser; yields the number of each step."""
    width = max(round(config.width / 2**0.5), 3)
    generator = perceptron((2, width, width, width, 2), chance, nn.SiLU)
    critic = perceptron((2, width, width, width, 1), chance, nn.SiLU)
    learner_g, learner_d = adam(generator, 0.0), adam(critic, 0.0)
    view.generator = generator
    for iteration in range(1, config.iterations + 1):
        started = time.process_time()
        rate = config.lr / 3 * falling_rate((iteration - 1) / config.iterations, 1.0)
        fake = generator(torch.randn(config.batch, 2, generator=chance))
        real = _points(config.data, config.batch, numbers)
        descend(learner_d, softplus(-critic(real)).mean() + softplus(critic(fake.detach())).mean(), rate)
        descend(learner_g, softplus(-critic(fake)).mean(), rate)
        view.gan_seconds += time.process_time() - started
        yield iteration


def _points(name: str, count: int, numbers: np.random.Generator) -> Tensor:
    return SCALE * torch.from_numpy(POINTS[name](count, numbers)[0]).float()


class _View:
    """Samples, measures and draws; keeps the curve of the loss and the times."""

    def __init__(self, config: Diffusion2d, schedule: diffusion.Schedule) -> None:
        self.config, self.schedule = config, schedule
        self.generator: nn.Module | None = None
        self.losses: list[tuple[float, float]] = []
        self.recent: list[float] = []
        self.seconds = self.gan_seconds = 0.0

    def trained(self, iteration: int, loss: float, seconds: float) -> None:
        """Note the loss and time of a step."""
        self.recent = [*self.recent[-199:], loss]
        self.seconds += seconds
        if iteration % max(self.config.iterations // 100, 1) == 0:
            self.losses.append((iteration, self.mean_loss()))

    def mean_loss(self) -> float:
        """The mean of the last losses."""
        return float(np.mean(self.recent))

    def sample(self, model: Denoiser, count: int) -> list[tuple[int, Tensor]]:
        """The way back of some points, always from the same noise: (t, x_t) from T to 0."""
        chance, config = torch.Generator().manual_seed(1), self.config
        start = torch.randn(count, 2, generator=chance)
        steps, fresh = min(config.sampler_steps, config.times), float(config.sampler == "DDPM")
        return [*diffusion.reverse(model, self.schedule, start, steps, fresh, chance)]

    def frame(self, said: str, progress: float, model: Denoiser) -> Frame:
        """A frame; figures are measured at the end."""
        done = progress == 1
        return Frame(
            said=f"{said}.",
            progress=progress,
            figures=self._figures(model) if done else {},
            series={"Loss of the denoiser": {"mean squared error": [*self.losses]}} if self.losses else {},
            pictures={"Forward, reverse and shift": self._drawing(model)},
        )

    def _figures(self, model: Denoiser) -> dict[str, Figure]:
        """Sliced Wasserstein distances, coverage and times."""
        config, numbers = self.config, np.random.default_rng(99)
        data = [_points(config.data, SAMPLE, numbers) for _ in range(6)]
        floor = float(np.mean([diffusion.sliced_wasserstein(a, b) for a, b in zip(data[::2], data[1::2], strict=True)]))
        started = time.process_time()
        drawn = {"diffusion": self.sample(model, SAMPLE)[-1][1]}
        figures = {"time of training, diffusion (s)": Figure(self.seconds)}
        figures["time of 1,000 points, diffusion (ms)"] = Figure(1000 * (time.process_time() - started))
        if self.generator:
            started = time.process_time()
            with torch.no_grad():
                chance = torch.Generator().manual_seed(1)
                drawn["GAN"] = self.generator(torch.randn(SAMPLE, 2, generator=chance))
            figures["time of training, GAN (s)"] = Figure(self.gan_seconds)
            figures["time of 1,000 points, GAN (ms)"] = Figure(1000 * (time.process_time() - started))
        found = {}
        promised = {"diffusion": 2.0 if (config.iterations >= 3000 and config.sampler == "DDPM") else np.inf}
        for name, points in drawn.items():
            ratio = float(np.mean([diffusion.sliced_wasserstein(points, each) for each in data])) / floor
            found[f"distance, {name} / data to data"] = Figure(ratio, high=promised.get(name, np.inf))
            found[f"share of the data near a point, {name}"] = Figure(_coverage(data[0], points))
            found[f"share of the points near the data, {name}"] = Figure(_coverage(points, data[0]))
        return found | {"share of the data near a point, other data": Figure(_coverage(data[0], data[1]))} | figures

    def _drawing(self, model: Denoiser) -> Drawing:
        """Forward, reverse, and the shift that the model applies; the GAN's points below."""
        config, numbers = self.config, np.random.default_rng(7)
        chance = torch.Generator().manual_seed(7)
        data, times = _points(config.data, SHOWN, numbers), np.linspace(0, config.times, COLUMNS).round().astype(int)
        noise, panels = torch.randn(data.shape, generator=chance), []
        for t in times.tolist():
            noised = self.schedule.noised(data, torch.full((SHOWN,), t), noise)
            panels.append(_panel(f"forward, t = {t}", [Dots(noised.numpy(), BLUE, 1.4)]))
        way = self.sample(model, SHOWN)
        for t in times.tolist():
            at, points = min(way, key=lambda each: abs(each[0] - t))
            panels.append(_panel(f"reverse, t = {at}", [Dots(points.numpy(), GREEN, 1.4)]))
        axis = torch.linspace(-2.1, 2.1, 9)
        grid = torch.cartesian_prod(axis, axis)
        for t in times.tolist():
            with torch.no_grad():
                shift = -model(grid, torch.full((len(grid),), max(t, 1)))
            ends = grid + 0.33 * shift / shift.norm(dim=1, keepdim=True).clamp(min=1)
            panels.append(_panel(f"shift, t = {max(t, 1)}", [Arrows(grid.numpy(), ends.numpy(), INK)]))
        if self.generator:
            with torch.no_grad():
                fake = self.generator(torch.randn(SHOWN, 2, generator=chance))
            panels.append(_panel("GAN of equal size", [Dots(fake.numpy(), PINK, 1.4)]))
        return Drawing("Points with growing noise, on their way back, and the shift", panels, COLUMNS)


def _panel(title: str, marks: list[Mark]) -> Panel:
    return Panel(title, BOX, marks, (150, 150))


def _coverage(data: Tensor, points: Tensor) -> float:
    """The share of the data with a point within REACH."""
    return float((torch.cdist(data, points).min(1).values < REACH).float().mean())


EXPERIMENT = Experiment(
    name="diffusion-2d",
    title="Diffusion",
    group="beside",
    summary="Points are dissolved in noise step by step, and a network learns the way back; a GAN stands beside it.",
    formula=r"x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1 - \bar\alpha_t}\,\varepsilon, \qquad"
    r" \min_\theta \mathbb{E}\,\bigl\lVert \varepsilon - \varepsilon_\theta(x_t, t) \bigr\rVert^2",
    look_for="The second row, read from right to left, turns noise into the data; the arrows show by which shift.",
    sources=(
        "Sohl-Dickstein et al. 2015, Deep unsupervised learning using nonequilibrium thermodynamics",
        "Ho et al. 2020, Denoising diffusion probabilistic models",
        "Song et al. 2021, Denoising diffusion implicit models",
        "An article on the 2014 GAN and diffusion: diffusion is steadier but costlier",
    ),
    config=Diffusion2d,
    run=run,
    presets={
        "Spiral": {},
        "Moons": {"data": "moons"},
        "The dark pixels of a picture": {"data": "picture"},
        "DDIM in ten steps": {"sampler": "DDIM", "sampler_steps": 10},
        "Linear schedule": {"schedule": "linear"},
    },
    notes="The article calls diffusion steadier but costlier. In the finished run it is nearer to the data than the "
    "GAN; its training costs less, not more, but drawing costs some fifty times as much.",
)
