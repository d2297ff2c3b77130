"""A projected critic: small heads on the features of a frozen pretrained network (Sauer et al. 2021).

* `projected`: EfficientNet-Lite0, fixed random projections of its feature maps, and four heads, one per resolution;
* `projected-fine`: the same for pictures that are first enlarged to 256x256 pixels, about four times as expensive.

Only the heads are trained and saved. The projections are drawn from a fixed seed, and the frozen network is read from
`checkpoints/`.
"""

import functools
import hashlib
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate
from torch.nn.utils.parametrizations import spectral_norm

from ganopt.models.checkpoint_files import read_checkpoint
from ganopt.models.networks.base import Critic
from ganopt.models.networks.efficientnet import FEATURE_BLOCKS, EfficientNetLite0
from ganopt.models.networks.registry import Architecture, register

BACKBONE = "efficientnet-lite0.safetensors"  # in checkpoints/
LATERAL = (32, 64, 128, 256)  # channels that each map is projected to
FUSED = (32, 32, 64, 128)  # channels after it is summed with the coarser maps
HEADS = (64, 128, 256)  # channels of a head when it has halved the side of the finest map once, twice, three times
SEED = 0  # of the projections


class ProjectedCritic(Critic):
    """Scores of four heads on feature maps of pictures resized to S pixels: (N, 3, side, side) -> (N, K).

    The maps have S/2, S/4, S/8 and S/16 pixels, and K is four times the square of S/16 - 3.
    """

    def __init__(self, frozen: EfficientNetLite0, resized_to: int, divisor: int):
        super().__init__()
        self.resized_to = resized_to
        self.backbone = frozen
        self.frozen_digest = backbone_digest()
        random = torch.Generator().manual_seed(SEED)
        for level, (width, lateral, fused) in enumerate(zip(FEATURE_BLOCKS.values(), LATERAL, FUSED, strict=True)):
            self.register_buffer(f"lateral_{level}", _projection(width, lateral, random), persistent=False)
            self.register_buffer(f"fused_{level}", _projection(lateral, fused, random), persistent=False)
        widths = [width // divisor for width in HEADS]
        self.heads = nn.ModuleList(_head(width, widths[level:]) for level, width in enumerate(FUSED))

    def features(self, x: Tensor) -> list[Tensor]:
        """The input maps of the heads, the finest first: (N, 32, S/2, S/2) to (N, 128, S/16, S/16)."""
        if x.shape[-1] != self.resized_to:
            x = interpolate(x, size=self.resized_to, mode="bilinear", align_corners=False)
        # on a CPU, the backward pass to the pixels is slower in bfloat16
        with torch.autocast(x.device.type, enabled=not x.requires_grad and torch.is_autocast_enabled(x.device.type)):
            maps = self.backbone(x)
        coarser, found = None, []
        for level in reversed(range(len(maps))):
            lateral, fused = (getattr(self, f"{part}_{level}") for part in ("lateral", "fused"))
            y = conv2d(maps[level], lateral)  # coarsest: (N, 320, S/32, S/32) -> (N, 256, S/32, S/32)
            y = conv2d(y if coarser is None else y + coarser, fused)  # -> (N, 128, S/32, S/32)
            coarser = interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)  # -> (N, 128, S/16, S/16)
            found.append(coarser)
        return found[::-1]

    def scores(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        # (N, C, S/2, S/2) -> (N, 1, S/16 - 3, S/16 - 3) -> (N, K/4), by each head
        return torch.cat([head(each).flatten(1) for head, each in zip(self.heads, maps, strict=True)], dim=1)


def _projection(width_in: int, width_out: int, random: torch.Generator) -> Tensor:
    """A fixed random 1x1 convolution that preserves the scale of activations (He et al. 2015)."""
    weight = torch.randn(width_out, width_in, 1, 1, generator=random, device="cpu")
    return weight * math.sqrt(2 / width_in)


def _head(width: int, widths: list[int]) -> nn.Sequential:
    """A head: halves the side of a map to that of the coarsest one, and scores each window of 4x4."""
    layers: list[nn.Module] = []
    for channels in widths:
        down = spectral_norm(nn.Conv2d(width, channels, 4, 2, 1, bias=False))
        layers += [down, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)]
        width = channels
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, 4)))


@functools.cache
def _weights() -> dict[str, Tensor]:
    with torch.inference_mode(False):  # they are kept, and gradients may pass through them later
        return read_checkpoint(BACKBONE)


@functools.cache
def backbone_digest() -> str:
    """The SHA-256 of the frozen network's weights, saved with a run."""
    digest = hashlib.sha256()
    for name, tensor in sorted(_weights().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


# the divisor is that of the heads; enlarged pictures show small parts such as eyes better
register("projected", "critic", batch_norm=True)(lambda architecture: _critic(architecture, resized_to=128))
register("projected-fine", "critic", batch_norm=True)(lambda architecture: _critic(architecture, resized_to=256))


def _critic(architecture: Architecture, resized_to: int) -> Critic:
    return ProjectedCritic(backbone(), resized_to, architecture.divisor)


def backbone() -> EfficientNetLite0:
    """The frozen network, on the CPU. Raises UserError if its file is missing or damaged."""
    with torch.device("cpu"), torch.inference_mode(False):
        return EfficientNetLite0(_weights())
