"""Compact GANs for animal faces: load a model, draw faces from seeds, train one.

The functions for scripts can be imported from here. Their modules are loaded at first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

if TYPE_CHECKING:
    from ganopt.models.latents import latents
    from ganopt.models.sampling import draw, to_image
    from ganopt.models.zoo import load
    from ganopt.training.loop import resume, train
    from ganopt.training.methods import recipe
    from ganopt.training.recipes import CriticSettings

_MODULES = {
    "ganopt.models.latents": ("latents",),
    "ganopt.models.sampling": ("draw", "to_image"),
    "ganopt.models.zoo": ("load",),
    "ganopt.training.loop": ("train", "resume"),
    "ganopt.training.methods": ("recipe",),
    "ganopt.training.recipes": ("CriticSettings",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = ["CriticSettings", "draw", "latents", "load", "recipe", "resume", "to_image", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganopt' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
