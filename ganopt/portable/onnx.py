"""A model in the format ONNX, for other programs. Needs the package `onnx`."""

import importlib.util
import warnings
from pathlib import Path

import torch

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.models.networks import LATENT_SIZE, Generator

OPERATORS = 17  # the version of ONNX's operators


def check_installed() -> None:
    """Raise UserError if the package `onnx` is not installed."""
    if importlib.util.find_spec("onnx") is None:
        raise UserError("Writing ONNX needs a package that is not installed; run pip install onnx onnxruntime.")


def save_onnx(generator: Generator, path: Path) -> None:
    """Write a generator, optimised for inference: `latents` (N, 100, 1, 1) -> `pictures` (N, 3, side, side) in [-1, 1].

    Raises UserError as `check_installed` does, and if the file cannot be written.
    """
    check_installed()
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is called an old one
        torch.onnx.export(
            generator.folded(),
            (torch.zeros(1, LATENT_SIZE, 1, 1),),
            temporary,
            input_names=["latents"],
            output_names=["pictures"],
            dynamic_axes={"latents": {0: "N"}, "pictures": {0: "N"}},
            opset_version=OPERATORS,
            dynamo=False,
        )
