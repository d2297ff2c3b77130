"""What the Lab's experiments come to where it takes minutes: several seeds of each setting.

    python -m tests.bench.lab [SETTING ...]

Without names, all settings run. Prints for each the figures of each seed, with the right answers.
"""

import sys
import time

from ganopt.lab.registry import find_experiment

SETTINGS = {
    "k = 5": ("gan-1d", "", 3),
    "k = 1": ("gan-1d", "critic_steps=1,iterations=3000", 3),
    "one network wins": ("gan-1d", "loss=minimax,critic_steps=1,lr_g=0.05,falling=0", 3),
    "mixture": ("gan-1d", "data=mixture,iterations=1500", 3),
    "uniform noise": ("gan-1d", "noise=uniform", 3),
    "slippery 8x8": ("q-learning", "map=8x8,slippery=true,episodes=20000", 8),
    "4x4, first of ties": ("q-learning", "ties=first", 60),
    "spiral": ("diffusion-2d", "", 2),
    "moons": ("diffusion-2d", "data=moons", 2),
    "few labels": ("distil-classifier", "", 2),
    "left-out digit": ("distil-classifier", "left_out=3,mix=1,temperature=10,steps=600", 2),
    "relational": ("autoencoder", "kind=relational", 3),
    "stacked": ("autoencoder", "kind=stacked,data=vectors,layers=4,hidden=32,iterations=2000", 5),
    "stacked, ReLU": ("autoencoder", "kind=stacked,data=vectors,layers=4,hidden=32,iterations=2000,units=ReLU", 5),
    "semi-supervised": ("autoencoder", "kind=semi-supervised,data=vectors,code=4,labelled=10", 5),
    "pre-trained": ("pretraining", "", 5),
    "more and more tasks": ("pretraining", "tasks=one to three", 3),
    "DDIM": ("diffusion-2d", "sampler=DDIM,sampler_steps=10,gan=false", 2),
}


def main() -> None:
    for name in sys.argv[1:] or SETTINGS:
        experiment, text, seeds = SETTINGS[name]
        found = find_experiment(experiment)
        print(f"{experiment}, {name}: {text or 'defaults'}")
        for seed in range(seeds):
            started = time.process_time()
            *_, frame = found.frames(found.parse(",".join(filter(None, (text, f"seed={seed}")))))
            figures = ", ".join(
                f"{title} {each.measured:.4g}" + (f" (right: {each.right})" if each.right else "")
                for title, each in frame.figures.items()
            )
            print(f"  seed {seed}: {figures}; {time.process_time() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
