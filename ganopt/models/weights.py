"""Saving networks to safetensors files, with the architecture and the recipe in the metadata.

A delta is a file without the tensors that its network shares with a source; `zoo` restores them.
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
from ganopt.files import atomic_write, open_tensors, to_json
from ganopt.models.networks import Architecture, Network, build_network, parse_architecture

STORAGES = {"float32": torch.float32, "float16": torch.float16, "int8": torch.int8}
SCALES = "::scales"  # suffix of the tensor with the scales of a tensor of 8-bit integers


@dataclass(frozen=True)
class Source:
    """The source of a delta."""

    name: str  # in the zoo
    sha256: str  # of its file
    network: Network  # loaded from that file


def save(
    network: Network,
    path: Path,
    recipe: dict | None = None,
    dtype: torch.dtype = torch.float32,
    source: Source | None = None,
) -> None:
    """Write a network's weights, floating-point ones as `dtype`; with a source, only those that differ from it.

    torch.int8 stores the weights of convolutions as 8-bit integers, with a scale for each channel of the first axis,
    and all else as float16. A source must have the same architecture. Raises UserError if the file cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {"architecture": str(network.architecture), "recipe": to_json(recipe or {})}
    if source is not None:
        shared = source.network.state_dict()
        tensors = {name: tensor for name, tensor in tensors.items() if not _same_bits(tensor, shared[name])}
        metadata |= {"source": source.name, "source_sha256": source.sha256}
    write(tensors, path, metadata, dtype)


def write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str], dtype: torch.dtype) -> None:
    """Write tensors as `save` does, for networks without a name. Raises UserError if the file cannot be written."""
    with atomic_write(path) as temporary:
        save_file(_compact(tensors, dtype), temporary, {"format": "ganopt"} | metadata)


def read(path: Path, label: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and metadata of a file of ours. Raises UserError for any other file, named `label` in the message."""
    label = label or str(path)
    with _open(path, label) as file:
        return _restored({name: file.get_tensor(name) for name in file.keys()}, label), file.metadata()  # noqa: SIM118


def read_metadata(path: Path, label: str = "") -> dict[str, str]:
    """The metadata, without reading the tensors. Raises UserError as `read` does."""
    with _open(path, label or str(path)) as file:
        return file.metadata()


def storage(path: Path) -> str:
    """How a file stores the weights, a name in STORAGES. Raises UserError as `read` does."""
    with _open(path, str(path)) as file:
        names = list(file.keys())
        if any(name.endswith(SCALES) for name in names):
            return "int8"
        kinds = {file.get_slice(name).get_dtype() for name in names}
    return "float32" if "F32" in kinds else "float16"


def read_architecture(metadata: dict[str, str], label: str) -> Architecture:
    """The architecture in the metadata of a file. Raises UserError if there is none."""
    try:
        return parse_architecture(metadata.get("architecture", ""))
    except UserError as error:
        raise UserError(f"{label} does not say which network it contains; fetch or save it again.") from error


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
        with open_tensors(folder / "state.safetensors") as file:
            return int(json.loads(file.metadata()["counters"])["images"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def load(path: Path) -> Network:
    """The network in a file, float32, on the CPU, in evaluation mode. Raises UserError for a delta or another file."""
    tensors, metadata = read(path)
    if source := metadata.get("source"):
        raise UserError(f"{path} contains only the difference to {source}; load it with ganopt.load.")
    return build(tensors, metadata, path)


def build(tensors: dict[str, Tensor], metadata: dict[str, str], label: str | Path) -> Network:
    """The network with these weights.

    Raises UserError, which names the file `label`, if they do not fit or are not finite.
    """
    architecture = read_architecture(metadata, str(label))
    with torch.device("meta"):
        network = build_network(architecture)
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    try:
        if any(tensors[key].dtype != value.dtype for key, value in network.state_dict().items()):
            raise TypeError("a tensor has another dtype")
        network.load_state_dict(tensors, assign=True)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{label} does not contain the weights of a {architecture}; fetch or save it again.") from error
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise UserError(f"{label} has weights that are NaN or infinite; train it again or choose another model.")
    return network.requires_grad_(True).eval()


def _compact(tensors: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors as they are stored; integer tensors are not changed."""
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
    """The inverse of `_compact`, up to rounding. Raises UserError if scales do not match a tensor."""
    tensors = {name: tensor for name, tensor in stored.items() if not name.endswith(SCALES)}
    for name in set(stored) - set(tensors):
        scales, tensor = stored[name], tensors.get(name.removesuffix(SCALES))
        if tensor is None or scales.shape != (*tensor.shape[:1], 1, 1, 1) or tensor.ndim != 4:
            raise UserError(f"{label} is damaged: {name} does not match a tensor; fetch or save it again.")
        tensors[name.removesuffix(SCALES)] = tensor * scales
    return tensors


@contextlib.contextmanager
def _open(path: Path, label: str) -> Iterator[safe_open]:
    if not os.path.isfile(path):  # noqa: PTH113 - returns False for an invalid path
        raise UserError(f"There is no file {label}; check the name.")
    try:
        with open_tensors(path) as file:
            if (file.metadata() or {}).get("format") != "ganopt":
                raise UserError(f"{label} was not written by ganopt; use a file that ganopt saved.")
            yield file
    except (SafetensorError, OSError) as error:
        raise UserError(f"{label} is damaged or not a safetensors file; fetch or save it again.") from error


def _same_bits(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are bit-identical: 0 and -0 are not, a NaN and itself are."""
    if first.dtype == second.dtype == torch.float32:
        first, second = first.view(torch.int32), second.view(torch.int32)
    return torch.equal(first, second)
