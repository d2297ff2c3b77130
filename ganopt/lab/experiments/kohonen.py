"""`kohonen`: units that compete for objects, as clustering, as a classifier, and as a map."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ganopt.lab.contract import Config, Experiment, Figure, Frame, setting
from ganopt.lab.encoders.objects import FACES
from ganopt.lab.points import POINTS, read_csv
from ganopt.lab.units import competition as competing
from ganopt.lab.units.atlas import Faces, atlas, gather_faces
from ganopt.lab.units.drawings import in_the_plane, readings
from ganopt.viz.drawings import Drawing

FORGETTING = 0.01  # lambda of the running estimate of Q
WTA, WTM, LVQ1, MAP = KINDS = ("WTA", "WTM", "LVQ1", "map")


@dataclass(frozen=True, kw_only=True)
class Kohonen(Config):
    """The settings of `kohonen`."""

    kind: str = setting(MAP, "winner takes all, winner takes most, classes, or a map", choices=KINDS)
    data: str = setting("moons", "objects: points, or faces that our models draw", choices=[*POINTS, *FACES])
    csv: str = setting("", "CSV file of objects, a row each, instead; a column of texts is the class")
    objects: int = setting(400, "objects drawn", low=20, high=5000)
    units: int = setting(6, "units, or prototypes of each class", low=1, high=100)
    side: int = setting(8, "rows and columns of a map", low=2, high=30)
    kernel: str = setting("Gaussian", "neighbourhood on a map", choices=[*competing.KERNELS])
    radius: float = setting(2.0, "width of the neighbourhood on a map at the start, in nodes", low=0.1, high=30)
    width: float = setting(0.55, "width of WTM's kernel at the start, in the data", low=0.01, high=100)
    rate: float = setting(0.3, "learning rate at the start", low=0, high=1)
    epochs: int = setting(20, "how often each object is shown", low=1, high=500)
    start: str = setting(
        "objects", "first units of clusters: objects, or points in a far corner", choices=("objects", "far")
    )
    start_seed: int = setting(0, "seed of the first units, apart", low=0, high=2**32 - 1)
    order_seed: int = setting(0, "seed of the order of the objects, apart", low=0, high=2**32 - 1)


def run(config: Kohonen) -> Iterator[Frame | None]:
    """Show the objects in random order, with a frame an epoch."""
    faces: Faces | None = None
    names: list[str] = []
    if config.csv:
        objects, labels, names = read_csv(config.csv)
    elif config.data in FACES:
        faces = yield from gather_faces(config.data, config.objects)
        objects, labels = faces.objects, faces.labels
    else:
        objects, labels = POINTS[config.data](config.objects, np.random.default_rng(config.seed))
        names = ["x", "y"]
    view = _View(config, objects, labels, names, faces)
    order, total, shown = np.random.default_rng((config.seed, 2, config.order_seed)), config.epochs * len(objects), 0
    estimate = view.estimate()
    yield view.frame(0, estimate)
    for epoch in range(1, config.epochs + 1):
        for index in order.permutation(len(objects)):
            distance = view.step(objects[index], labels[index], shown / total)
            estimate = (1 - FORGETTING) * estimate + FORGETTING * distance
            shown += 1
            yield None
        yield view.frame(epoch, estimate)


class _View:
    """The units of one kind, a step of them, and their measures and drawings."""

    def __init__(
        self, config: Kohonen, objects: np.ndarray, labels: np.ndarray, names: list[str], faces: Faces | None
    ) -> None:
        self.config, self.objects, self.labels, self.names, self.faces = config, objects, labels, names, faces
        chance = np.random.default_rng((config.seed, 1, config.start_seed))
        kinds = np.unique(labels)
        self.classes = np.repeat(kinds, config.units)
        if config.kind == MAP:
            self.grid = competing.grid_of(config.side, config.side)
            self.units = (chance.random((config.side**2, objects.shape[1])) - 0.5) / config.side**2
        elif config.kind == LVQ1:
            chosen = [chance.choice(np.flatnonzero(labels == kind), config.units) for kind in kinds]
            self.units = objects[np.concatenate(chosen)].copy()
        elif config.start == "far":
            self.units = (
                objects.max(0) + 0.5 * np.ptp(objects, 0) + 0.05 * chance.random((config.units, objects.shape[1]))
            )
        else:
            self.units = objects[chance.choice(len(objects), config.units, len(objects) < config.units)].copy()
        self.first, self.estimates = self.units.copy(), list[tuple[float, float]]()

    def step(self, x: np.ndarray, label: int, progress: float) -> float:
        """Show one object; returns the winner's rho^2, with a sign for LVQ1."""
        config, rest = self.config, 1 - progress
        if config.kind == MAP:  # rate and radius fall to a third
            slower = 1 / (1 + 2 * progress)
            return competing.map_step(
                self.units, self.grid, x, slower * config.rate, slower * config.radius, config.kernel
            )
        if config.kind == LVQ1:
            return competing.lvq1(self.units, self.classes, x, label, 0.3 * rest * config.rate)
        if config.kind == WTM:
            return competing.winner_takes_most(self.units, x, rest * config.rate, config.width * rest**2 + 1e-3)
        return competing.winner_takes_all(self.units, x, rest * config.rate)

    def estimate(self) -> float:
        """The first estimate of Q / N, with a sign for LVQ1."""
        distances = competing.squared_distances(self.objects, self.units)
        sign = np.ones(len(self.objects))
        if self.config.kind == LVQ1:
            sign = np.where(self.classes[distances.argmin(1)] == self.labels, 1, -1)
        return float((sign * distances.min(1)).mean())

    def frame(self, epoch: int, estimate: float) -> Frame:
        """The frame after some epochs, with the running estimate of Q / N."""
        self.estimates.append((epoch, estimate))
        figures = FIGURES[self.config.kind](self, epoch == self.config.epochs)
        return Frame(
            said=f"Epoch {epoch} of {self.config.epochs}: the running estimate of Q is {estimate:.4f} an object.",
            progress=epoch / self.config.epochs,
            figures=figures,
            series={"Running estimate of Q / N": {"Q / N": [*self.estimates]}},
            pictures=self._pictures(),
            axis="epoch",
        )

    def cluster_figures(self, done: bool) -> dict[str, Figure]:
        """Inertia beside k-means' from the same start, and the two faults of WTA."""
        config = self.config
        used = len(np.unique(competing.squared_distances(self.objects, self.units).argmin(1)))
        best = competing.inertia(self.objects, competing.k_means(self.objects, self.first))
        ratio = competing.inertia(self.objects, self.units) / best
        promised = done and config.kind == WTA and config.start == "objects" and config.data == "blobs"
        stable = next((at for at, value in self.estimates if abs(value / self.estimates[-1][1] - 1) < 0.05), 0)
        return {
            "Q / Q of k-means from the same start": Figure(ratio, high=1.02) if promised else Figure(ratio, exact=1),
            "units that no object chooses": Figure(config.units - used, exact=0, tolerance=None if not done else 0),
            "clusters that are not empty": Figure(used),
            "epochs until Q is within 5 % of its end": Figure(stable),
        }

    def class_figures(self, done: bool) -> dict[str, Figure]:
        """Accuracy on the objects beside that of the nearest centroid."""
        nearest = self.classes[competing.squared_distances(self.objects, self.units).argmin(1)]
        kinds = np.unique(self.labels)
        centroids = np.stack([self.objects[self.labels == kind].mean(0) for kind in kinds])
        plain = (kinds[competing.squared_distances(self.objects, centroids).argmin(1)] == self.labels).mean()
        promised = done and not self.config.csv and self.config.data in POINTS
        return {
            "accuracy": Figure(float((nearest == self.labels).mean()), low=float(plain) if promised else -np.inf),
            "accuracy of the nearest centroid": Figure(float(plain)),
        }

    def map_figures(self, done: bool) -> dict[str, Figure]:
        """Errors of the map, and how it distorts both ways."""
        some = self.objects[:400]
        torn, glued = competing.distortions(some, self.units, self.grid)
        return {
            "quantisation error": Figure(competing.quantisation_error(self.objects, self.units)),
            "topographic error": Figure(competing.topographic_error(self.objects, self.units, self.grid)),
            "share of near pairs that the map tears apart": Figure(torn),
            "share of its near pairs that are far apart": Figure(glued),
        }

    def _pictures(self) -> dict[str, Drawing]:
        """Objects by class or cluster, and units, or an atlas of the faces nearest to units; readings of a map."""
        config, is_map = self.config, self.config.kind == MAP
        distances = competing.squared_distances(self.objects, self.units)
        if self.faces:
            columns = config.side if is_map else min(len(self.units), 10)
            pictures = {"Atlas": atlas(self.faces, distances.argmin(0), columns)}
        else:
            colours = self.labels if config.kind in (LVQ1, MAP) else distances.argmin(1)
            classes = self.classes if config.kind == LVQ1 else None
            side = config.side if is_map else 0
            pictures = {"Units and objects": in_the_plane(self.objects, self.units, colours, side, classes)}
        if is_map:
            pictures["Readings of the map"] = readings(self.objects, self.units, self.names, config.side)
        return pictures


