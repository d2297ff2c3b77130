"""What is measured of each kind of autoencoder, with the answers that are known.

Each function takes a `Trained` and whether its bounds are promised for its settings.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from ganopt.lab.contract import Figure
from ganopt.lab.encoders import kinds, pca, penalties
from ganopt.lab.encoders.kinds import Autoencoder, Autoencoding
from ganopt.lab.encoders.objects import Objects
from ganopt.lab.encoders.probe import accuracy

DRAWS = 100_000  # by which the closed divergence is checked
NEAR = 200  # draws near one object


@dataclass(frozen=True)
class Trained:
    """An autoencoder, the plain one beside it, and their objects."""

    config: Autoencoding
    objects: Objects
    network: Autoencoder
    plain: Autoencoder

    @property
    def pairs(self) -> dict[str, Autoencoder]:
        """Both by name; a linear one has no plain one beside it."""
        return {self.config.kind: self.network} | ({} if self.config.kind == "linear" else {"plain": self.plain})

    def noisy(self) -> Tensor:
        """The new objects with noise, always the same."""
        chance = torch.Generator().manual_seed(7)
        return kinds.corrupt(self.objects.new, self.config.noise, self.config.amount, chance)


def linear(trained: Trained, promised: bool) -> dict[str, Figure]:
    """Error and column space beside those of the principal components."""
    config, network, x = trained.config, trained.network, trained.objects.x
    axes = pca.components(x, min(config.code, x.shape[1]))
    best, error = pca.error(x, axes), mse_loss(network(x), x).item()
    tolerance = max(0.01 * best, 1e-3) if promised else None
    figures = {"error on the objects of training": Figure(error, exact=best, tolerance=tolerance)}
    if config.code < x.shape[1] and (not config.layers or config.hidden >= config.code):
        angle = pca.angle(network.decoder(torch.eye(config.code)), axes)
        figures["angle to the principal space (degrees)"] = Figure(angle, exact=0, tolerance=2 if promised else None)
    return figures


def sparse(trained: Trained, promised: bool) -> dict[str, Figure]:
    """What the penalty holds small, beside the plain one's."""
    config, pairs = trained.config, trained.pairs.values()
    codes = [pair.encode(trained.objects.x) for pair in pairs]
    if config.penalty == "codes KL":
        ours, theirs = (each.mean().item() for each in codes)
        tolerance = 0.02 if promised else None
        return {
            "mean activation": Figure(ours, exact=config.target, tolerance=tolerance),
            "mean activation, plain": Figure(theirs),
        }
    weights = [kinds.weights(pair) for pair in pairs]
    if config.penalty == "codes L1":
        values, sizes = [penalties.codes_l1(each).item() for each in codes], codes
    else:
        norm = penalties.weights_l1 if config.penalty == "weights L1" else penalties.weights_l2
        values = [norm(each).item() for each in weights]
        sizes = [torch.cat([part.flatten() for part in each]) for each in weights]
    small = [(each.abs() < 0.01 * each.std()).float().mean().item() for each in sizes]
    return {
        f"sum of {config.penalty}": Figure(values[0], high=values[1] if promised else math.inf),
        f"sum of {config.penalty}, plain": Figure(values[1]),
        "share of them near 0": Figure(small[0]),
        "share of them near 0, plain": Figure(small[1]),
    }


def denoising(trained: Trained, promised: bool) -> dict[str, Figure]:
    """Errors on noisy objects."""
    x, noisy = trained.objects.new, trained.noisy()
    ours, theirs = (mse_loss(pair(noisy), x).item() for pair in trained.pairs.values())
    return {
        "error on noisy objects": Figure(ours, high=theirs if promised else math.inf),
        "error on noisy objects, plain": Figure(theirs),
        "error of the noise itself": Figure(mse_loss(noisy, x).item()),
    }


