"""Latents: those of seeds, points between them, walks, and the latent that is found for a photograph."""

from ganopt.models.latents.faces import (  # noqa: F401 - for other packages
    FIXED_SEEDS,
    MAX_SEED,
    Face,
    face_at,
    file_stem,
    format_seeds,
    interpolate,
    label,
    latent,
    latents,
    map_latent,
    map_position,
    parse_faces,
    parse_seeds,
    point_of,
    say_repeats,
    slerp,
)
from ganopt.models.latents.points import Point, encode_latent  # noqa: F401