FIGURES: dict[str, Callable[[_View, bool], dict[str, Figure]]] = {
    WTA: _View.cluster_figures,
    WTM: _View.cluster_figures,
    LVQ1: _View.class_figures,
    MAP: _View.map_figures,
}

EXPERIMENT = Experiment(
    name="kohonen",
    title="Kohonen's networks",
    group="competing",
    summary="Units compete for objects: clustering, a classifier of prototypes, and a map of the data.",
    formula=r"\begin{gathered} w_y \leftarrow w_y + \eta\,(x - w_y)\,K, \quad Q(w) = \sum_i \rho^2(x_i, w_{a(x_i)}) \\"
    r" K = [a(x) = y] \;\text{(WTA)}, \; K(\rho(x, w_y)) \;\text{(WTM)}, \; K(r(a(x), y)) \;\text{(map)}"
    r" \end{gathered}",
    look_for="The net unfolds over the objects; with winner takes all, units in a far corner are never chosen.",
    sources=(
        "Kohonen 1990, The self-organizing map",
        "K. V. Vorontsov, lecture on unsupervised neural networks, machinelearning.ru",
    ),
    config=Kohonen,
    run=run,
    presets={
        "Map": {},
        "The same with another kernel": {"kernel": "bubble"},
        "The same with another start": {"start_seed": 1},
        "The same in another order": {"order_seed": 1},
        "Winner takes all": {"kind": WTA, "data": "blobs"},
        "Its fault: units that are never chosen": {"kind": WTA, "data": "blobs", "start": "far"},
        "The cure: winner takes most": {"kind": WTM, "data": "blobs", "start": "far"},
        "LVQ1": {"kind": LVQ1, "data": "blobs", "units": 4},
        "An atlas of faces": {"data": "cats"},
    },
    notes="A map is subjective: kernel, start and order of the objects each change it. It is for exploring only. "
    "In an atlas of faces each node shows the face, of all that were drawn, that is nearest to it; click to open it in "
    "Generate.",
    files=("csv",),
)
