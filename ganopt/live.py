"""fid100: how a run does while it trains, from few pictures. It compares with itself, on one set of pictures, only."""

from collections.abc import Callable

import torch

from ganopt import features
from ganopt.draw import draw
from ganopt.extraction import extract
from ganopt.fid import fit, frechet_distance
from ganopt.latents import latents
from ganopt.recipes import Distill
from ganopt.state import State

DRAWN, REAL = 100, 500  # pictures of the run's generator, and of those that it trains on


def measure(state: State) -> Callable[[], float]:
    """A function that measures the moving average of a run as it is when it is called.

    The reference is 500 pictures of the run's own, seen once and cached; of a run without any, its teacher's faces.
    """
    eye = features.extractor(state.device)
    reference: list[features.Sample] = []

    def fid() -> float:
        if not reference:
            reference.append(features.finish(_reference(state, eye)))
        faces = draw(state.average, latents(range(DRAWN)))
        rows = torch.cat(list(extract(faces.split(eye.batch), eye.network, eye.device)))
        return frechet_distance(fit(rows), reference[0].gaussian)

    return fid


def _reference(state: State, eye: features.Extractor) -> features.Seeing:
    if state.pictures is None:
        assert isinstance(state.recipe, Distill)
        return features.of_model(state.recipe.teacher, range(REAL), eye)
    step = max(len(state.pictures) // REAL, 1)
    return features.of_pictures("training pictures", state.pictures[::step][:REAL].cpu(), eye)
