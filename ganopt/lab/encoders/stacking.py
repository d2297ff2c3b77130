"""A deep classifier whose layers are first trained one by one as autoencoders (Bengio et al. 2007)."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from ganopt.lab.contract import Figure, Frame
from ganopt.lab.encoders import views
from ganopt.lab.encoders.kinds import SIGMOIDS, Autoencoding
from ganopt.lab.encoders.objects import Objects
from ganopt.lab.networks import adam, descend, perceptron
from ganopt.training.recipes import falling_rate

DESCENT = 300  # plain gradient descent needs a rate that many times Adam's
PRETRAINED = 0.5  # share of the steps in which single layers are trained


def build(config: Autoencoding, features: int, classes: int) -> nn.Sequential:
    """An untrained deep classifier; equal settings give equal weights. Its last layer is the head."""
    chance = torch.Generator().manual_seed(config.seed)
    sizes = (features, *(config.hidden,) * config.layers, config.code, classes)
    return perceptron(sizes, chance, nn.Sigmoid if config.units == SIGMOIDS else nn.ReLU)


def from_scratch(config: Autoencoding, network: nn.Sequential, x: Tensor, labels: Tensor) -> Iterator[None]:
    """Train the whole network; yields after each step."""
    yield from _train(config, network, config.iterations, lambda at: cross_entropy(network(x[at]), labels[at]), len(x))


def layer_by_layer(config: Autoencoding, network: nn.Sequential, x: Tensor, labels: Tensor) -> Iterator[None]:
    """Train each layer but the head as an autoencoder of the codes below it, drop the decoders, train the whole.

    The steps are as many as those from scratch, and most of them are cheaper.
    """
    chance, depth = torch.Generator().manual_seed(config.seed + 1), len(network) // 2
    steps, codes = round(PRETRAINED * config.iterations / depth), x
    for layer in range(depth):
        encoder = network[2 * layer : 2 * layer + 2]
        high, wide = next(encoder.parameters()).shape
        decoder = perceptron((high, wide), chance)
        both, inputs = nn.Sequential(*encoder, decoder), codes
        # codes of deep layers vary little, so their errors would move nothing
        goal = (codes - codes.mean(0)) / codes.std(0).clamp(min=1e-6)

        def loss(at: Tensor, both=both, inputs=inputs, goal=goal) -> Tensor:
            return mse_loss(both(inputs[at]), goal[at])

        yield from _train(config, both, steps, loss, len(x))
        with torch.no_grad():
            codes = encoder(codes)
    rest = config.iterations - depth * steps
    yield from _train(config, network, rest, lambda at: cross_entropy(network(x[at]), labels[at]), len(x))


def _train(
    config: Autoencoding, network: nn.Module, steps: int, loss: Callable[[Tensor], Tensor], count: int
) -> Iterator[None]:
    """Train on batches, whose numbers the loss is given, at a rate that falls to 0."""
    chance = torch.Generator().manual_seed(config.seed + 2)
    learner = torch.optim.SGD(network.parameters(), 0.0) if config.units == SIGMOIDS else adam(network)
    scale = DESCENT if config.units == SIGMOIDS else 1
    for step in range(steps):
        at = torch.randint(count, (min(config.batch, count),), generator=chance)
        descend(learner, loss(at), scale * config.lr * falling_rate(step / steps))
        yield None


class View:
    """Measures and draws both classifiers; keeps the curves."""

    def __init__(self, config: Autoencoding, objects: Objects, networks: dict[str, nn.Sequential]) -> None:
        self.config, self.objects, self.networks = config, objects, networks
        self.curves: dict[str, list[tuple[float, float]]] = {name: [] for name in networks}

    @torch.no_grad()
    def frame(self, iteration: int, promised: bool) -> Frame:
        """The frame after some steps of each."""
        data, config = self.objects, self.config
        losses, figures = dict[str, float](), dict[str, Figure]()
        for name, network in self.networks.items():
            losses[name] = cross_entropy(network(data.x), data.labels).item()
            self.curves[name].append((iteration, losses[name]))
            right = network(data.new).argmax(1).eq(data.new_labels).float().mean().item()
            figures[f"accuracy on new objects, {name}"] = Figure(right)
        scratch, stacked = losses.values()
        bound = scratch if promised and config.units == SIGMOIDS else math.inf
        figures |= {
            "cross-entropy, stacked": Figure(stacked, high=bound),
            "cross-entropy, from scratch": Figure(scratch),
        }
        codes = {f"codes, {name}": network[:-1](data.new) for name, network in self.networks.items()}
        return Frame(
            said=f"Step {iteration:,} of {config.iterations:,}: cross-entropy {stacked:.3f}, "
            f"from scratch {scratch:.3f}.",
            progress=iteration / config.iterations,
            figures=figures,
            series={"Cross-entropy on the objects of training": {name: [*each] for name, each in self.curves.items()}},
            pictures={"Codes by class": views.codes(codes, data.new_labels)},
        )
