"""Random initial weights."""

from collections.abc import Callable

from torch import nn


def initialise(network: nn.Module, init: Callable[[nn.Module], None]) -> None:
    """Apply `init` to each module, but not on the meta device: there `normal_` imports torch's compiler (slow)."""
    if not any(parameter.is_meta for parameter in network.parameters()):
        network.apply(init)


def normal_init(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for the scales of normalisation layers (Radford et al. 2016)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
        nn.init.normal_(module.weight, 1.0, 0.02)


def he_init(module: nn.Module) -> None:
    """Preserves variance through LeakyReLU(0.2) (He et al. 2015); a critic without normalisation needs it."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
