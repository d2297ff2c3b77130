"""Recipes: all settings of a training run, as frozen dataclasses that validate themselves."""

from ganopt.training.recipes.critics import CriticSettings
from ganopt.training.recipes.recipe import Recipe, falling_rate
from ganopt.training.recipes.settings import setting

__all__ = ["CriticSettings", "Recipe", "falling_rate", "setting"]
