"""Networks in safetensors files that explain themselves: the architecture and the recipe are in the metadata.

A delta is such a file without the tensors that its network shares with a source; `zoo` puts them back.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import atomic_write
from ganopt.models.networks import Architecture, Network, build_network, parse_architecture

STORAGES = {"float32": torch.float32, "float16": torch.float16, "int8": torch.int8}
SCALES = "::scales"  # behind the name of a tensor of 8-bit integers, the tensor of what they are multiplied by


@dataclass(frozen=True)
class Source:
    """What a delta is the difference to."""

    name: str  # in the zoo
    sha256: str  # of its file
    network: Network  # as loaded from it


def save(
    network: Network,
    path: Path,
    recipe: dict | None = None,
    dtype: torch.dtype = torch.float32,
    source: Source | None = None,
) -> None:
    """Write a network's weights, floating-point ones as `dtype`; with a source, only those that differ from its own.

    torch.int8 stores each convolution's weights as 8-bit integers, a scale for each channel of their first axis, and
    the rest as float16.
    A source must be of the same architecture. Raises UserError where the file cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {"format": "ganopt", "architecture": str(network.architecture), "recipe": json.dumps(recipe or {})}
    if source is not None:
        shared = source.network.state_dict()
        tensors = {name: tensor for name, tensor in tensors.items() if not _same_bits(tensor, shared[name])}
        metadata |= {"source": source.name, "source_sha256": source.sha256}
    with atomic_write(path) as temporary:
        save_file(_compact(tensors, dtype), temporary, metadata)


def read(path: Path, label: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of one of our files. Raises UserError, which calls it `label`, for anything else."""
    label = label or str(path)
    with _open(path, label) as file:
        return _restored({name: file.get_tensor(name) for name in file.keys()}, label), file.metadata()  # noqa: SIM118


def read_metadata(path: Path, label: str = "") -> dict[str, str]:
    """The metadata alone, without reading the tensors. Raises UserError as `read` does."""
    with _open(path, label or str(path)) as file:
        return file.metadata()


def read_architecture(metadata: dict[str, str], label: str) -> Architecture:
    """What network the metadata of a file tell of. Raises UserError if they name none."""
    try:
        return parse_architecture(metadata.get("architecture", ""))
    except UserError as error:
        raise UserError(f"{label} does not say which network it holds; fetch or save it again.") from error


def read_recipe(metadata: dict[str, str], label: str) -> dict[str, Any]:
    """What the metadata of a file tell of the recipe, if anything. Raises UserError if it cannot be read."""
    try:
        recipe = json.loads(metadata.get("recipe") or "{}")
        if not isinstance(recipe, dict):
            raise TypeError("no object")
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{label} is damaged: its recipe cannot be read; fetch or save it again.") from error
    return recipe


def images_seen(folder: Path) -> int | None:
    """How many real pictures the run in a folder had seen at its last save; None where that is not recorded."""
    try:
        with safe_open(folder / "state.safetensors", framework="pt") as file:
            return int(json.loads(file.metadata()["counters"])["images"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def load(path: Path) -> Network:
    """The network in a file, float32, on the CPU, in evaluation mode. Raises UserError if there is none, or a delta."""
    tensors, metadata = read(path)
    if source := metadata.get("source"):
        raise UserError(f"{path} holds only the difference to {source}; load it through ganopt.zoo.")
    return build(tensors, metadata, path)


def build(tensors: dict[str, Tensor], metadata: dict[str, str], label: str | Path) -> Network:
    """The network that these tensors are the weights of. Raises UserError, which names the file `label`, if none is."""
    architecture = read_architecture(metadata, str(label))
    with torch.device("meta"):
        network = build_network(architecture)
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    try:
        if any(tensors[key].dtype != value.dtype for key, value in network.state_dict().items()):
            raise TypeError("a tensor of another type of number")
        network.load_state_dict(tensors, assign=True)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{label} does not hold the weights of a {architecture}; fetch or save it again.") from error
    return network.requires_grad_(True).eval()


def _compact(tensors: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors as they are stored; whole numbers stay what they are."""
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if dtype == torch.int8 and tensor.ndim == 4:
            scales = tensor.float().abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12) / 127
            stored |= {name: (tensor / scales).round().to(torch.int8), name + SCALES: scales}
        elif tensor.is_floating_point():
            stored[name] = tensor.to(torch.float16 if dtype == torch.int8 else dtype)
        else:
            stored[name] = tensor
    return stored


def _restored(stored: dict[str, Tensor], label: str) -> dict[str, Tensor]:
    """What `_compact` was given, to rounding. Raises UserError where scales fit no tensor."""
    tensors = {name: tensor for name, tensor in stored.items() if not name.endswith(SCALES)}
    for name in set(stored) - set(tensors):
        scales, tensor = stored[name], tensors.get(name.removesuffix(SCALES))
        if tensor is None or scales.shape != (*tensor.shape[:1], 1, 1, 1) or tensor.ndim != 4:
            raise UserError(f"{label} is damaged: {name} fits no tensor; fetch or save it again.")
        tensors[name.removesuffix(SCALES)] = tensor * scales
    return tensors


@contextlib.contextmanager
def _open(path: Path, label: str) -> Iterator[safe_open]:
    if not os.path.isfile(path):  # noqa: PTH113 - no error of its own for a name that no file can have
        raise UserError(f"There is no file {label}; check the name.")
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("format") != "ganopt":
                raise UserError(f"{label} was not written by ganopt; take a model that it saved.")
            yield file
    except (SafetensorError, OSError) as error:
        raise UserError(f"{label} is damaged or no safetensors file; fetch or save it again.") from error


def _same_bits(first: Tensor, second: Tensor) -> bool:
    """Equal to the last bit: 0 is not -0, and the same NaN is."""
    if first.dtype == second.dtype == torch.float32:
        first, second = first.view(torch.int32), second.view(torch.int32)
    return torch.equal(first, second)
