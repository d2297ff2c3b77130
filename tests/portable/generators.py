"""Tiny generators in which no weight is zero or has its first value, so that a forgotten one shows in the pictures."""

import torch

from ganopt.models.networks import Generator, build_generator

KINDS = ("shuffle/16@32", "shuffle/16@64", "big/32@32", "kd/16@64", "big-res/32@32", "kd-res/16@64")


def lively(architecture: str, seed: int = 5) -> Generator:
    """A generator with random weights and statistics that keep the size of a signal."""
    torch.manual_seed(seed)
    generator = build_generator(architecture).eval()
    with torch.no_grad():
        for name, value in generator.state_dict().items():
            if value.ndim > 1:
                inputs = 1000 if value.ndim == 2 else value[0].numel()  # modulation changes a map by a third
                value.normal_(std=inputs**-0.5)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif value.is_floating_point():
                value.normal_(std=0.2).add_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return generator
