"""The first preset of the page, three times: does fid100 fall by half, and what does it look like?

    python -m tests.bench.minute [--out films] [--preset 0] [--runs 3]

fid100 is that of training (`ganopt/live.py`): 100 faces of the moving average against 500 of the sample set, float32.
"""

import argparse
import dataclasses
import time
from pathlib import Path

from ganopt.data.synthetic import PREFIX, load
from ganopt.models.sampling import save_png
from ganopt.runs import timelapse
from ganopt.training import live_fid, loop
from ganopt.training.methods import new_state
from ganopt.ui import requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("films"))
    parser.add_argument("--preset", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    name, asked = list(requests.PRESETS.items())[options.preset]
    print(name)
    for seed in range(options.runs):
        recipe = requests.make_recipe(
            dataclasses.replace(asked, more=asked.more | {"seed": seed, "live_fids": 4}), public=False
        )
        pictures = load(recipe.data.removeprefix(PREFIX), recipe.side) if recipe.needs_pictures else None
        folder, begun = options.out / f"run-{seed}-{time.time_ns()}", live_fid.measure(new_state(recipe, pictures))()
        steps = list(loop.train(recipe, folder, pictures))
        fids = [begun, *(step.fid for step in steps if step.fid is not None)]
        timelapse.save_film(folder, options.out / f"{seed}.webp")
        save_png(timelapse.history(folder), options.out / f"{seed}.png")
        last = steps[-1]
        print(
            f"seed {seed}: {last.step} steps, {last.images} pictures, {last.seconds:.0f} s of training; fid100 "
            f"{' '.join(f'{fid:.0f}' for fid in fids)}, the last {fids[-1] / begun:.2f} of the first",
            flush=True,
        )


if __name__ == "__main__":
    main()
