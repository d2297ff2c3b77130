"""A run's six fixed latents through time: as a film, and as the thesis shows them, a row a latent."""

import re
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models.latents import FIXED_SEEDS
from ganopt.viz.sheets import comparison, save_animation

MOST_FRAMES = 60
COLUMNS = 8
LARGE, LARGEST = 128, 1024  # pixels
NAME = re.compile("[0-9]{1,12}")  # of a preview: its step


def files(folder: Path) -> list[Path]:
    """A run's previews, the six fixed latents side by side, in the order of its steps, which are their names."""
    return sorted(path for path in (folder / "previews").glob("*.png") if NAME.fullmatch(path.stem))


def previews(folder: Path, most: int) -> tuple[list[int], Tensor]:
    """Steps at which a run has drawn its fixed latents, and what it drew: uint8 (steps, 6, 3, side, side), side 128.

    Of more than `most`, some evenly apart, the last among them. Raises UserError where there is none, or a damaged one.
    """
    paths = files(folder)
    if not paths:
        raise UserError(f"{folder} holds no previews yet; give a run that has trained for a while.")
    chosen = np.unique(np.linspace(len(paths) - 1, 0, min(most, len(paths))).round().astype(int))
    pictures = [_grown(read_preview(paths[index])) for index in chosen]
    if len({picture.shape for picture in pictures}) > 1:
        raise UserError(f"The previews of {folder.name} differ in size; delete those that are not its own.")
    return [int(paths[index].stem) for index in chosen], torch.stack(pictures)


def save_film(folder: Path, path: Path) -> None:
    """A run's previews as an animated WebP of six faces in a row. Raises UserError as `previews` does."""
    _, pictures = previews(folder, MOST_FRAMES)
    save_animation(torch.cat(pictures.unbind(1), dim=-1), path, seconds=6.0)


def history(folder: Path, columns: int = COLUMNS) -> Image.Image:
    """A row for each of the six latents, a column for each of some steps. Raises UserError as `previews` does."""
    steps, pictures = previews(folder, columns)
    captions = [[f"seed {seed}" for seed in FIXED_SEEDS]] + [[""] * len(FIXED_SEEDS)] * (len(steps) - 1)
    return comparison(pictures, [[f"step {step}"] for step in steps], captions)


def read_preview(path: Path) -> Tensor:
    """A preview as the six faces, side by side in its file: uint8 (6, 3, side, side). Raises UserError if damaged."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            width, height = image.size
            if width != len(FIXED_SEEDS) * height or height > LARGEST:
                raise ValueError(f"{width} x {height} pixels")
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, zlib.error) as error:
        raise UserError(f"The preview {path.name} is damaged; delete that file.") from error
    return torch.stack(pixels.chunk(len(FIXED_SEEDS), dim=2))


def _grown(faces: Tensor) -> Tensor:
    """Small faces grow to LARGE by repeating pixels."""
    factor = max(LARGE // faces.shape[-1], 1)
    return faces.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
