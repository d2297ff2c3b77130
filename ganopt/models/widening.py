"""Widening a generator: a wider one that draws the same pictures (Net2Net, Chen et al. 2016)."""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models.networks import Architecture, Generator, build_network, can_inherit
from ganopt.models.networks.dcgan import copy_stage

UNEVENNESS = 0.4  # most by which the share of a copy, before they are made to add up, differs from the mean share


def wider(architecture: Architecture, factor: int) -> Architecture:
    """The architecture of `widened`. Raises UserError if this one cannot be widened by the factor."""
    if factor == 1:
        return architecture
    divisor, remainder = divmod(architecture.divisor, factor)
    wide = dataclasses.replace(architecture, divisor=divisor)
    if remainder or not can_inherit(architecture, wide):
        raise UserError(f"{architecture} cannot be widened {factor} times; use big or kd, and a factor of its divisor.")
    return wide


@torch.no_grad()
def widened(narrow: Generator, factor: int, seed: int = 0) -> Generator:
    """A generator with all widths multiplied, on the CPU, that draws the same pictures up to rounding.

    Each channel is copied `factor` times, and each weight of the next stage for it is divided among the copies,
    unevenly and at random, so that they become different in training. Raises UserError as `wider` does.
    """
    if factor == 1:
        return narrow
    generator = build_network(wider(narrow.architecture, factor))
    assert isinstance(generator, Generator)
    random = torch.Generator().manual_seed(seed)
    stages: Any = zip(generator.stages, narrow.stages, strict=True)
    last = len(narrow.stages) - 1
    for index, (to, source) in enumerate(stages):
        weight = _divided(source[0].weight, factor, random) if index else source[0].weight
        copies = 1 if index == last else factor  # the last stage has three colours
        copy_stage(to, source, weight, torch.arange(weight.shape[1]).repeat(copies))
    return generator.train(narrow.training)


def _divided(weight: Tensor, copies: int, random: torch.Generator) -> Tensor:
    """The weights for copies of each input, which add up to the weight: (in, ...) -> (copies * in, ...).

    The share of a copy is 0.6 / 1.4 to 1.4 / 0.6 of the mean share.
    """
    shares = 1 + UNEVENNESS * (2 * torch.rand(copies, *weight.shape, generator=random) - 1)
    return (weight * shares / shares.sum(dim=0)).flatten(0, 1)
