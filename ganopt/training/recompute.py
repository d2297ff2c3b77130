"""Gradient checkpointing of a critic: activations are recomputed in the backward pass instead of being stored.

`torch.utils.checkpoint` gives the same gradients, but imports torch's compiler: on two CPU cores its first call takes
0.99 s instead of 0.13 s and 150 MB more, later ones as long (`tests/bench/torch_parts.py`, torch 2.14). Checked with
torch 2.8 to 2.14.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from ganopt.models.networks import Critic


class Recomputed(torch.autograd.Function):
    """`Recomputed.apply(pictures, critic, autocast)`: (N, 3, side, side) -> (N, K), for gradients to the pictures."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, critic: Critic, autocast: Callable[[], AbstractContextManager]) -> Tensor:
        ctx.save_for_backward(pictures)
        ctx.critic, ctx.autocast = critic, autocast
        return critic.scores(pictures)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        pictures = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            with ctx.autocast():
                scores = ctx.critic.scores(pictures)
            return *torch.autograd.grad((scores * gradient).sum(), pictures), None, None
