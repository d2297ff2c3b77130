"""Initialising a student with channels of its teacher."""

from typing import Any

import torch
from torch import Tensor, nn

from ganopt.errors import UserError
from ganopt.models.networks import Generator, can_inherit
from ganopt.models.networks.dcgan import copy_stage


@torch.no_grad()
def inherit_channels(student: Generator, teacher: Generator) -> None:
    """Copy the teacher's most important channels into a student, stage by stage.

    The importance of a channel is the norm of the next stage's weights for it, times the scale of its BatchNorm
    (after Li et al. 2017). A student as wide as its teacher becomes a copy of it. Raises UserError if `can_inherit`
    is false.
    """
    ours, theirs = student.architecture, teacher.architecture
    if not can_inherit(ours, theirs):
        raise UserError(f"A {ours} cannot start from the channels of a {theirs}; use a narrower one of the same kind.")
    pairs: Any = list(zip(student.stages, teacher.stages, strict=True))
    read = torch.arange(pairs[0][1][0].in_channels)  # the channels kept in the previous stage: at first, all of z
    for index, (to, source) in enumerate(pairs):
        width = to[0].out_channels
        last = index == len(pairs) - 1
        kept = torch.arange(width) if last else _most_important(source[1], pairs[index + 1][1][0], width)
        copy_stage(to, source, source[0].weight[read], kept)
        read = kept


def _most_important(norm: nn.BatchNorm2d, following: nn.ConvTranspose2d, count: int) -> Tensor:
    """The indices of the `count` most important channels of a stage, in ascending order."""
    importance = norm.weight.abs() * following.weight.flatten(1).norm(dim=1)
    return importance.topk(count).indices.sort().values
