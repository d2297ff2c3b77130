"""Convolutions as matrix products against torch's: milliseconds for the sizes at which the networks use them.

    python -m tests.bench.convolutions

In both precisions and memory formats: forward, and forward and backward to pictures and weights.
"""

import torch
from torch import nn

from ganopt.models.networks.convolutions import convolution, transposed_convolution
from ganopt.training.profiling import median_seconds

REPEATS = 7
SIZES = {  # (channels in, channels out, kernel, stride, padding), side of the input
    "big, second stage": (transposed_convolution, (2048, 1024, 4, 2, 1), 4),
    "big/2, second stage": (transposed_convolution, (1024, 512, 4, 2, 1), 4),
    "kd, second stage": (transposed_convolution, (512, 256, 8, 4, 2), 4),
    "critics, last but one": (convolution, (512, 1024, 4, 2, 1), 8),
}


def measure(layer: nn.Module, pictures: torch.Tensor) -> tuple[float, float]:
    """Milliseconds forward, and forward and backward."""
    gradient = torch.randn_like(layer(pictures))
    inputs = (pictures, *layer.parameters())
    with torch.no_grad():
        forward = median_seconds(lambda: layer(pictures), REPEATS)
    both = median_seconds(lambda: torch.autograd.grad(layer(pictures), inputs, gradient), REPEATS)
    return 1e3 * forward, 1e3 * both


def main() -> None:
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; torch's, ours, ratio")
    for bfloat16 in (False, True):
        for memory_format in (torch.contiguous_format, torch.channels_last):
            for name, (make, sizes, side) in SIZES.items():
                ours = make(*sizes).to(memory_format=memory_format)
                plain = type(ours).__bases__[0](*sizes).to(memory_format=memory_format)
                for batch in (1, 16, 32):
                    pictures = torch.randn(batch, sizes[0], side, side).to(memory_format=memory_format).requires_grad_()
                    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                        pairs = zip(measure(plain, pictures), measure(ours, pictures), strict=True)
                    text = "   ".join(f"{first:6.1f} {second:6.1f} {first / second:5.2f}" for first, second in pairs)
                    precision, order = "bfloat16" if bfloat16 else "float32", str(memory_format).removeprefix("torch.")
                    print(f"{precision:8} {order:17} {name:22} {batch:3}   {text}", flush=True)


if __name__ == "__main__":
    main()
