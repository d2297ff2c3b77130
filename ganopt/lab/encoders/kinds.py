"""The kinds of autoencoders: their settings, networks and losses."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from ganopt.errors import UserError
from ganopt.lab.contract import Config, setting
from ganopt.lab.encoders import penalties
from ganopt.lab.encoders.objects import DATA
from ganopt.lab.networks import perceptron

KINDS = ("linear", "sparse", "denoising", "contractive", "relational", "stacked", "variational", "semi-supervised")
SPARSE = {"codes L1": 0.01, "codes KL": 3.0, "weights L1": 1e-4, "weights L2": 1e-3}
USUAL = {"contractive": 1.0, "relational": 10.0, "variational": 1.0, "semi-supervised": 1.0}  # lambda of strength 1
SIGMOIDS = "sigmoids"


@dataclass(frozen=True, kw_only=True)
class Autoencoding(Config):
    """The settings of `autoencoder`."""

    kind: str = setting("variational", "autoencoder, by its penalty", choices=KINDS)
    data: str = setting("cats", "objects; faces are drawn by our models", choices=DATA)
    code: int = setting(16, "numbers in a code", low=1, high=256)
    strength: float = setting(1.0, "lambda, as a multiple of the usual one", low=0, high=1000)
    iterations: int = setting(600, "training steps", low=10, high=50_000)
    penalty: str = setting("codes KL", "sparse: of what, and how", choices=[*SPARSE])
    target: float = setting(0.1, "sparse with KL: the mean activation wanted", low=0.001, high=0.999)
    noise: str = setting("Gaussian", "denoising: noise, or features set to 0", choices=("Gaussian", "zeros"))
    amount: float = setting(0.7, "denoising: deviation of the noise, or share of zeros", low=0, high=10)
    least: float = setting(0.0, "relational: products below count as this, s0", low=-1, high=1)
    deviation: float = setting(1.0, "variational: of the prior, sigma", low=0.01, high=10)
    precision: float = setting(0.3, "variational: deviation of an object from its decoded code", low=0.01, high=10)
    labelled: int = setting(20, "semi-supervised: objects with a label", low=2, high=5000)
    units: str = setting(
        SIGMOIDS, "stacked: sigmoids, by plain gradient descent, or ReLU, by Adam", choices=(SIGMOIDS, "ReLU")
    )
    layers: int = setting(1, "hidden layers of the encoder, and of the decoder", low=0, high=6)
    hidden: int = setting(128, "units in a hidden layer", low=1, high=1024)
    objects: int = setting(480, "objects, a quarter of which training does not see", low=40, high=20_000)
    side: int = setting(32, "pixels at the side of a picture", low=4, high=64)
    folder: str = setting("", "folder of pictures instead of the data; folders in it are classes")
    batch: int = setting(64, "objects in a batch", low=2, high=2048)
    lr: float = setting(3e-3, "Adam's learning rate; it falls to 0", low=0, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 128 % self.side:
            raise UserError(f"--side is {self.side}; it must be 4, 8, 16, 32 or 64.")

    @property
    def weight(self) -> float:
        """lambda."""
        return self.strength * (SPARSE[self.penalty] if self.kind == "sparse" else USUAL.get(self.kind, 1.0))


class Autoencoder(nn.Module):
    """An encoder (N, n) -> (N, k), a decoder back, and perhaps a head that predicts the class from the code.

    A variational encoder is (N, n) -> (N, 2 k), mean and logarithm of the variance; its code is the mean.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, code: int, head: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder, self.decoder, self.code, self.head = encoder, decoder, code, head

    @property
    def weight(self) -> Tensor:
        """The weight of the encoder's first layer, (units, n)."""
        return next(self.encoder.parameters())

    def encode(self, x: Tensor) -> Tensor:
        """(N, n) -> (N, k)."""
        return self.encoder(x)[:, : self.code]

    def forward(self, x: Tensor) -> Tensor:
        """(N, n) -> (N, n)."""
        return self.decoder(self.encode(x))


def build(config: Autoencoding, features: int, classes: int = 0) -> Autoencoder:
    """An untrained autoencoder; equal settings give equal weights. With classes, it has a head for them."""
    chance, kind, code = torch.Generator().manual_seed(config.seed), config.kind, config.code
    sizes = (features, *(() if kind == "contractive" else (config.hidden,) * config.layers))
    wide = 2 * code if kind == "variational" else code
    activation, bias = (nn.Identity, False) if kind == "linear" else (nn.ReLU, True)
    encoder = perceptron((*sizes, wide), chance, activation, bias)
    if kind == "contractive" or (kind == "sparse" and config.penalty == "codes KL"):
        encoder.append(nn.Sigmoid())
    decoder = perceptron((code, *reversed(sizes)), chance, activation, bias)
    return Autoencoder(encoder, decoder, code, perceptron((code, classes), chance) if classes else None)


def corrupt(x: Tensor, noise: str, amount: float, chance: torch.Generator) -> Tensor:
    """x~ from N(x, amount^2 I), or x with each feature set to 0, which is the mean, with probability `amount`."""
    if noise == "Gaussian":
        return x + amount * torch.randn(x.shape, generator=chance)
    return x * (torch.rand(x.shape, generator=chance) >= amount)


def loss(
    config: Autoencoding, network: Autoencoder, x: Tensor, chance: torch.Generator, labelled: tuple[Tensor, Tensor]
) -> Tensor:
    """The mean squared error, a feature, of reconstructions, with lambda times the penalty of the kind.

    `labelled` are the objects with a label, and their labels, for a semi-supervised one. The variational loss is minus
    the evidence's lower bound, without constants, times 2 precision^2 / n.
    """
    if config.kind == "variational":
        mean, log_variance = network.encoder(x).split(config.code, 1)
        z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=chance)
        divergence = penalties.gaussian_kl(mean, log_variance, config.deviation).mean()
        scale = config.weight * 2 * config.precision**2 / x.shape[1]
        return mse_loss(network.decoder(z), x) + scale * divergence
    if config.kind == "denoising":
        return mse_loss(network(corrupt(x, config.noise, config.amount, chance)), x)
    codes = network.encode(x)
    reconstructed = network.decoder(codes)
    error = mse_loss(reconstructed, x)
    if config.kind == "linear":
        return error
    return error + config.weight * _penalty(config, network, x, codes, reconstructed, labelled)


def weights(network: Autoencoder) -> list[Tensor]:
    """The weights, without biases, of encoder and decoder."""
    return [each for part in (network.encoder, network.decoder) for each in part.parameters() if each.ndim > 1]


def _penalty(
    config: Autoencoding,
    network: Autoencoder,
    x: Tensor,
    codes: Tensor,
    reconstructed: Tensor,
    labelled: tuple[Tensor, Tensor],
) -> Tensor:
    match config.kind, config.penalty:
        case "contractive", _:
            return penalties.contraction(codes, network.weight) / config.code
        case "relational", _:
            return penalties.relations(x, reconstructed, config.least)
        case "semi-supervised", _:
            assert network.head is not None
            objects, labels = labelled
            return cross_entropy(network.head(network.encode(objects)), labels)
        case _, "codes L1":
            return penalties.codes_l1(codes) / config.code
        case _, "codes KL":
            return penalties.sparseness(codes, config.target) / config.code
        case _, "weights L1":
            return penalties.weights_l1(weights(network))
    return penalties.weights_l2(weights(network))
