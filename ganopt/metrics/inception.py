"""The Inception network of FID (Szegedy et al. 2016, weights of Heusel et al. 2017), optimised for speed.

It computes the same as pytorch-fid's network, up to rounding. BatchNorm is folded into the convolutions, the 1x1
convolutions of a block's input are merged into one, and average pooling is moved after its 1x1 convolution, where
there are fewer channels.
"""

import os
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, max_pool2d

from ganopt.errors import UserError
from ganopt.files import sha256
from ganopt.metrics.inception_weights import UNREADABLE, locate, read, shipped

SIDE = 299  # pixels, the input size of the network

# A block: chains of convolutions on its input, whose outputs are concatenated. A tuple in a chain is a fork.
_A = (("branch1x1",), ("branch5x5_1", "branch5x5_2"), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"))
_B = (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"))
_C = (
    ("branch1x1",),
    ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
    ("branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"),
)
_D = (("branch3x3_1", "branch3x3_2"), ("branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"))
_E = (
    ("branch1x1",),
    ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b")),
    ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")),
)
# The pooling branch of a block: average or max pooling and a convolution, or max pooling alone, which halves the side.
BLOCKS = {
    **{f"Mixed_5{letter}": (_A, "average") for letter in "bcd"},
    "Mixed_6a": (_B, "halve"),
    **{f"Mixed_6{letter}": (_C, "average") for letter in "bcde"},
    "Mixed_7a": (_D, "halve"),
    "Mixed_7b": (_E, "average"),
    "Mixed_7c": (_E, "maximum"),
}
HALVING = {
    "Conv2d_1a_3x3",
    "Mixed_6a.branch3x3",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
}
UNPADDED = HALVING | {"Conv2d_2a_3x3", "Conv2d_4a_3x3"}


class Inception(nn.Module):
    """Pictures -> features. Takes the weights that `fold` returns; raises KeyError if one is missing."""

    digest = ""  # SHA-256 of the file of its weights
    packing = False  # whether the next pictures only show what the weights are arranged for

    def __init__(self, weights: Mapping[str, Tensor]):
        super().__init__()
        self.widths: dict[str, list[int]] = {}
        weights = dict(weights)
        for block, (chains, pool) in BLOCKS.items():
            first = [f"{block}.{chain[0]}" for chain in chains if _is_stemmed(chain)]
            if pool == "average":
                first.append(f"{block}.branch_pool")
            self.widths[block] = [len(weights[f"{name}.bias"]) for name in first]
            for part in ("weight", "bias"):
                weights[f"{block}.stem.{part}"] = torch.cat([weights.pop(f"{name}.{part}") for name in first])
        for name, value in weights.items():
            value = value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
            self.register_buffer(name.replace(".", ":"), value)

    def forward(self, pictures: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) -> features (N, 2048), float32."""
        x = self._begin(pictures)
        for block in BLOCKS:
            x = self._block(block, x)  # (N, 768, 17, 17), then (N, 2048, 8, 8)
        return x.float().mean(dim=(2, 3))

    def pack(self, batch: int) -> None:
        """Arrange the weights once for a CPU's convolutions of `batch` pictures, not again for each batch.

        The features stay the same, up to rounding. The network cannot be moved afterwards.
        """
        if torch.backends.mkldnn.is_available():
            self.packing = True
            self(torch.zeros(batch, 3, SIDE, SIDE, dtype=torch.uint8))
            self.packing = False

    def _begin(self, x: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) -> (N, 192, 35, 35)."""
        x = x.to(torch.float32, memory_format=torch.channels_last)  # in a single copy, because pictures may be large
        x = interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        x = self._convolve("Conv2d_2a_3x3", self._convolve("Conv2d_1a_3x3", x))
        x = max_pool2d(self._convolve("Conv2d_2b_3x3", x), 3, 2)  # (N, 64, 73, 73)
        x = self._convolve("Conv2d_4a_3x3", self._convolve("Conv2d_3b_1x1", x))
        return max_pool2d(x, 3, 2)

    def _block(self, block: str, x: Tensor) -> Tensor:
        chains, pool = BLOCKS[block]
        stem = iter(self._convolve(f"{block}.stem", x, activate=False).split(self.widths[block], dim=1))
        results = []
        for chain in chains:
            y, rest = (next(stem).relu_(), chain[1:]) if _is_stemmed(chain) else (x, chain)
            for link in rest:
                links = link if isinstance(link, tuple) else (link,)
                y = [self._convolve(f"{block}.{name}", y) for name in links]
                y = y[0] if len(y) == 1 else torch.cat(y, dim=1)
            results.append(y)
        if pool == "halve":
            results.append(max_pool2d(x, 3, 2))
        elif pool == "maximum":
            results.append(self._convolve(f"{block}.branch_pool", max_pool2d(x, 3, 1, 1)))
        else:  # at the border, the mean of fewer pixels, as in TensorFlow
            results.append(avg_pool2d(next(stem), 3, 1, 1, count_include_pad=False).relu())
        return torch.cat(results, dim=1)

    def _convolve(self, name: str, x: Tensor, activate: bool = True) -> Tensor:
        key = name.replace(".", ":")
        weight, bias = getattr(self, f"{key}:weight"), getattr(self, f"{key}:bias")
        x = x.to(weight.dtype)
        shape = _padding(name, weight), (2, 2) if name in HALVING else (1, 1), (1, 1)  # padding, stride and dilation
        if self.packing:
            weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *shape, 1, x.shape)
            setattr(self, f"{key}:weight", weight)
        if weight.is_mkldnn:
            activation = "relu" if activate else "none"
            return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *shape, 1, activation, [], "")
        x = conv2d(x, weight, bias, shape[1], shape[0])
        return x.relu_() if activate else x


def _is_stemmed(chain: tuple) -> bool:
    """Whether a chain begins with a 1x1 convolution, which is merged with those of the other chains."""
    return len(chain) > 1 or "1x1" in chain[0]


def _padding(name: str, weight: Tensor) -> tuple[int, int]:
    height, width = weight.shape[2:]
    return (0, 0) if name in UNPADDED else (height // 2, width // 2)


def load(source: str = "", precision: str = "float32") -> Inception:
    """The network on the CPU, in float32 or bfloat16; its first convolution is always float32.

    `source` is a file of pytorch-fid's weights, or "official" to download them. The default is $GANOPT_INCEPTION, else
    the float16 copy in checkpoints/, else the download. Raises UserError if there are no weights.
    """
    path = locate(source or os.environ.get("GANOPT_INCEPTION", ""))
    try:
        network = Inception(read(path))
    except UNREADABLE as error:
        remedy = "restore it from the project's repository" if path == shipped() else "choose another file"
        raise UserError(f"{path} is damaged or not a file of pytorch-fid's Inception weights; {remedy}.") from error
    network.digest = sha256(path)
    if precision == "bfloat16":
        for name, value in network.named_buffers():
            if not name.startswith("Conv2d_1a"):
                setattr(network, name, value.bfloat16())
    return network.requires_grad_(False).eval()
