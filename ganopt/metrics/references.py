"""The references that come with the project: features of held-out photographs, and of others for the floor."""

import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import open_tensors, sha256
from ganopt.metrics.fid import fit
from ganopt.metrics.samples import Sample
from ganopt.models.checkpoint_files import checkpoint, checkpoints, on_hub


def load(name: str, precision: str = "float32") -> tuple[Sample, Sample]:
    """A shipped reference as Inception sees it, and other real pictures of the same kind, for the floor.

    Raises UserError if there is none with that name or in that precision.
    """
    if name not in names():
        offered = ", ".join((*names(), "a folder, a zip or an .npz file"))
        raise UserError(f"Unknown reference '{name[:60]}'; use {offered}.")
    tensors, digest = _read(name)
    if precision != "float32":  # other features of the same pictures; what needs no network is shared
        path = checkpoint(file_name(name, precision))
        if not path.exists():
            raise UserError(f"The reference {name} was not measured in {precision}; use --precision float32.")
        rows, digest = _open(path)
        tensors = {**tensors, **rows}
    return _sample(name, digest, tensors, "reference"), _sample(name, digest, tensors, "others")


def swd_floor(name: str, count: int) -> tuple[float, ...] | None:
    """The sliced Wasserstein distance x 1000, at each level, of `count` other real pictures to a shipped reference.

    They are those that `image_folder.drawn` chooses with seed 0; between the counts that were measured, the distance is
    interpolated over 1 / sqrt(count), where it is almost straight. None if the file has none, as before version 0.3.
    """
    floors = _read(name)[0].get("floors")
    if floors is None or count < floors[0, 0]:
        return None
    counts, *levels = floors.flip(0).double().numpy().T
    return tuple(float(np.interp(count**-0.5, counts**-0.5, level)) for level in levels)


def _read(name: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of a reference, and the hash of its file, or of an earlier one with the same features."""
    return _open(checkpoint(file_name(name)))


def _open(path: Path) -> tuple[dict[str, Tensor], str]:
    try:
        with open_tensors(path) as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}
            earlier = (file.metadata() or {}).get("same_features_as", "")
        if not {"reference", "others"} <= tensors.keys():
            raise KeyError("features")
        return tensors, earlier or sha256(path)[:32]
    except (SafetensorError, OSError, KeyError) as error:
        raise UserError(f"{path} is damaged; restore it from the project's repository.") from error


def file_name(name: str, precision: str = "float32") -> str:
    """The file of a reference in `checkpoints/`."""
    return f"{'' if precision == 'float32' else f'{precision}-'}reference-{name}.safetensors"


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
    return Sample(name, digest, len(rows), rows, fit(rows), tensors.get(f"{part}-bins"), shipped=True)
