"""The weights of FID's Inception network: the shipped copy, a file of pytorch-fid, or its download."""

import contextlib
import os
import pickle
import sys
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import atomic_write, read_tensors
from ganopt.models.checkpoint_files import checkpoint, checkpoints

SHIPPED = "inception.safetensors"  # in checkpoints/
EPSILON = 0.001  # of its BatchNorm
CLASSES = 1008  # of its last layer, which FID does not use; torchvision's Inception has 1000

UNREADABLE = (
    *(SafetensorError, pickle.UnpicklingError, OSError, EOFError, RuntimeError),
    *(LookupError, AttributeError, TypeError, ValueError),
)
UNREACHABLE = (URLError, ConnectionError, TimeoutError, HTTPException, RuntimeError)  # RuntimeError: a wrong hash


def shipped() -> Path:
    """The path of the shipped copy, which may not exist."""
    return checkpoints() / SHIPPED


def locate(source: str) -> Path:
    """The file of a source, downloaded if needed. Raises UserError if there is none."""
    if not source:
        with contextlib.suppress(UserError):  # nor on the Hub
            if (path := checkpoint(SHIPPED)).exists():
                return path
    if source in ("", "official"):
        return _download()
    if not os.path.isfile(source):  # unlike Path.is_file, never raises
        raise UserError(f"There is no file {source} with the weights of Inception; check the name.")
    return Path(source)


def read(path: Path) -> dict[str, Tensor]:
    """Folded weights, float32. Raises one of UNREADABLE for any other file."""
    if path.suffix == ".safetensors":
        return {name: value.float() for name, value in read_tensors(path).items()}
    return fold(torch.load(path, map_location="cpu", weights_only=True))


def _download() -> Path:
    """The file of pytorch-fid, from torch's cache or downloaded into it."""
    from pytorch_fid.inception import FID_WEIGHTS_URL  # imports torchvision, which takes seconds

    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(FID_WEIGHTS_URL).name
    if not path.exists():
        print(f"Downloading the Inception network of FID (95 MB) to {path}.", file=sys.stderr)
        with atomic_write(path) as temporary:
            try:
                digest = path.stem.rpartition("-")[2]  # the first digits, as in the names of torch's files
                torch.hub.download_url_to_file(FID_WEIGHTS_URL, str(temporary), hash_prefix=digest)
            except UNREACHABLE as error:
                raise UserError(
                    "The Inception network of FID cannot be downloaded; check the network, or pass its file with "
                    "--inception."
                ) from error
    return path


def fold(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights for `Inception` from pytorch-fid's state dict, with each BatchNorm folded into its convolution.

    The first convolution, which has no padding, takes bytes instead of numbers in [-1, 1]. Raises KeyError if a
    tensor is missing, ValueError for torchvision's Inception, whose tensors have the same names.
    """
    if len(state["fc.bias"]) != CLASSES:
        raise ValueError(f"{len(state['fc.bias'])} classes")
    weights: dict[str, Tensor] = {}
    for name in [key.removesuffix(".conv.weight") for key in state if key.endswith(".conv.weight")]:
        weight, gain, shift, mean, variance = (
            state[f"{name}.{part}"].double()
            for part in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
        )
        scale = gain / (variance + EPSILON).sqrt()
        weight, bias = weight * scale[:, None, None, None], shift - mean * scale
        if name == "Conv2d_1a_3x3":  # x = byte * 2 / 255 - 1
            weight, bias = weight * 2 / 255, bias - weight.sum(dim=(1, 2, 3))
        weights |= {f"{name}.weight": weight.float(), f"{name}.bias": bias.float()}
    return weights
