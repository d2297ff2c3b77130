"""Objects of which more is known while training than later, linear models of them, and their losses.

They are those of the first experiment of Lopez-Paz et al. 2016: x from N(0, I), x* = alpha'x, and
y = [x* + noise > 0]. The models have no bias. Several such problems are solved side by side.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus


class Problems:
    """Drawn problems: alpha (P, d), x (P, N, d), x* (P, N, 1), y (P, N), 0 or 1."""

    def __init__(self, problems: int, objects: int, dimensions: int, chance: torch.Generator) -> None:
        self.alpha = torch.randn(problems, dimensions, generator=chance)
        self.x, self.extra, self.y = self.draw(objects, chance)

    def draw(self, objects: int, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """New objects x, x*, y of the same problems."""
        x = torch.randn(len(self.alpha), objects, self.alpha.shape[1], generator=chance)
        extra = x @ self.alpha[..., None]
        return x, extra, (extra[..., 0] + torch.randn(extra.shape[:2], generator=chance) > 0).float()

    def accuracy(self, weights: Tensor) -> Tensor:
        """The exact accuracy on new objects of weights (P, d): 1 - angle / pi, as w'x and x* + noise are normal."""
        length = (self.alpha.square().sum(1) + 1).sqrt() * weights.norm(dim=1).clamp_min(1e-30)
        return 1 - torch.arccos((weights * self.alpha).sum(1) / length) / math.pi

    def best(self) -> Tensor:
        """The accuracy of the best model of all: 1 - arctan(1 / |alpha|) / pi."""
        return 1 - torch.arctan(1 / self.alpha.norm(dim=1)) / math.pi


class Linear(nn.Module):
    """Linear models of several problems, (P, N, d) -> logits (P, N)."""

    def __init__(self, problems: int, dimensions: int, chance: torch.Generator) -> None:
        super().__init__()
        self.weights = nn.Parameter(0.02 * torch.randn(problems, dimensions, generator=chance))

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        return (x @ self.weights[..., None])[..., 0]


def label_loss(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of logits (P, N) with y from 0 to 1: a mean over objects, a sum over problems."""
    return (softplus(logits) - y * logits).mean(1).sum()


def likeness_loss(student: Tensor, teacher: Tensor, likeness: str) -> Tensor:
    """L(a, a*): half the squared difference of the logits, or the cross-entropy with the teacher's probability."""
    if likeness == "squares":
        return ((student - teacher) ** 2 / 2).mean(1).sum()
    return label_loss(student, teacher.sigmoid())
