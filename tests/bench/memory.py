"""Peak memory of one training step: full, transfer and distillation, each in a fresh process.

    python -m tests.bench.memory [--batch 16] [--precision float32]

Full is WGAN-GP of the thesis's networks, transfer freezes 2 generator and 4 critic layers of them, distillation
trains the thesis's student. On CUDA the peak is its allocator's. On a CPU it is the resident memory of the process,
and then that above what torch itself takes, its code included: what is resident after a run of tiny networks in the
same process. One step is one critic update and one of the generator.
"""

import argparse
import tempfile
from pathlib import Path

from ganopt.models import weights
from ganopt.models.networks import build_critic, build_generator
from ganopt.training import methods
from ganopt.training.profiling import measure_in_subprocess
from ganopt.training.recipes import Recipe


def recipe(name: str, source: str, batch: int, precision: str) -> Recipe:
    common = {"batch": batch, "precision": precision, "steps": 1, "n_critic": 1}
    if name == "full":
        return methods.recipe("wgan-gp", **common)
    if name == "transfer":
        return methods.recipe("transfer", source=source, **common)
    return methods.recipe("distill", teacher=source, **common)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights.save(build_generator("big"), Path(folder, "generator.safetensors"))
        weights.save(build_critic("critic"), Path(folder, "critic.safetensors"))
        full = None
        for name in ("full", "transfer", "distill"):
            cost = measure_in_subprocess(recipe(name, folder, options.batch, options.precision))
            full = full or cost
            own, whole = cost.peak - cost.baseline, full.peak - full.baseline
            print(
                f"{name:9} {cost.peak / 1e6:6.0f} MB, {own / 1e6:6.0f} above torch itself; "
                f"{cost.peak / full.peak:.2f} of full, {own / whole:.2f} above torch itself"
            )


if __name__ == "__main__":
    main()
