"""A student that starts from its teacher's channels."""

from typing import Any

import torch
from torch import Tensor, nn

from ganopt.errors import UserError
from ganopt.models.networks import Generator, can_inherit


@torch.no_grad()
def inherit_channels(student: Generator, teacher: Generator) -> None:
    """Fill a student with the teacher's most used channels, stage by stage.

    A channel's use is the norm of the weights that read it in the next stage, times the scale of its BatchNorm: how
    much of what follows moves with it (after Li et al. 2017). A student as wide as its teacher becomes its copy.
    Raises UserError unless `can_inherit` says that it may.
    """
    ours, theirs = student.architecture, teacher.architecture
    if not can_inherit(ours, theirs):
        raise UserError(f"A {ours} cannot start from the channels of a {theirs}; take a thinner one of the same kind.")
    stages: Any = teacher.stages
    to: Any
    read = torch.arange(stages[0][0].in_channels)  # the channels kept of the stage before: at first, all of z
    for index, (to, source) in enumerate(zip(student.stages, stages, strict=True)):
        last = index == len(stages) - 1
        width = to[0].out_channels
        kept = torch.arange(width) if last else _most_used(source[1], stages[index + 1][0], width)
        to[0].weight.copy_(source[0].weight[read][:, kept])
        to[0].bias.copy_(source[0].bias[kept])
        if not last:
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(to[1], name).copy_(getattr(source[1], name)[kept])
        read = kept


def _most_used(norm: nn.BatchNorm2d, following: nn.ConvTranspose2d, count: int) -> Tensor:
    """The `count` channels of a stage that the following one uses most, in their order."""
    use = norm.weight.abs() * following.weight.flatten(1).norm(dim=1)
    return use.topk(count).indices.sort().values
