"""Torch's Adam without the wrappers for torch.compile, which this project does not use.

At the first call they import torch's compiler. Without it, the first update of a run takes 0.003 s instead of 0.91 s,
and 150 MB less (`tests/bench/torch_parts.py`, one CPU core, torch 2.14). `inspect.unwrap` finds the methods because the
wrappers use `functools.wraps`. Checked with torch 2.8 to 2.14.
"""

from inspect import unwrap

import torch
from torch.optim import Adam


class LeanAdam(Adam):
    """Adam with the same updates as torch's."""

    step = torch.no_grad()(unwrap(Adam.step))
    add_param_group, zero_grad = unwrap(Adam.add_param_group), unwrap(Adam.zero_grad)
    state_dict, load_state_dict = unwrap(Adam.state_dict), unwrap(Adam.load_state_dict)
