"""The first preset of the page, three times: does fid100 fall by half, and what does it look like?

    python -m tests.bench.minute [--out films] [--preset 0] [--runs 3] [--second-critic {on,off}] [--network sle/8]
    python -m tests.bench.minute --data pictures --classes cat --count 200    # as if uploaded

fid100 is that of training (`ganopt/training/live_fid.py`): 100 faces of the moving average against 500 training
pictures, or as many as there are, float32.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import torch
from torch import Tensor

from ganopt.data import image_folder
from ganopt.data.synthetic import PREFIX, load
from ganopt.models.sampling import save_png
from ganopt.runs import timelapse
from ganopt.training import live_fid, loop
from ganopt.training.methods import new_state, resolved
from ganopt.training.recipes import Recipe
from ganopt.ui import requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("films"))
    parser.add_argument("--preset", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--second-critic", choices=("on", "off"))
    parser.add_argument("--network")
    parser.add_argument("--side", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--data", type=Path, help="folder of pictures to use instead of the preset's")
    parser.add_argument("--classes", default="")
    parser.add_argument("--count", type=int, default=200, help="pictures of the folder, evenly chosen")
    options = parser.parse_args()
    name, asked = list(requests.PRESETS.items())[options.preset]
    second_critic = (
        asked.second_critic if options.second_critic is None else {"on": "projected", "off": ""}[options.second_critic]
    )
    changes = {key: value for key in ("network", "side", "minutes") if (value := getattr(options, key))}
    asked = dataclasses.replace(asked, second_critic=second_critic, **changes)
    if options.side and options.side > 32:
        asked = dataclasses.replace(asked, more={})  # the preset's are for small pictures
    critics = "two critics" if second_critic else "one critic"
    measured = dataclasses.replace(asked, more=asked.more | {"live_fids": 4})
    made = resolved(requests.make_recipe(measured, public=False))
    print(f"{name}: {made.generator}, {made.side} pixels, {made.minutes:g} minutes, {critics}")
    pictures = _pictures(made, options)
    for seed in range(options.runs):
        recipe = dataclasses.replace(made, seed=seed)
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


def _pictures(recipe: Recipe, options: argparse.Namespace) -> Tensor | None:
    if not recipe.needs_pictures:
        return None
    if options.data is None:
        return load(recipe.data.removeprefix(PREFIX), recipe.side)
    pictures = image_folder.load(options.data, recipe.side, options.classes).pictures
    chosen = [index * len(pictures) // options.count for index in range(options.count)]
    return torch.from_numpy(pictures[chosen])


if __name__ == "__main__":
    main()
