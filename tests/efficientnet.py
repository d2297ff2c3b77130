"""A thin EfficientNet-Lite0 for tests."""

import torch

STEM = 4
WIDTHS = (2, 3, 3, 5, 5, 10, 10, 10, 14, 14, 14, 24, 24, 24, 24, 40)  # of the blocks: an eighth of the real ones
KERNELS = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3)


def random_state() -> dict[str, torch.Tensor]:
    """A thin EfficientNet-Lite0 with random weights, named as in efficientnet_pytorch."""
    random = torch.Generator().manual_seed(5)
    state = {}

    def add(convolution: str, norm: str, width: int, *rest: int) -> None:
        size = (rest[0] * rest[1] ** 2) ** 0.5
        state[f"{convolution}.weight"] = torch.randn(width, rest[0], rest[1], rest[1], generator=random) * 2 / size
        for part in ("weight", "running_var"):
            state[f"{norm}.{part}"] = torch.rand(width, generator=random) + 0.5
        for part in ("bias", "running_mean"):
            state[f"{norm}.{part}"] = torch.randn(width, generator=random)

    add("_conv_stem", "_bn0", STEM, 3, 3)
    for block, (width_in, width, kernel) in enumerate(zip((STEM, *WIDTHS), WIDTHS, KERNELS, strict=False)):
        prefix, inner = f"_blocks.{block}.", width_in * 6 if block else width_in
        if block:
            add(f"{prefix}_expand_conv", f"{prefix}_bn0", inner, width_in, 1)
        add(f"{prefix}_depthwise_conv", f"{prefix}_bn1", inner, 1, kernel)
        add(f"{prefix}_project_conv", f"{prefix}_bn2", width, inner, 1)
    return state
