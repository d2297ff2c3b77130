"""Convolutions that a CPU computes as matrix products, where they have many weights for few pixels.

Torch's convolutions then spend most of their time on rearranging the weights, the more so in a backward pass.
`tests/bench/convolutions.py` measures both.
"""

from torch import Tensor, channels_last, nn
from torch.nn.functional import fold, linear, pad

MANY_WEIGHTS, FEW_PIXELS = 4_000_000, 16  # with fewer, or with more, torch's convolutions are as fast or faster


def convolution(width_in: int, width_out: int, kernel: int, stride: int, padding: int) -> nn.Conv2d:
    """`nn.Conv2d`, with the computation that suits its size."""
    kind = ProductConv2d if width_in * width_out * kernel**2 > MANY_WEIGHTS else nn.Conv2d
    return kind(width_in, width_out, kernel, stride, padding)


def transposed_convolution(width_in: int, width_out: int, kernel: int, stride: int, padding: int) -> nn.ConvTranspose2d:
    """`nn.ConvTranspose2d`, with the computation that suits its size."""
    kind = ProductConvTranspose2d if width_in * width_out * kernel**2 > MANY_WEIGHTS else nn.ConvTranspose2d
    return kind(width_in, width_out, kernel, stride, padding)


class ProductConv2d(nn.Conv2d):
    """`nn.Conv2d` that multiplies the patches of its input by its weights, if it is on a CPU and its output small."""

    def forward(self, input: Tensor) -> Tensor:
        (kernel, _), (stride, _), padding = self.kernel_size, self.stride, int(self.padding[0])
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in input.shape[2:])
        if input.device.type != "cpu" or height * width > FEW_PIXELS:
            return super().forward(input)
        patches = pad(input, (padding,) * 4).unfold(2, kernel, stride).unfold(3, kernel, stride)
        patches = patches.permute(0, 2, 3, 1, 4, 5)  # (N, C, height, width, k, k) -> (N, height, width, C, k, k)
        weight = self.weight  # (C', C, k, k)
        if last := _is_channels_last(weight):
            patches, weight = patches.permute(0, 1, 2, 4, 5, 3), weight.permute(0, 2, 3, 1)
        found = linear(patches.flatten(3).flatten(0, 2), weight.flatten(1), self.bias)  # (N * height * width, C')
        found = found.view(len(input), height, width, -1).permute(0, 3, 1, 2)
        return found if last else found.contiguous()


class ProductConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` that multiplies its input by its weights and adds up, if on a CPU and its input small."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if input.device.type != "cpu" or input.shape[2] * input.shape[3] > FEW_PIXELS or output_size:
            return super().forward(input, output_size)
        (kernel, _), (stride, _), padding = self.kernel_size, self.stride, int(self.padding[0])
        height, width = ((side - 1) * stride - 2 * padding + kernel for side in input.shape[2:])
        pixels = input.flatten(2).transpose(1, 2)  # (N, pixels, C)
        weight = self.weight  # (C, C', k, k)
        if last := _is_channels_last(weight):
            weight = weight.permute(0, 2, 3, 1)
        patches = (pixels.flatten(0, 1) @ weight.flatten(1)).view(*pixels.shape[:2], *weight.shape[1:])
        if last:
            patches = patches.permute(0, 1, 4, 2, 3)  # (N, pixels, k, k, C') -> (N, pixels, C', k, k)
        found = fold(patches.flatten(2).transpose(1, 2), (height, width), kernel, padding=padding, stride=stride)
        assert self.bias is not None
        return found + self.bias.to(found.dtype).view(-1, 1, 1)


def _is_channels_last(weight: Tensor) -> bool:
    return weight.is_contiguous(memory_format=channels_last)
