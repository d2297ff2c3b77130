"""The previews of a run, the faces of six fixed latents, as a film and as a sheet like those of the thesis.

With each preview, real pictures and what the run's critics say of both.
"""

import json
import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganopt.errors import UserError
from ganopt.models.latents import FIXED_SEEDS
from ganopt.training.run_folder import VERDICTS
from ganopt.training.step import Verdicts
from ganopt.viz.sheets import comparison, save_animation

MAX_FRAMES = 60
COLUMNS = 8
SIDE, MAX_SIDE = 128, 1024  # pixels: of the enlarged faces, and the limit for previews
NAME = re.compile("[0-9]{1,12}")  # of a preview without its suffix: the step


def files(folder: Path) -> list[Path]:
    """The preview files of a run, six faces side by side in each, in the order of the steps in their names."""
    return sorted(path for path in (folder / "previews").glob("*.png") if NAME.fullmatch(path.stem))


def previews(folder: Path, most: int) -> tuple[list[int], Tensor]:
    """The steps of a run's previews, and the faces: uint8 (steps, 6, 3, side, side), enlarged to about 128 pixels.

    If there are more than `most`, an evenly spaced selection that includes the last one. Raises UserError if there are
    none, or one is damaged.
    """
    paths = files(folder)
    if not paths:
        raise UserError(f"{folder} contains no previews yet; choose a run that has trained for a while.")
    chosen = np.unique(np.linspace(len(paths) - 1, 0, min(most, len(paths))).round().astype(int))
    pictures = [_enlarge(read_preview(paths[index])) for index in chosen]
    if len({picture.shape for picture in pictures}) > 1:
        raise UserError(
            f"The previews of {folder.name} have different sizes; delete those that do not belong to the run."
        )
    return [int(paths[index].stem) for index in chosen], torch.stack(pictures)


def save_film(folder: Path, path: Path) -> None:
    """Write a run's previews as an animated WebP of six faces in a row. Raises UserError as `previews` does."""
    _, pictures = previews(folder, MAX_FRAMES)
    save_animation(torch.cat(pictures.unbind(1), dim=-1), path, seconds=6.0)


def history(folder: Path, columns: int = COLUMNS) -> Image.Image:
    """A sheet with a row for each latent and up to `columns` steps as columns. Raises UserError as `previews` does."""
    steps, pictures = previews(folder, columns)
    captions = [[f"seed {seed}" for seed in FIXED_SEEDS]] + [[""] * len(FIXED_SEEDS)] * (len(steps) - 1)
    return comparison(pictures, [[f"step {step}"] for step in steps], captions, scale=1)


def read_preview(path: Path) -> Tensor:
    """The six faces of a preview file, uint8 (6, 3, side, side). Raises UserError if it is damaged."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            width, height = image.size
            if width != len(FIXED_SEEDS) * height or height > MAX_SIDE:
                raise ValueError(f"{width} x {height} pixels")
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, zlib.error) as error:
        raise UserError(f"The preview {path.name} is damaged; delete that file.") from error
    return torch.stack(pixels.chunk(len(FIXED_SEEDS), dim=2))


def read_verdicts(preview: Path) -> tuple[Tensor, list[Verdicts]] | None:
    """The real pictures that belong to a preview file, uint8 (N, 3, side, side), and the verdicts on all pictures.

    None for runs of earlier versions, runs without a critic, and damaged files.
    """
    try:
        with Image.open(preview.parents[1] / VERDICTS / preview.name, formats=["PNG"]) as image:
            width, side = image.size
            if side > MAX_SIDE or width > len(FIXED_SEEDS) * side or width % side:
                raise ValueError(f"{width} x {side} pixels")
            found = [Verdicts(**each) for each in json.loads(image.info[VERDICTS])]
            real = torch.stack(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).split(side, dim=2))
        is_whole = all(_fit(each, len(real)) for each in found)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, SyntaxError, EOFError, zlib.error):
        return None
    return (real, found) if found and is_whole else None


def _fit(verdicts: Verdicts, real: int) -> bool:
    """Whether there is a finite number for each of the generated and real pictures."""
    counts = (len(verdicts.generated), len(verdicts.real)) == (len(FIXED_SEEDS), real)
    return counts and all(math.isfinite(value) for value in (*verdicts.generated, *verdicts.real))


def _enlarge(faces: Tensor) -> Tensor:
    """Enlarge small faces to about SIDE pixels by repeating pixels."""
    factor = max(SIDE // faces.shape[-1], 1)
    return faces.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
