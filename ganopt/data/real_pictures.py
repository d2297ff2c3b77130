"""The real pictures of a training run: on its device, or in a file of the cache from which each batch is read."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ganopt.data import hub_pictures, image_folder, synthetic
from ganopt.data.stored import Stored
from ganopt.errors import UserError
from ganopt.models import hub
from ganopt.models.devices import send

MAX_ON_GPU = 4 << 30  # bytes of pictures that are moved to a GPU as a whole, 87,000 of 128 pixels


Source = Tensor | Stored  # uint8 (N, 3, side, side)


class RealPictures:
    """Real pictures, uint8 (N, 3, side, side). Those in a file stay there for a CPU, and for a GPU if they are many.

    Raises UserError if they are too few for a batch or have another side.
    """

    def __init__(self, pictures: Source, batch: int, side: int, device: torch.device):
        if len(pictures) < batch:
            raise UserError(f"{len(pictures)} pictures are too few for batches of {batch}; use a smaller --batch.")
        if (shape := tuple(pictures.shape[1:])) != (3, side, side):
            raise UserError(f"The pictures have the shape {shape}; use ones of {side} pixels.")
        self._device, self._pictures = device, pictures
        if isinstance(pictures, Stored):
            self.hash = pictures.hash
            if device.type != "cpu" and pictures.size <= MAX_ON_GPU:
                self._pictures = torch.from_numpy(pictures.mapped).to(device)
        else:
            self.hash = hashlib.sha256(pictures.contiguous().numpy().data).hexdigest()  # of all their bytes, in order
            self._pictures = pictures.to(device)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """The pictures with these numbers, on the device: int64 (n,) -> uint8 (n, 3, side, side)."""
        if isinstance(self._pictures, Stored):
            return send(torch.from_numpy(self._pictures[chosen.numpy()]), self._device)
        return self._pictures[send(chosen, self._device)]


def read_pictures(data: str, side: int, classes: str) -> Source:
    """The pictures of a folder, of a dataset of the Hub, or drawn by a model. Raises UserError for any failure."""
    if data.startswith(synthetic.PREFIX):
        return synthetic.load(data.removeprefix(synthetic.PREFIX), side)
    if data.startswith(hub.PREFIX):
        return hub_pictures.load(data, side, classes)
    found = image_folder.load(Path(data), side, classes)
    return found.stored or torch.from_numpy(found.pictures)
