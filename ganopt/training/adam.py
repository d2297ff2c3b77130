"""Torch's Adam without the wrappers that let it be compiled, which nothing here does.

At the first call they import torch's compiler: that is half of the time in which a run starts, and 150 MB. It relies on
`functools.wraps`, by which `inspect.unwrap` finds the methods; checked with torch 2.8 to 2.15.
"""

from inspect import unwrap

import torch
from torch.optim import Adam


class LeanAdam(Adam):
    """Adam, step for step."""

    step = torch.no_grad()(unwrap(Adam.step))
    add_param_group, zero_grad = unwrap(Adam.add_param_group), unwrap(Adam.zero_grad)
    state_dict, load_state_dict = unwrap(Adam.state_dict), unwrap(Adam.load_state_dict)
