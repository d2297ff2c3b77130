"""The interfaces of generators and critics, used for drawing and training."""

import copy
from typing import Any, ClassVar

from torch import Tensor, nn

from ganopt.models.networks.registry import Architecture

LATENT_SIZE = 100


class Generator(nn.Module):
    """Latents (N, 100, 1, 1) -> pictures (N, 3, side, side) in [-1, 1], by `forward`."""

    architecture: Architecture  # set by `build_network`
    cpu_batch: ClassVar[int] = 16  # faces drawn at a time on a CPU, where larger batches are not faster

    @property
    def stages(self) -> nn.Sequential:
        """The layers in order, from latent to picture. Transfer can freeze the first of them."""
        return nn.Sequential()

    def folded(self) -> "Generator":
        """A copy for inference, possibly optimised for speed; draws the same pictures up to rounding."""
        return copy.deepcopy(self).eval()


class Critic(nn.Module):
    """Pictures (N, 3, side, side) in [-1, 1] -> `scores` (N, K), unbounded: high for real ones."""

    architecture: Architecture  # set by `build_network`
    frozen_digest: str = ""  # SHA-256 of the weights that are neither trained nor saved, if any

    @property
    def stages(self) -> nn.Sequential:
        """The layers in order, from picture to score. Transfer can freeze the first of them."""
        return nn.Sequential()

    def scores(self, x: Tensor) -> Tensor:
        """The input of the losses: K scores for each picture, (N, 3, side, side) -> (N, K)."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Any:
        """The activations that the scores are computed from, (N, ...), or a list of them."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The scores, after the final activation if the kind has one."""
        return self.scores(x)


Network = Generator | Critic
