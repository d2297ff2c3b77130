"""Drawing pictures from latents, as bytes and as PNG files."""

from pathlib import Path

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ganopt.files import atomic_write
from ganopt.models.networks import Generator

CHUNK = 64  # pictures drawn at a time on a GPU


def inference_copy(generator: Generator, device: torch.device) -> Generator:
    """A copy of a generator on a device, optimised for speed. It cannot be trained or saved."""
    folded = generator.folded()
    if device.type == "cpu":
        folded = folded.to(memory_format=torch.channels_last)
    return folded.to(device)


@torch.inference_mode()
def draw(generator: Generator, z: Tensor) -> Tensor:
    """Draw the pictures of latents: (N, 100, 1, 1) -> uint8 (N, 3, side, side) on the CPU.

    The generator must be in evaluation mode; it may be on any device.
    """
    device = next(generator.parameters()).device
    chunk = generator.cpu_batch if device.type == "cpu" else CHUNK
    return torch.cat([to_bytes(generator(part.to(device))).cpu() for part in z.split(chunk)])


def to_bytes(pictures: Tensor) -> Tensor:
    """[-1, 1] -> uint8, rounded to the nearest value, contiguous."""
    return pictures.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).contiguous()


def from_bytes(pictures: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1], the inverse of `to_bytes`."""
    return pictures.float().div(127.5).sub(1)


def to_image(picture: Tensor) -> Image.Image:
    """uint8 (3, H, W) -> a PIL image."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def strip(pictures: Tensor) -> Image.Image:
    """uint8 (N, 3, H, W) -> one PIL image with all pictures in a row."""
    return to_image(torch.cat(list(pictures), dim=2))


def save_png(image: Image.Image, path: Path, text: PngInfo | None = None) -> None:
    """Write a PNG file, perhaps with texts. Raises UserError if it cannot be written."""
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=text)
