"""LeanAdam and Recomputed beside what they stand in for, each in a process of its own, in turns.

python -m tests.bench.torch_parts [ROUNDS]
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ganopt.models.networks import Critic, build_critic
from ganopt.training.adam import LeanAdam
from ganopt.training.recompute import Recomputed

CHUNK = 4
VARIANTS = ("adam-torch", "adam-lean", "scores-stored", "scores-torch", "scores-recomputed")


def adam(kind: str) -> Callable[[], None]:
    """One update of a small network with a new optimiser."""
    network = torch.nn.Conv2d(3, 64, 4)

    def run() -> None:
        optimiser = (torch.optim.Adam if kind == "torch" else LeanAdam)(network.parameters(), 1e-3, fused=True)
        network(torch.randn(2, 3, 16, 16)).sum().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return run


def scores(kind: str) -> Callable[[], None]:
    """The gradients of a critic's scores with respect to 16 pictures, in chunks."""
    critic = build_critic("plain-critic/2").requires_grad_(False)
    pictures = torch.randn(16, 3, 128, 128, requires_grad=True)

    def run() -> None:
        torch.cat([_scores(kind, critic, part) for part in pictures.split(CHUNK)]).sum().backward()

    return run


def _scores(kind: str, critic: Critic, part: Tensor) -> Tensor:
    if kind == "stored":
        return critic.scores(part)
    if kind == "recomputed":
        return Recomputed.apply(part, critic, lambda: torch.autocast("cpu", torch.bfloat16, enabled=False))
    from torch.utils.checkpoint import checkpoint

    return checkpoint(critic.scores, part, use_reentrant=False)


def measure(variant: str) -> None:
    """Print the seconds of the first run, the median of later ones, and how many MB the peak of memory grew."""
    torch.set_num_threads(1)
    part, _, kind = variant.partition("-")
    run = (adam if part == "adam" else scores)(kind)
    before, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(6):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(seconds[0], statistics.median(seconds[1:]), grown)


def main(rounds: int) -> None:
    """Print the medians over all rounds."""
    found: dict[str, list[list[float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            argv = [sys.executable, "-m", "tests.bench.torch_parts", variant]
            printed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
            found[variant].append([float(word) for word in printed.split()])
    for variant, values in found.items():
        first, later, grown = map(statistics.median, zip(*values, strict=True))
        print(f"{variant:18} first {first:6.3f} s   later {later:6.4f} s   memory +{grown:5.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in VARIANTS:
        measure(sys.argv[1])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
