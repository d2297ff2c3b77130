"""Torch's Adam without the wrappers for torch.compile, which this project does not use.

At the first call they import torch's compiler, which takes half of a run's start-up time and 150 MB. `inspect.unwrap`
finds the methods because the wrappers use `functools.wraps`. Checked with torch 2.8 to 2.15.
"""

from inspect import unwrap

import torch
from torch.optim import Adam


class LeanAdam(Adam):
    """Adam with the same updates as torch's."""

    step = torch.no_grad()(unwrap(Adam.step))
    add_param_group, zero_grad = unwrap(Adam.add_param_group), unwrap(Adam.zero_grad)
    state_dict, load_state_dict = unwrap(Adam.state_dict), unwrap(Adam.load_state_dict)
