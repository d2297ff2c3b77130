"""Small perceptrons whose random numbers come from a generator of their own."""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import Adam, Optimizer

from ganopt.training.adam import LeanAdam


def perceptron(
    sizes: Sequence[int], chance: torch.Generator, activation: type[nn.Module] = nn.ReLU, bias: bool = True
) -> nn.Sequential:
    """A perceptron with layers of these sizes, (N, sizes[0]) -> (N, sizes[-1]), linear at its end.

    Weights and biases are uniform within 1 / sqrt(inputs), as torch's own.
    """
    layers: list[nn.Module] = []
    for wide, high in zip(sizes, sizes[1:], strict=False):
        layer = nn.Linear(wide, high, bias)
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(wide), 1 / math.sqrt(wide), generator=chance)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def adam(network: nn.Module, beta1: float = 0.9) -> Adam:
    """Adam for all parameters of a network; the rate is given at each step."""
    return LeanAdam(list(network.parameters()), 0.0, (beta1, 0.99), fused=True)


def descend(learner: Optimizer, loss: torch.Tensor, rate: float) -> None:
    """One step of a learner down the gradient of a loss; other networks keep their gradients."""
    learner.param_groups[0]["lr"] = rate
    set_gradients(learner, loss)
    learner.step()


def set_gradients(learner: Optimizer, loss: torch.Tensor, keep_graph: bool = False) -> None:
    """Give a learner's parameters the gradients of a loss; the graph can be kept for another loss.

    Fused Adam takes a gradient to be laid out in memory as its parameter is. Those of transposed convolutions and those
    with channels last are not, and are copied.
    """
    [group] = learner.param_groups
    gradients = torch.autograd.grad(loss, group["params"], retain_graph=keep_graph)
    for parameter, gradient in zip(group["params"], gradients, strict=True):
        same = parameter.stride() == gradient.stride()
        parameter.grad = gradient if same else torch.empty_like(parameter).copy_(gradient)
