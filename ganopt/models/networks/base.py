"""What generators and critics promise to those that draw with them and train them."""

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

if TYPE_CHECKING:
    from ganopt.models.networks.registry import Architecture

LATENT_SIZE = 100


class Generator(nn.Module):
    """Latents (N, 100, 1, 1) -> pictures (N, 3, side, side) in [-1, 1], by `forward`."""

    architecture: "Architecture"  # set where it is built
    cpu_batch: ClassVar[int] = 16  # faces to draw at once on a CPU, where larger batches gain nothing

    @property
    def stages(self) -> nn.Sequential:
        """Its parts from the latent to the picture: what can be frozen in transfer is the first of them."""
        return nn.Sequential()

    def folded(self) -> "Generator":
        """A copy in evaluation mode that only draws, and may be arranged for speed; to rounding, the same pictures."""
        return copy.deepcopy(self).eval()


class Critic(nn.Module):
    """Pictures (N, 3, side, side) in [-1, 1] -> `scores` (N, K), unbounded: high for real ones."""

    architecture: "Architecture"  # set where it is built
    judges_apart: ClassVar[bool] = False  # whether a batch must be all real or all generated, and whole
    frozen_digest: str = ""  # SHA-256 of weights that are neither trained nor saved, where it has any

    @property
    def stages(self) -> nn.Sequential:
        """Its parts from the picture to the score: what can be frozen in transfer is the first of them."""
        return nn.Sequential()

    def scores(self, x: Tensor) -> Tensor:
        """What losses compare: K scores a picture, (N, 3, side, side) -> (N, K)."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Any:
        """What its scores are made of: activations (N, ...), or a list of them."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The scores; where a kind ends in an activation, with it."""
        return self.scores(x)


Network = Generator | Critic
