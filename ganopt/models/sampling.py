"""From latents to pictures of bytes, and from those to PNG files."""

import copy
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ganopt.files import atomic_write
from ganopt.models.networks import Generator

CHUNK = 16  # latents drawn at a time: more gain nothing on a CPU
ALONE = ("shuffle",)  # kinds drawn one by one: on a CPU their convolutions round otherwise in another batch


def fused(generator: Generator, device: torch.device) -> Generator:
    """A copy on a device that only draws, faster: the same pictures, but that a byte in 50,000 is rounded otherwise.

    In evaluation mode; each BatchNorm is folded into the convolution before it. It cannot be trained or saved.
    """
    copied = copy.deepcopy(generator).eval()
    stages = [_without_norm(stage) for stage in copied.layers.children()]
    if device.type == "cpu":  # there, these two save a third of the time
        stages[-1][-1] = _Tanh()
        copied = copied.to(memory_format=torch.channels_last)
    copied.layers = nn.Sequential(*(nn.Sequential(*stage) for stage in stages))
    return copied.to(device)


@torch.inference_mode()
def draw(generator: Generator, z: Tensor) -> Tensor:
    """Pictures of latents: (N, 100, 1, 1) -> uint8 (N, 3, side, side) on the CPU.

    The generator must be in evaluation mode; it may be on any device.
    """
    device = next(generator.parameters()).device
    chunk = 1 if generator.architecture.kind in ALONE and device.type == "cpu" else CHUNK
    return torch.cat([to_bytes(generator(part.to(device))).cpu() for part in z.split(chunk)])


def to_bytes(pictures: Tensor) -> Tensor:
    """[-1, 1] -> uint8, rounded to the nearest, contiguous."""
    return pictures.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).contiguous()


def from_bytes(pictures: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1], the inverse of `to_bytes`."""
    return pictures.float().div(127.5).sub(1)


def to_image(picture: Tensor) -> Image.Image:
    """uint8 (3, H, W) -> a PIL picture."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def strip(pictures: Tensor) -> Image.Image:
    """uint8 (N, 3, H, W) -> one PIL picture with all of them in a row."""
    return to_image(torch.cat(list(pictures), dim=2))


def save_png(image: Image.Image, path: Path) -> None:
    """Write a PNG. Raises UserError where it cannot be written."""
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG")


class _Tanh(nn.Module):
    """2 sigmoid(2 x) - 1, which is the same to six digits."""

    def forward(self, input: Tensor) -> Tensor:
        return input.mul(2).sigmoid_().mul_(2).sub_(1)


def _without_norm(stage: nn.Module) -> list[nn.Module]:
    """The modules of a stage but for its BatchNorm, which the convolution, its first, takes in."""
    convolution, *others = stage.children()
    assert isinstance(convolution, (nn.Conv2d, nn.ConvTranspose2d))
    for norm in (module for module in others if isinstance(module, nn.BatchNorm2d)):
        assert norm.running_mean is not None and norm.running_var is not None
        times = convolution.out_channels // norm.num_features  # more than one where a PixelShuffle is between
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean.repeat_interleave(times),
            norm.running_var.repeat_interleave(times),
            norm.eps,
            norm.weight.repeat_interleave(times),
            norm.bias.repeat_interleave(times),
            transpose=isinstance(convolution, nn.ConvTranspose2d),
        )
    return [convolution, *(module for module in others if not isinstance(module, nn.BatchNorm2d))]
