"""Competing units (Kohonen 1990): clustering, learning vector quantisation, and the self-organising map.

Objects are (N, n), units (K, n). A step takes one object and changes the units in place.
"""

import numpy as np

KERNELS = {
    "Gaussian": lambda r, radius: np.exp(-(r**2) / (2 * radius**2)),
    "bubble": lambda r, radius: (r <= radius).astype(float),
}


def squared_distances(objects: np.ndarray, units: np.ndarray) -> np.ndarray:
    """rho^2 of each object to each unit, (N, K)."""
    parts = (objects**2).sum(1)[:, None] - 2 * objects @ units.T + (units**2).sum(1)
    return np.maximum(parts, 0)


def winner(units: np.ndarray, x: np.ndarray) -> tuple[int, float]:
    """The unit that is nearest to an object, and rho^2."""
    distances = ((units - x) ** 2).sum(1)
    nearest = int(distances.argmin())
    return nearest, float(distances[nearest])


def winner_takes_all(units: np.ndarray, x: np.ndarray, rate: float) -> float:
    """w_y += rate (x - w_y) for the winner y. Returns its rho^2 before."""
    nearest, distance = winner(units, x)
    units[nearest] += rate * (x - units[nearest])
    return distance


def winner_takes_most(units: np.ndarray, x: np.ndarray, rate: float, width: float) -> float:
    """w_y += rate K(rho(x, w_y)) (x - w_y) for all units, with a Gaussian kernel of the distance in the data.

    The kernel is relative to the winner's, so that the winner moves as if it took all. Returns its rho^2 before.
    """
    distances = ((units - x) ** 2).sum(1)
    kernel = np.exp((distances.min() - distances) / (2 * width**2))
    units += rate * kernel[:, None] * (x - units)
    return float(distances.min())


def lvq1(units: np.ndarray, classes: np.ndarray, x: np.ndarray, label: int, rate: float) -> float:
    """w_y += or -= rate (x - w_y) for the winner y, as its class is right or wrong.

    Returns rho^2 before, with that sign.
    """
    nearest, distance = winner(units, x)
    sign = 1 if classes[nearest] == label else -1
    units[nearest] += sign * rate * (x - units[nearest])
    return sign * distance


def map_step(units: np.ndarray, grid: np.ndarray, x: np.ndarray, rate: float, radius: float, kernel: str) -> float:
    """w_y += rate K(r) (x - w_y), r the distance of y to the winner on the grid (K, 2). Returns the winner's rho^2."""
    nearest, distance = winner(units, x)
    r = np.sqrt(((grid - grid[nearest]) ** 2).sum(1))
    units += rate * KERNELS[kernel](r, radius)[:, None] * (x - units)
    return distance


def grid_of(rows: int, columns: int) -> np.ndarray:
    """The places (rows columns, 2) of a map's nodes, as row and column."""
    return np.stack(np.divmod(np.arange(rows * columns), columns), 1).astype(float)


def k_means(objects: np.ndarray, units: np.ndarray, most: int = 300) -> np.ndarray:
    """Lloyd's algorithm from these centres; a centre that is never chosen stays."""
    units = units.copy()
    for _ in range(most):
        chosen = squared_distances(objects, units).argmin(1)
        after = np.array([objects[chosen == y].mean(0) if (chosen == y).any() else w for y, w in enumerate(units)])
        if np.array_equal(after, units):
            break
        units = after
    return units


def inertia(objects: np.ndarray, units: np.ndarray) -> float:
    """Q(w) = sum of rho^2(x_i, w_a(x_i)) with the nearest unit a."""
    return float(squared_distances(objects, units).min(1).sum())


def quantisation_error(objects: np.ndarray, units: np.ndarray) -> float:
    """The mean distance of an object to its nearest unit."""
    return float(np.sqrt(squared_distances(objects, units).min(1)).mean())


def topographic_error(objects: np.ndarray, units: np.ndarray, grid: np.ndarray) -> float:
    """The share of objects whose two nearest units are no neighbours on the grid, diagonals included."""
    first, second = squared_distances(objects, units).argsort(1)[:, :2].T
    return float((np.abs(grid[first] - grid[second]).max(1) > 1).mean())


def distortions(objects: np.ndarray, units: np.ndarray, grid: np.ndarray, neighbours: int = 10) -> tuple[float, float]:
    """How a map distorts: shares of the pairs (near in the data but far on the map, near on the map but far in it).

    Near in the data is one of the nearest neighbours, far is beyond the median; far on the map is more than a third of
    its side, near is the same or the next node.
    """
    apart = np.sqrt(squared_distances(objects, objects))
    np.fill_diagonal(apart, np.inf)
    place = grid[squared_distances(objects, units).argmin(1)]
    steps = np.abs(place[:, None] - place[None]).max(2)
    near = np.argsort(apart, 1)[:, :neighbours]
    torn = np.take_along_axis(steps, near, 1) > (grid.max() + 1) / 3
    close = (steps <= 1) & np.isfinite(apart)
    glued = apart[close] > np.median(apart[np.isfinite(apart)])
    return float(torn.mean()), float(glued.mean()) if close.any() else 0.0
