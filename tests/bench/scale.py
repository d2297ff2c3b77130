"""How time and memory grow with the number of training pictures, and of pictures whose FID is measured.

For each number, small pictures are drawn into a folder, and each line is measured in a process of its own: the first
start, which decodes them; the second start; a training step after that; and the FID of a model's faces, with a thin
Inception network. Memory is the process's peak, resident.

python -m tests.bench.scale [5000 50000 500000] [--side 32] [--folder FOLDER]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from ganopt.data import image_folder
from ganopt.metrics import features
from ganopt.metrics.evaluation import Plan, evaluate
from ganopt.models import weights
from ganopt.models.devices import peak_memory
from ganopt.models.networks import build_generator
from ganopt.training import loop, methods
from tests.conftest import _inception_state

STEPS = 20
CPU = torch.device("cpu")
MAX_FACES = 50_000  # whose FID is measured
REFERENCE = 5000  # pictures to which they are compared


def draw_pictures(folder: Path, count: int, side: int) -> None:
    """Fill a folder with pictures of noise, a thousand in each subfolder."""
    random = np.random.default_rng(0)
    for number in range(count):
        if number % 1000 == 0:
            (place := folder / f"{number // 1000:04}").mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (side, side, 3), np.uint8)
        (place / f"{number:07}.ppm").write_bytes(b"P6 %d %d 255\n" % (side, side) + pixels.tobytes())


def start(folder: Path, side: int) -> str:
    begun = time.monotonic()
    found = image_folder.load(folder, side)
    return f"{time.monotonic() - begun:.2f} s, {len(found.pictures):,} pictures"


def train(folder: Path, side: int) -> str:
    tiny = {"generator": f"big/16@{side}", "critic": f"plain-critic/16@{side}", "device": "cpu"}
    recipe = methods.recipe("r1", data=str(folder), steps=STEPS, **tiny)
    begun = time.monotonic()
    steps = loop.train(recipe)
    next(steps)
    first = time.monotonic()
    for _ in steps:
        pass
    return f"first step after {first - begun:.2f} s, then {(time.monotonic() - first) / (STEPS - 1):.3f} s a step"


def fid(folder: Path, count: int) -> str:
    begun = time.monotonic()
    extractor = features.load_extractor(CPU, source=os.environ["GANOPT_INCEPTION"])
    model, pictures = str(folder / "model.safetensors"), folder / str(count)
    plan = Plan(models=(model,), reference=pictures, count=min(count, MAX_FACES), reference_count=REFERENCE, repeats=1)
    *_, last = evaluate(plan, extractor)
    assert last.score
    return f"{time.monotonic() - begun:.0f} s, {last.score.count:,} faces, {'; '.join(last.score.notes)}"


def measured(task: str, folder: Path, number: int) -> str:
    """What a task prints in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.scale", "--task", task, "--folder", str(folder), str(number)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="*", default=[5000, 50_000, 500_000])
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="where everything is written; by default a temporary folder")
    parser.add_argument("--task", choices=("start", "train", "fid"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        [number] = options.counts
        print(globals()[options.task](options.folder, number), f"peak {peak_memory(CPU) / 1e6:.0f} MB", sep=", ")
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        place = Path(temporary)
        os.environ |= {"GANOPT_CACHE": str(place / "cache"), "GANOPT_INCEPTION": str(place / "inception.pth")}
        torch.save(_inception_state(16), place / "inception.pth")
        weights.save(build_generator("big/16@32"), place / "model.safetensors")
        for count in options.counts:
            folder = place / str(count)
            draw_pictures(folder, count, options.side)
            print(f"{count:,} pictures of {options.side} pixels", flush=True)
            for label, task in (("first start", "start"), ("second start", "start"), ("training", "train")):
                print(f"  {label}: {measured(task, folder, options.side)}", flush=True)
            print(f"  FID: {measured('fid', place, count)}", flush=True)


if __name__ == "__main__":
    main()
