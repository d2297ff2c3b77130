"""The computations of the page. On a ZeroGPU Space, each call runs in a subprocess with a GPU; elsewhere, directly.

In a subprocess, changes in memory are lost, and arguments and results are pickled. A call is refused, with a sentence
of the Space, if the visitor's quota is smaller than the duration that is asked for, so that is no longer than needed.
This is written and tested by the documentation of `spaces`, with a stand-in; it has not been tried on a ZeroGPU Space.
"""

from collections.abc import Callable, Generator
from typing import Any

import torch

from ganopt.data.decode import UPLOAD_PIXELS
from ganopt.metrics import evaluation, features
from ganopt.models import model_cache
from ganopt.models.latents import inversion
from ganopt.thesis import comparison as comparing
from ganopt.thesis import model_facts
from ganopt.ui.common import show_errors

try:
    from spaces import GPU
except ImportError:

    def GPU(task: Callable, duration: int | Callable[..., int]) -> Callable:  # noqa: N802
        return task


DRAWING, LOADING, MAX_SECONDS = 20, 30, 120  # seconds: of a task that draws, of Inception's start, of any task
PICTURES = 100  # that Inception sees in a second at least


def _on_gpu(task: Callable[..., Any], seconds: int | Callable[..., int] = DRAWING) -> Callable[..., Any]:
    """Run a task on a GPU for at most some seconds, which may depend on its arguments.

    UserErrors become Gradio's errors first, as the Space hides the messages of all others.
    """
    return GPU(show_errors(task), duration=seconds)


def _evaluate(plan: evaluation.Plan, device: torch.device) -> Generator[evaluation.Update]:
    yield from evaluation.evaluate(plan, features.load_extractor(device), UPLOAD_PIXELS)


def _find(model: str, device: torch.device, photograph: torch.Tensor) -> Generator[inversion.Search]:
    yield from inversion.search(model_cache.generator(model, device), photograph, inversion.SECONDS)


def _seconds(plan: evaluation.Plan, device: torch.device) -> int:
    samples = plan.repeats * (len(plan.models) + bool(plan.against)) + len(plan.paths)
    return min(LOADING + samples * plan.count // PICTURES, MAX_SECONDS)


faces = _on_gpu(model_cache.faces)
face_map = _on_gpu(model_cache.face_map)
walk = _on_gpu(model_cache.walk)
compare = _on_gpu(comparing.compare)
latencies = _on_gpu(model_facts.latencies)
cosines = _on_gpu(comparing.cosines)
find = _on_gpu(_find)
evaluate = _on_gpu(_evaluate, _seconds)
