"""Peak memory of one training step: full, transfer and distillation, each in a fresh process.

    python -m tests.bench.memory [--batch 16] [--precision float32]

Full is WGAN-GP of the thesis's networks, transfer freezes 2 generator and 4 critic layers of them, distillation
trains the thesis's student. On CUDA the peak is its allocator's. On a CPU it is the resident memory of the process,
and then that above what torch itself takes, its code included: what is resident after a run of tiny networks in the
same process. One step is one critic update and one of the generator.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from ganopt import weights
from ganopt.models import build_critic, build_generator
from ganopt.profiling import peak_memory, reset_peak_memory
from ganopt.recipes import Distill, Recipe, Transfer, WganGp
from ganopt.state import pick_device
from ganopt.training import train


def recipe(name: str, source: str, batch: int, precision: str) -> Recipe:
    common = {"batch": batch, "precision": precision, "steps": 2, "n_critic": 1}
    if name == "full":
        return WganGp(**common)
    if name == "transfer":
        return Transfer(source=source, **common)
    return Distill(teacher=source, **common)


def measure(name: str, source: str, batch: int, precision: str) -> None:
    """Print what this process holds before it builds the networks, and its peak over two steps, in bytes."""
    device = pick_device("auto")
    tiny = WganGp(generator="big/64@32", batch=2, precision=precision, steps=1, n_critic=1)
    *_, _ = train(tiny, pictures=torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    reset_peak_memory(device)
    before = peak_memory(device)
    pictures = torch.zeros(batch, 3, 128, 128, dtype=torch.uint8)
    *_, last = train(recipe(name, source, batch, precision), pictures=pictures)
    print(before, last.memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "SOURCE"), help="one recipe, in this process")
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure, options.batch, options.precision)
        return
    with tempfile.TemporaryDirectory() as folder:
        weights.save(build_generator("big"), Path(folder, "generator.safetensors"))
        weights.save(build_critic("critic"), Path(folder, "critic.safetensors"))
        peaks = {}
        for name in ("full", "transfer", "distill"):
            command = [sys.executable, "-m", "tests.bench.memory", "--measure", name, folder]
            command += ["--batch", str(options.batch), "--precision", options.precision]
            # large blocks go back to the system when they are freed, so that the peak is of what is in use
            environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
            before, peak = map(int, subprocess.check_output(command, text=True, env=environment).split())
            peaks[name] = (peak, peak - before)
            shares = [mine / full for mine, full in zip(peaks[name], peaks["full"], strict=True)]
            print(
                f"{name:9} {peak / 1e6:6.0f} MB, {(peak - before) / 1e6:6.0f} above torch itself; "
                f"{shares[0]:.2f} of full, {shares[1]:.2f} above torch itself"
            )


if __name__ == "__main__":
    main()
