"""fid100: how a run does while it trains, from few pictures. It compares with itself, on one set of pictures, only."""

from collections.abc import Callable

import torch

from ganopt.metrics import features
from ganopt.metrics.extraction import extract
from ganopt.metrics.fid import fit, frechet_distance
from ganopt.models.latents import latents
from ganopt.models.sampling import draw
from ganopt.training.state import State

DRAWN, REAL = 100, 500  # pictures of the run's generator, and of those that it trains on


def measure(state: State) -> Callable[[], float]:
    """A function that measures the moving average of a run as it is when it is called.

    The reference is 500 pictures of the run's own, seen once and cached; of a run without any, its teacher's faces.
    """
    extractor = features.load_extractor(state.device)
    reference: list[features.Sample] = []

    def fid() -> float:
        if not reference:
            reference.append(features.finish(_reference(state, extractor)))
        faces = draw(state.average, latents(range(DRAWN)))
        rows = torch.cat(list(extract(faces.split(extractor.batch), extractor.network, extractor.device)))
        return frechet_distance(fit(rows), reference[0].gaussian)

    return fid


def _reference(state: State, extractor: features.Extractor) -> features.Seeing:
    if state.pictures is None:
        return features.of_model(state.recipe.origin, range(REAL), extractor)
    step = max(len(state.pictures) // REAL, 1)
    return features.of_pictures("training pictures", state.pictures[::step][:REAL].cpu(), extractor)
