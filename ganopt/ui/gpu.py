"""The computations of the page. On a ZeroGPU Space, each call runs in a subprocess with a GPU; elsewhere, directly.

In a subprocess, changes in memory are lost, and arguments and results are pickled.
"""

from collections.abc import Callable, Generator
from typing import Any

import torch

from ganopt.data.decode import UPLOAD_PIXELS
from ganopt.metrics import evaluation, features
from ganopt.models import model_cache
from ganopt.thesis import comparison as comparing
from ganopt.ui.common import show_errors

try:
    from spaces import GPU
except ImportError:

    def GPU(task: Callable, duration: int) -> Callable:  # noqa: N802
        return task


def _on_gpu(task: Callable[..., Any], seconds: int = 60) -> Callable[..., Any]:
    """Run a task on a GPU. UserErrors become Gradio's errors first, as the Space hides the messages of all others."""
    return GPU(show_errors(task), duration=seconds)


def _evaluate(plan: evaluation.Plan, device: torch.device) -> Generator[evaluation.Update]:
    yield from evaluation.evaluate(plan, features.load_extractor(device), UPLOAD_PIXELS)


faces = _on_gpu(model_cache.faces)
face_map = _on_gpu(model_cache.face_map)
walk = _on_gpu(model_cache.walk)
compare = _on_gpu(comparing.compare)
cosines = _on_gpu(comparing.cosines)
evaluate = _on_gpu(_evaluate, seconds=300)
