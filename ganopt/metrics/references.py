"""The references that come with the project: features of held-out photographs, and of others for the floor."""

import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import sha256
from ganopt.metrics.fid import fit
from ganopt.metrics.samples import Sample
from ganopt.models.checkpoint_files import checkpoint, checkpoints, on_hub


def load(name: str) -> tuple[Sample, Sample]:
    """A shipped reference, and other real pictures of the same kind, for the floor.

    Raises UserError if there is none with that name.
    """
    if name not in names():
        offered = ", ".join((*names(), "a folder, a zip or an .npz file"))
        raise UserError(f"Unknown reference '{name[:60]}'; use {offered}.")
    path = checkpoint(f"reference-{name}.safetensors")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
            digest = sha256(path)[:32]
            return _sample(name, digest, tensors, "reference"), _sample(name, digest, tensors, "others")
    except (SafetensorError, OSError, KeyError) as error:
        raise UserError(f"{path} is damaged; restore it from the project's repository.") from error


def names() -> list[str]:
    """The names of the shipped references."""
    if on_hub():
        return ["cats", "dogs"]
    return sorted(path.stem.removeprefix("reference-") for path in checkpoints().glob("reference-*.safetensors"))


def resolve(text: str) -> str | Path:
    """What a user means by a reference: a path if it exists, else a name."""
    return Path(text) if os.path.exists(text) else text


def ambiguity(reference: str | Path) -> str:
    """A sentence that says which was taken of a shipped reference and a path with the same name; else empty."""
    if str(reference) not in names() or not os.path.exists(reference):
        return ""
    taken = "path" if isinstance(reference, Path) else "shipped reference"
    return f"{reference} is both a path and a shipped reference; the {taken} is used."


def _sample(name: str, digest: str, tensors: dict[str, Tensor], part: str) -> Sample:
    rows = tensors[part]
    return Sample(name, digest, len(rows), rows, fit(rows), tensors.get(f"{part}-patches"), shipped=True)
