"""Growing a generator: a deeper one that draws the same pictures (Net2Net, Chen et al. 2016)."""

import dataclasses

import torch

from ganopt.errors import UserError
from ganopt.models.networks import Architecture, Generator, build_network

GROWN = {"big": "big-res", "kd": "kd-res"}  # the kinds that can be grown, and what they become
PARTS = {"0": "convolution", "1": "norm"}  # names of the layers of a plain stage in a residual one


def deeper(architecture: Architecture) -> Architecture:
    """The architecture of `grown`. Raises UserError if this one cannot be grown."""
    if architecture.kind not in GROWN:
        raise UserError(f"{architecture} cannot be grown; use {' or '.join(GROWN)}.")
    return dataclasses.replace(architecture, kind=GROWN[architecture.kind])


def grown(plain: Generator, seed: int = 0) -> Generator:
    """A generator with residual blocks and modulation, on the CPU, that draws the same pictures.

    `seed` is that of the blocks' first convolutions; what adds to the pictures is zero. Raises UserError as `deeper`
    does.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_network(deeper(plain.architecture))
    assert isinstance(generator, Generator)
    weights = generator.state_dict() | {_grown_name(name): tensor for name, tensor in plain.state_dict().items()}
    generator.load_state_dict(weights)
    return generator.train(plain.training)


def _grown_name(name: str) -> str:
    """`layers.2.0.weight` -> `layers.2.convolution.weight`; the first stage stays as it is."""
    layers, stage, part, rest = name.split(".")
    return name if stage == "0" else f"{layers}.{stage}.{PARTS[part]}.{rest}"
