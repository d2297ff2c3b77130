"""Generators and critics: base classes, registry and built-in kinds."""

from ganopt.models.networks import (  # noqa: F401 - importing them registers their kinds
    dcgan,
    excitation,
    projected,
    residual,
    subpixel,
)
from ganopt.models.networks.base import LATENT_SIZE, Critic, Generator, Network  # noqa: F401 - for other packages
from ganopt.models.networks.building import (  # noqa: F401
    build_critic,
    build_generator,
    build_network,
    count_parameters,
    parameters_of,
)
from ganopt.models.networks.registry import (  # noqa: F401
    KINDS,
    Architecture,
    Role,
    can_inherit,
    kinds,
    parse_architecture,
    register,
)
