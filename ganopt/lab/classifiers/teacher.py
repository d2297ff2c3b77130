"""Teachers: image classifiers of the package `transformers`, on the Hub or in a folder, or one that is trained here."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from ganopt.errors import UserError
from ganopt.lab.classifiers.networks import SIDE
from ganopt.models import hub
from ganopt.models.hub import AbsentError

CONFIG, PROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
INSTALL = (
    "A teacher from the Hub needs the package transformers; run 'pip install transformers', or install ganopt[vit]."
)
UNFIT = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ImportError, SafetensorError)


@dataclass(frozen=True)
class Teacher:
    """A classifier of pictures, and how pictures become the pixels that it sees."""

    classes: tuple[str, ...]
    pixels: Callable[[Sequence[np.ndarray]], Tensor]  # uint8 (3, H, W) each -> float32 (N, 3, h, w)
    logits: Callable[[Tensor], Tensor]  # (N, 3, h, w) -> (N, classes)

    def of(self, classes: Sequence[str], name: str) -> "Teacher":
        """The teacher with the logits of these classes only, in this order. Raises UserError if it lacks one."""
        if missing := [each for each in classes if each not in self.classes]:
            known = ", ".join(self.classes[:5]) + (", ..." if len(self.classes) > 5 else "")
            raise UserError(f"{name} has no class {missing[0]!r}, only {known}; name the folders after its classes.")
        columns = [self.classes.index(each) for each in classes]
        return Teacher(tuple(classes), self.pixels, lambda pixels: self.logits(pixels)[:, columns])


def plain_pixels(pictures: Sequence[np.ndarray]) -> Tensor:
    """Pictures of any size as the pixels of our own teacher, float32 (N, 3, 64, 64) in [-1, 1]."""
    resized = torch.from_numpy(np.stack([*map(_resized, pictures)])).permute(0, 3, 1, 2)  # channels last: faster
    return resized / 127.5 - 1


def load(name: str) -> Teacher:
    """The image classifier `user/repo`, `user/repo@revision` or a folder's, downloaded if it is not in the cache.

    Its weights are read from safetensors only, and no code of a repository is run. Raises UserError for any failure.
    """
    try:
        from transformers import AutoImageProcessor, AutoModelForImageClassification
    except ImportError as error:
        raise UserError(INSTALL) from error
    _check_kind(_file(name, CONFIG), name)
    folder = _file(name, PROCESSOR).parent
    _file(name, WEIGHTS)
    try:
        places: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        processor = AutoImageProcessor.from_pretrained(folder, **places)
        network, found = AutoModelForImageClassification.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **places
        )
    except UNFIT as error:
        raise UserError(f"{name} cannot be read by transformers ({_reason(error)}); choose another teacher.") from error
    if found["missing_keys"]:
        raise UserError(f"The weights of {name} lack {min(found['missing_keys'])}; choose another teacher.")
    names = network.config.id2label
    return Teacher(tuple(names[number] for number in sorted(names)), _pixels_of(processor, name), _logits_of(network))


def _file(name: str, file: str) -> Path:
    """The path of a file of the teacher."""
    if Path(name).is_dir():
        if not (path := Path(name) / file).is_file():
            raise _absent(name, file)
        return path
    if not hub.is_repository(name):
        raise UserError(f"There is no teacher {name}; give a model on the Hub, as user/repo, or a folder.")
    repository, _, revision = name.partition("@")
    try:
        return hub.fetch(repository, revision or "main", file, lambda path: None)
    except AbsentError as error:
        raise _absent(name, file) from error


def _absent(name: str, file: str) -> UserError:
    if file == WEIGHTS:
        return UserError(
            f"{name} has no {WEIGHTS}, and weights in pickles are not read, as these can run programs; choose another "
            "teacher, or another revision."
        )
    return UserError(f"{name} has no {file}, so it is no image classifier of transformers; choose another teacher.")


def _check_kind(path: Path, name: str) -> None:
    """Raise UserError for a config that is not that of an image classifier, before its weights are downloaded."""
    try:
        kinds = json.loads(path.read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"The {CONFIG} of {name} is damaged; choose another teacher.") from error
    if not any(str(kind).endswith("ForImageClassification") for kind in kinds):
        found = f" but {kinds[0]}" if kinds else ""
        raise UserError(f"{name} is no image classifier{found}; choose another teacher.")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()).partition(". ")[0][:150].rstrip(".") or type(error).__name__


def _pixels_of(processor: Any, name: str) -> Callable[[Sequence[np.ndarray]], Tensor]:
    def pixels(pictures: Sequence[np.ndarray]) -> Tensor:
        try:
            made = processor(images=[*map(_image, pictures)], return_tensors="pt")["pixel_values"]
            if made.dim() != 4:
                raise ValueError(f"{made.dim()} dimensions")
        except UNFIT as error:
            raise UserError(
                f"The image processor of {name} does not make pixels of one size ({_reason(error)}); choose another "
                "teacher."
            ) from error
        return made.float()

    return pixels


def _logits_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    network.requires_grad_(False).eval()
    return lambda pixels: network(pixel_values=pixels).logits


def _resized(picture: np.ndarray) -> np.ndarray:
    """(3, H, W) -> (SIDE, SIDE, 3)."""
    if picture.shape[1:] == (SIDE, SIDE):
        return picture.transpose(1, 2, 0)
    return np.asarray(_image(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture.transpose(1, 2, 0))
