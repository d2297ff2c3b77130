"""fid100, a quick measure of a run during training. Compare it only within a run, on the same pictures."""

from collections.abc import Callable

import torch

from ganopt.data import image_folder
from ganopt.metrics import features
from ganopt.metrics.fid import fit, frechet_distance
from ganopt.models.latents import latents
from ganopt.models.sampling import draw
from ganopt.training.state import State

GENERATED, REAL = 100, 500  # generated pictures, training pictures


def measure(state: State) -> Callable[[], float]:
    """A function that returns the fid100 of a run's moving average at the time of the call.

    The reference is 500 training pictures, evenly drawn, or the teacher's faces if there are none; its features are
    cached.
    """
    extractor = features.load_extractor(state.device)
    reference: list[features.Sample] = []

    def fid() -> float:
        if not reference:
            reference.append(features.finish(_reference(state, extractor)))
        faces = draw(state.average, latents(range(GENERATED)))
        rows = features.rows_of(faces, extractor)
        return frechet_distance(fit(rows), reference[0].gaussian)

    return fid


def _reference(state: State, extractor: features.Extractor) -> features.Extraction:
    if state.pictures is None:
        return features.of_model(state.recipe.origin, range(REAL), extractor)
    some = state.pictures[torch.tensor(image_folder.drawn(len(state.pictures), REAL, 0))]
    return features.of_pictures("training pictures", some.cpu(), extractor)
