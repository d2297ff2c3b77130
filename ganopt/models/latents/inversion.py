"""Finding the latent whose face is most like a photograph: the inversion of a generator by optimisation.

Latents are moved along the gradient of a distance between the generated face and the photograph (Zhu et al. 2016,
Generative Visual Manipulation; Abdal et al. 2019, Image2StyleGAN). The distance has a term of pixels, at low
resolutions, and one of the features of a frozen EfficientNet-Lite0, normalised as in LPIPS (Zhang et al. 2018). The
search begins at the nearest of many seeds, in one batch, from which the worse ones are dropped twice.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, normalize

from ganopt.models.latents.faces import latents
from ganopt.models.networks import Generator, projected
from ganopt.models.sampling import draw, from_bytes, to_bytes

SEEDS = range(64)  # among which the search begins
ROUNDS = ((6, 16), (2, 20), (1, 36))  # latents in the batch, steps
SECONDS = 13.0  # on the page, after which no further step begins
RATE = 0.15  # Adam's learning rate at the first step; it falls to 0 by a cosine
PRIOR = 0.01  # weight of the mean square of z, which is 1 for seeds
SIDES = (32, 16, 8)  # pixels, of the pictures in the term of pixels
FEATURE_SIDE = 128  # pixels, of the pictures given to the feature network
EVERY = 4  # steps between two reports
BATCH = 16  # seeds whose features are computed at a time


@dataclass(frozen=True)
class Search:
    """How far a search is: the best face so far, and what seeds would have given."""

    latent: Tensor  # (100, 1, 1)
    picture: Tensor  # uint8 (3, side, side)
    distance: float  # of this face to the photograph
    progress: float  # 0 to 1
    nearest_seed: int
    seed_distances: Tensor  # (64,), of the faces of SEEDS
    is_cut_off: bool = False  # whether the time was up before the last step

    @property
    def nearest(self) -> float:
        """The distance of the nearest of the seeds."""
        return float(self.seed_distances.min())

    @property
    def typical(self) -> float:
        """The mean distance of the seeds."""
        return float(self.seed_distances.mean())


class Distance(nn.Module):
    """The distance of pictures to one photograph, uint8 (3, side, side), on its device: 0 for the same picture."""

    def __init__(self, photograph: Tensor, device: torch.device):
        super().__init__()
        self.backbone = projected.backbone().to(device)
        with torch.no_grad():
            self.pixels, self.features = self._describe(from_bytes(photograph[None]).to(device))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, side, side) in [-1, 1] -> (N,)."""
        pixels, features = self._describe(pictures)
        terms = [(each - own).abs().mean(dim=(1, 2, 3)) for each, own in zip(pixels, self.pixels, strict=True)]
        found = torch.stack(terms).mean(0)
        for each, own in zip(features, self.features, strict=True):
            found = found + (each - own).square().sum(dim=1).mean(dim=(1, 2)) / len(features)
        return found

    def _describe(self, pictures: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        pixels = [adaptive_avg_pool2d(pictures, side) for side in SIDES]
        if pictures.shape[-1] != FEATURE_SIDE:
            pictures = interpolate(pictures, size=FEATURE_SIDE, mode="bilinear", align_corners=False)
        # four maps (N, C, 128 / s, 128 / s), s = 4, 8, 16, 32, each with vectors of length 1
        return pixels, [normalize(each, dim=1) for each in self.backbone(pictures)]


def search(generator: Generator, photograph: Tensor, seconds: float) -> Iterator[Search]:
    """Find the face of a generator that is most like a photograph, uint8 (3, side, side), of the generator's side.

    Yields the best face every few steps; the last one is the result. The generator must be in evaluation mode. With
    enough time, the same photograph gives the same result.
    """
    start, device = time.monotonic(), next(generator.parameters()).device
    measure = Distance(photograph, device)
    distances = _of_seeds(generator, measure)
    order = distances.argsort(stable=True)
    z, total, done = latents(SEEDS)[order[: ROUNDS[0][0]]].to(device), sum(steps for _, steps in ROUNDS), 0
    best = math.inf
    result: Search | None = None
    for count, steps in ROUNDS:
        z = z[:count].detach().requires_grad_()
        adam = torch.optim.Adam([z], lr=RATE, betas=(0.9, 0.99))
        found = torch.zeros(len(z))
        for _ in range(steps):
            late = time.monotonic() - start > seconds
            rate = RATE * (1 + math.cos(math.pi * done / total)) / 2
            adam.param_groups[0]["lr"] = rate
            with torch.enable_grad():
                pictures = generator(z)
                each = measure(pictures)
                loss = (each + PRIOR * z.square().mean(dim=(1, 2, 3))).sum()
                (z.grad,) = torch.autograd.grad(loss, z)
            found = each.detach().cpu()
            done = total if late else done + 1
            if result is None or late or done % EVERY == 0 or done == total:
                index = int(found.argmin())
                if result is None or float(found[index]) < best:
                    best = float(found[index])
                    here = z[index].detach().cpu().clone(), to_bytes(pictures[index].detach()).cpu()
                result = Search(*here, best, done / total, int(order[0]), distances, late)
                yield result
            if late:
                return
            adam.step()
        z = z.detach()[found.argsort(stable=True)]


@torch.no_grad()
def _of_seeds(generator: Generator, measure: Distance) -> Tensor:
    faces = from_bytes(draw(generator, latents(SEEDS)))
    device = next(generator.parameters()).device
    return torch.cat([measure(part.to(device)).cpu() for part in faces.split(BATCH)])
