"""Generators and critics: base classes, registry and built-in kinds."""

from ganopt.models.networks import (  # noqa: F401 - importing them registers their kinds
    dcgan,
    excitation,
    projected,
    residual,
    subpixel,
)
from ganopt.models.networks.base import LATENT_SIZE, Critic, Generator, Network
from ganopt.models.networks.registry import (
    KINDS,
    SIDES,
    Architecture,
    Role,
    build_critic,
    build_generator,
    build_network,
    can_inherit,
    count_parameters,
    kinds,
    parameters_of,
    parse_architecture,
    register,
)

__all__ = [
    "KINDS",
    "LATENT_SIZE",
    "SIDES",
    "Architecture",
    "Critic",
    "Generator",
    "Network",
    "Role",
    "build_critic",
    "build_generator",
    "build_network",
    "can_inherit",
    "count_parameters",
    "kinds",
    "parameters_of",
    "parse_architecture",
    "register",
]
