"""What computes for the page. On a ZeroGPU Space each call is lent a GPU, in a process of its own; elsewhere it is a
plain call. So what it changes in memory is lost, and what goes in and comes out is pickled.
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


def _lent(task: Callable[..., Any], seconds: int = 60) -> Callable[..., Any]:
    """A task whose UserErrors are the page's already: the Space hides all others."""
    return GPU(show_errors(task), duration=seconds)


def _evaluate(plan: evaluation.Plan, device: torch.device) -> Generator[evaluation.Update]:
    yield from evaluation.evaluate(plan, features.load_extractor(device), UPLOAD_PIXELS)


faces = _lent(model_cache.faces)
face_map = _lent(model_cache.face_map)
walk = _lent(model_cache.walk)
compare = _lent(comparing.compare)
cosines = _lent(comparing.cosines)
evaluate = _lent(_evaluate, seconds=300)