def contractive(trained: Trained, promised: bool) -> dict[str, Figure]:
    """The formula beside autograd's Jacobian, and that of the plain one."""
    x = trained.objects.new
    ours, theirs = (penalties.contraction(pair.encode(x), pair.weight).item() for pair in trained.pairs.values())
    few = x[:4].double()
    weight, bias = (each.detach().double() for each in trained.network.encoder.parameters())

    def encode(x: Tensor) -> Tensor:
        return (x @ weight.T + bias).sigmoid()

    exact = torch.stack([torch.autograd.functional.jacobian(encode, each).square().sum() for each in few]).mean()
    formula = penalties.contraction(encode(few), weight)
    return {
        "squared Jacobian of four objects": Figure(formula.item(), exact=exact.item(), tolerance=1e-5),
        "squared Jacobian": Figure(ours, high=theirs if promised else math.inf),
        "squared Jacobian, plain": Figure(theirs),
    }


def relational(trained: Trained, promised: bool) -> dict[str, Figure]:
    """The penalty beside the plain one's, and what the codes tell about the class."""
    x, least = trained.objects.new, trained.config.least
    ours, theirs = (penalties.relations(x, pair(x), least).item() for pair in trained.pairs.values())
    figures = {
        "squared error of products": Figure(ours, high=theirs if promised else math.inf),
        "squared error of products, plain": Figure(theirs),
    }
    return figures | _accuracies(trained, len(trained.objects.x))


def variational(trained: Trained, promised: bool) -> dict[str, Figure]:
    """The closed divergence beside draws, and how near to a given object the draws of its code are."""
    config, x = trained.config, trained.objects.new
    mean, log_variance = trained.network.encoder(x).split(config.code, 1)
    closed = penalties.gaussian_kl(mean[:1], log_variance[:1], config.deviation).item()
    draws = torch.randn(DRAWS, config.code, generator=torch.Generator().manual_seed(8))
    drawn = penalties.drawn_kl(mean[:1], log_variance[:1], config.deviation, draws)
    error = 4 * drawn.std().item() / math.sqrt(DRAWS)
    near = trained.network.decoder(mean[:1] + (log_variance[:1] / 2).exp() * draws[:NEAR])
    apart = (x[1:] - x[:1]).square().mean(1).sqrt().mean()
    distance = ((near - x[:1]).square().mean(1).sqrt().mean() / apart).item()
    return {
        "divergence of one code": Figure(closed, exact=drawn.mean().item(), tolerance=error + 1e-4),
        "distance of draws to their object / of objects": Figure(distance, high=1 if promised else math.inf),
        "numbers of the code in use": Figure((mean.var(0) > 0.01 * config.deviation**2).sum().item()),
    }


def semi_supervised(trained: Trained, promised: bool) -> dict[str, Figure]:
    """The accuracy of the head beside that of linear classifiers with as many labels."""
    data, network = trained.objects, trained.network
    assert network.head is not None
    right = network.head(network.encode(data.new)).argmax(1).eq(data.new_labels).float().mean().item()
    return {"accuracy of the trained classifier": Figure(right)} | _accuracies(trained, trained.config.labelled)


def _accuracies(trained: Trained, labelled: int) -> dict[str, Figure]:
    """Of a linear classifier on the codes of some objects with labels, and on the objects themselves."""
    data, pairs = trained.objects, trained.pairs
    if not data.labels.max():
        return {}

    def measured(x: Tensor, new: Tensor) -> Figure:
        return Figure(accuracy(x[:labelled], data.labels[:labelled], new, data.new_labels))

    found = {f"codes, {name}": measured(pair.encode(data.x), pair.encode(data.new)) for name, pair in pairs.items()}
    found["objects"] = measured(data.x, data.new)
    return {f"accuracy of a linear classifier on {name}": figure for name, figure in found.items()}


MEASURES: dict[str, Callable[[Trained, bool], dict[str, Figure]]] = {
    "linear": linear,
    "sparse": sparse,
    "denoising": denoising,
    "contractive": contractive,
    "relational": relational,
    "variational": variational,
    "semi-supervised": semi_supervised,
}
