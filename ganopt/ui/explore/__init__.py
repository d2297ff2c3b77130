"""Exploring the latent space around a face: a face of its own, its map, walks, and the face of a photograph."""

from ganopt.ui.explore.find import build_find  # noqa: F401 - for the tab
from ganopt.ui.explore.panel import MAX_SCALE, MIN_SCALE, build_explore  # noqa: F401
