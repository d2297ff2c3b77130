"""EfficientNet-Lite0 (Tan and Le 2019) as a frozen feature network.

BatchNorm (epsilon 0.001) is folded into the convolutions. Padding is TensorFlow's "same": asymmetric at stride 2.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, hardtanh, pad

EPSILON = 0.001  # of its BatchNorm
HALVING = {1, 3, 5, 11}  # blocks of stride 2
BLOCKS = 16
# blocks whose output is a feature map, with its channels; at strides 4, 8, 16 and 32
FEATURE_BLOCKS = {2: 24, 4: 40, 10: 112, 15: 320}


class EfficientNetLite0(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] -> four feature maps (N, C, H / s, W / s), s = 4, 8, 16, 32.

    Takes the weights that `fold` returns. They are not part of the state dict and never trained. Raises KeyError if
    one is missing.
    """

    def __init__(self, weights: Mapping[str, Tensor]):
        super().__init__()
        for name in _convolutions():
            weight = weights[f"{name}.weight"].float().contiguous(memory_format=torch.channels_last)
            self.register_buffer(f"{name}_weight".replace(".", "_"), weight, persistent=False)
            bias = weights[f"{name}.bias"].float()
            self.register_buffer(f"{name}_bias".replace(".", "_"), bias, persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        x = self._convolve("stem", x.contiguous(memory_format=torch.channels_last), stride=2)  # (N, 32, H/2, W/2)
        for block in range(BLOCKS):
            y = self._convolve(f"{block}.expand", x) if block else x  # (N, C, H, W) -> (N, 6 C, H, W)
            y = self._convolve(f"{block}.depthwise", y, stride=2 if block in HALVING else 1)  # the side may halve
            y = self._convolve(f"{block}.project", y, activate=False)  # -> (N, C', H', W')
            x = x + y if y.shape == x.shape else y
            if block in FEATURE_BLOCKS:
                features.append(x)  # (N, 24, H/4, W/4), (N, 40, H/8, W/8), (N, 112, H/16, W/16), (N, 320, H/32, W/32)
        return features

    def _convolve(self, name: str, x: Tensor, stride: int = 1, activate: bool = True) -> Tensor:
        weight, bias = (getattr(self, f"{name}_{part}".replace(".", "_")) for part in ("weight", "bias"))
        groups = x.shape[1] // weight.shape[1]
        reach = weight.shape[-1] // 2
        if stride == 2:
            zeros = [_zeros(side, weight.shape[-1]) for side in (x.shape[3], x.shape[2])]
            x = conv2d(pad(x, [*zeros[0], *zeros[1]]), weight, bias, stride, groups=groups)
        else:
            x = conv2d(x, weight, bias, padding=reach, groups=groups)
        return hardtanh(x, 0.0, 6.0) if activate else x


def fold(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights for `EfficientNetLite0` from a state dict of efficientnet_pytorch, with BatchNorm folded.

    Raises KeyError if a tensor is missing.
    """
    weights: dict[str, Tensor] = {}
    for name in _convolutions():
        block, _, part = name.rpartition(".")
        norm = {"stem": "_bn0", "expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[part]
        prefix = f"_blocks.{block}." if block else ""
        gain, shift, mean, variance = (
            state[f"{prefix}{norm}.{each}"].double() for each in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / (variance + EPSILON).sqrt()
        weights[f"{name}.bias"] = (shift - mean * scale).float()
        convolution = state[f"{prefix}_conv_stem.weight" if part == "stem" else f"{prefix}_{part}_conv.weight"]
        weights[f"{name}.weight"] = (convolution.double() * scale[:, None, None, None]).float()
    return weights


def _convolutions() -> Iterator[str]:
    yield "stem"
    for block in range(BLOCKS):
        if block:
            yield f"{block}.expand"
        yield f"{block}.depthwise"
        yield f"{block}.project"


def _zeros(side: int, kernel: int) -> tuple[int, int]:
    """Zero padding before and after an axis at stride 2; if the total is odd, the extra zero comes after."""
    total = max((-(-side // 2) - 1) * 2 + kernel - side, 0)
    return total // 2, total - total // 2
