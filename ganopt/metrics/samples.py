"""A set of pictures as it is measured: its features, or only their mean and covariance, as in pytorch-fid's files."""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from ganopt.data import isolated
from ganopt.files import atomic_write, open_tensors, sha256
from ganopt.metrics.fid import Gaussian, fit, from_covariance
from ganopt.metrics.sliced_wasserstein import PICTURES

KEPT = 5000  # rows that a sample keeps, of random pictures; all others count only for mean and covariance


@dataclass(frozen=True)
class Sample:
    """A set of pictures: their features, or only mean and covariance for a file of statistics."""

    name: str
    hash: str  # of the pictures or the model, and of the network
    count: int  # pictures; 0 for a file of statistics, which does not say
    rows: Tensor  # (min(count, KEPT), 2048) float32
    gaussian: Gaussian
    patches: Tensor | None = None  # a summary by `sliced_wasserstein.summarise`
    keys: Tensor | None = None  # of the pictures of rows, by `sliced_wasserstein.content_keys`; None for a model's
    seeds: str = ""  # of a model's faces
    drawn: str = ""  # how many pictures of a folder were drawn, and which files were not read, unless all were
    shipped: bool = False  # with the project, as a reference

    @property
    def ordered(self) -> Tensor:
        """The rows in an order for random choices: of a model that of its seeds, else one that no name changes."""
        return self.rows if self.keys is None else self.rows[self.keys.argsort(stable=True)]

    @property
    def subset(self) -> dict[str, int]:
        """The figures that are not of all pictures, and of how many."""
        found = dict.fromkeys(("kid", "precision", "recall"), len(self.rows)) if len(self.rows) < self.count else {}
        return found | ({"swd": PICTURES} if self.patches is not None and self.count > PICTURES else {})


def from_rows(name: str, rows: Tensor) -> Sample:
    """A sample from features, (n, 2048) float32. Raises UserError for fewer than two rows."""
    digest = hashlib.sha256(rows.contiguous().numpy().data).hexdigest()[:32]
    return Sample(name, digest, len(rows), rows, fit(rows))


def cached(path: Path, name: str, digest: str) -> Sample | None:
    """The sample in a file of the cache; None if there is none, or it is damaged."""
    with contextlib.suppress(SafetensorError, OSError, LookupError, TypeError), open_tensors(path) as file:
        return restored(name, digest, {key: file.get_tensor(key) for key in file.keys()}, file.metadata()["skipped"])
    return None


def restored(name: str, digest: str, tensors: dict[str, Tensor], skipped: str) -> Sample:
    """The sample with these tensors, of which some pictures may have been skipped, with the reason."""
    rows = tensors["rows"]
    gaussian = Gaussian(tensors["mean"], tensors["factor"]) if "mean" in tensors else fit(rows)
    count, patches, keys = int(tensors["count"]), tensors["patches"], tensors["keys"]
    return Sample(name, digest, count, rows, gaussian, patches, keys, drawn=skipped)


def read_statistics(path: Path) -> Sample:
    """Mean and covariance from an .npz file of pytorch-fid. Raises UserError for another file."""
    gaussian = from_covariance(*map(torch.from_numpy, isolated.statistics(path)))
    return Sample(path.name, sha256(path)[:32], 0, torch.empty(0, len(gaussian.mean)), gaussian)


def write_statistics(sample: Sample, path: Path) -> None:
    """Mean and covariance as an .npz file for pytorch-fid. Raises UserError if it cannot be written."""
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, mu=sample.gaussian.mean.numpy(), sigma=sample.gaussian.covariance.numpy())
