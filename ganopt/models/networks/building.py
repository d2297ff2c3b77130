"""New networks from their names, and how many parameters they have."""

import functools

import torch
from torch import nn

from ganopt.models.networks.base import Critic, Generator, Network
from ganopt.models.networks.registry import KINDS, Architecture, parse_architecture


def build_network(architecture: Architecture) -> Network:
    """A new network with random weights."""
    network = KINDS[architecture.kind].build(architecture)
    assert isinstance(network, (Generator, Critic))
    network.architecture = architecture
    return network


def build_generator(name: str) -> Generator:
    """A new generator from its name, with random weights. Raises UserError for an unknown name."""
    generator = build_network(parse_architecture(name, "generator"))
    assert isinstance(generator, Generator)
    return generator


def build_critic(name: str) -> Critic:
    """A new critic from its name, with random weights. Raises UserError for an unknown name."""
    critic = build_network(parse_architecture(name, "critic"))
    assert isinstance(critic, Critic)
    return critic


@functools.cache
def parameters_of(name: str) -> int:
    """The number of parameters of a generator with this name."""
    with torch.device("meta"):
        return count_parameters(build_generator(name))


def count_parameters(network: nn.Module) -> int:
    """The number of parameters of a network, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())
