"""Digits as tensors: those of a user's file or folder, and sheets of them."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganopt.data import image_folder
from ganopt.errors import UserError
from ganopt.lab.digits.networks import CLASSES, SIDE
from ganopt.viz.drawings import Panel, Pixels

MIN_DIGITS = 16


def read_digits(path: str) -> tuple[Tensor, Tensor | None]:
    """Digits, white on black, as float32 (N, 1, 28, 28) in [-1, 1], and their labels int64 (N,), None if unknown.

    An `.npz` file has `images`, uint8 (N, 28, 28), and perhaps `labels`. A folder has pictures, which are resized;
    their labels are the names of the folders that they are in, if all are from 0 to 9. Raises UserError for others.
    """
    pictures, labels = _read_folder(Path(path)) if Path(path).is_dir() else _read_file(Path(path))
    if len(pictures) < MIN_DIGITS:
        raise UserError(f"{path} contains {len(pictures)} digits; at least {MIN_DIGITS} are needed.")
    return torch.from_numpy(pictures).float()[:, None] / 127.5 - 1, labels


def sheet(pictures: Tensor, columns: int = 4) -> np.ndarray:
    """Pictures (N, 1, 28, 28) in [-1, 1] side by side, shown as 127.5 x + 127.5: uint8 (H, W, 3)."""
    rows = -(-len(pictures) // columns)
    empty = -torch.ones(rows * columns - len(pictures), 1, SIDE, SIDE)
    grid = torch.cat((pictures.float(), empty)).reshape(rows, columns, SIDE, SIDE).transpose(1, 2)
    grey = (grid.reshape(rows * SIDE, columns * SIDE) * 127.5 + 127.5).round().clamp(0, 255).byte()
    return grey[..., None].expand(-1, -1, 3).numpy()


def sheet_panel(title: str, pictures: Tensor, columns: int = 4, scale: int = 2) -> Panel:
    """A panel with a sheet, each pixel `scale` times as large."""
    drawn = sheet(pictures, columns).repeat(scale, 0).repeat(scale, 1)
    height, width = drawn.shape[:2]
    return Panel(title, (0, 1, 0, 1), [Pixels(drawn)], (width, height))


def _read_folder(folder: Path) -> tuple[np.ndarray, Tensor | None]:
    found = image_folder.load(folder, SIDE, minimum=MIN_DIGITS)
    names = [Path(folder.name, name).parent.name for name in found.files]
    known = {str(digit): digit for digit in range(CLASSES)}
    labels = torch.tensor([known[name] for name in names]) if set(names) <= set(known) else None
    return found.pictures.mean(1), labels


def _read_file(path: Path) -> tuple[np.ndarray, Tensor | None]:
    try:
        with np.load(path) as file:
            pictures, labels = file["images"], file.get("labels")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is no folder and no .npz file of digits; give one with an array 'images', uint8 (N, 28, 28)."
        ) from error
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE):
        raise UserError(f"The images of {path} are {pictures.dtype} {pictures.shape}; they must be uint8 (N, 28, 28).")
    if labels is None:
        return pictures, None
    if labels.shape != pictures.shape[:1] or not set(np.unique(labels).tolist()) <= set(range(CLASSES)):
        raise UserError(f"The labels of {path} do not fit; there must be one from 0 to 9 for each image, or none.")
    return pictures, torch.from_numpy(labels.astype(np.int64))
