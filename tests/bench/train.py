"""Our training step against a plain loop written the usual way: pictures a second, in one run, alternating.

    python -m tests.bench.train --data FOLDER [--rounds 3] [--batch 16]

Both train the thesis's generator and critic by WGAN-GP. The plain loop is float32 and NCHW, decodes each picture
from its JPEG when it needs it, and sends every loss through a backward pass of its own. Ours is
`ganopt.training.loop.train` at the settings printed below. A round is one step: n_critic critic updates and one of the
generator. Prints the median of each and their ratio.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from ganopt.data import image_folder
from ganopt.models.networks import LATENT_SIZE, build_critic, build_generator
from ganopt.training import methods
from ganopt.training.loop import train


def plain_loop(files: list[Path], batch: int, n_critic: int) -> Iterator[None]:
    generator, critic = build_generator("big"), build_critic("critic")
    generator.layers[1][0] = nn.ConvTranspose2d(2048, 1024, 4, 2, 1)  # torch's own, as all others
    critic.layers[4][0] = nn.Conv2d(512, 1024, 4, 2, 1)
    for stage in critic.layers[:-1]:
        stage[1] = nn.InstanceNorm2d(stage[1].num_channels, affine=True)
    optimiser_g = torch.optim.Adam(generator.parameters(), 5e-4, (0.0, 0.999))
    optimiser_d = torch.optim.Adam(critic.parameters(), 5e-4, (0.0, 0.999))
    one = torch.tensor(1.0)
    while True:
        for _ in range(n_critic):
            chosen = np.random.choice(len(files), batch, replace=False)
            pictures = []
            for index in chosen:
                with Image.open(files[index]) as image:
                    array = np.asarray(image.convert("RGB").resize((128, 128), Image.Resampling.LANCZOS))
                pictures.append(torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 127.5 - 1)
            real = torch.stack(pictures)
            optimiser_d.zero_grad()
            fake = generator(torch.randn(batch, LATENT_SIZE, 1, 1)).detach()
            critic(real).mean().backward(-one)
            critic(fake).mean().backward(one)
            mix = torch.rand(batch, 1, 1, 1)
            between = (mix * real + (1 - mix) * fake).requires_grad_()
            scores = critic(between)
            (gradient,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True)
            (10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()).backward()
            optimiser_d.step()
        optimiser_g.zero_grad()
        critic(generator(torch.randn(batch, LATENT_SIZE, 1, 1))).mean().backward(-one)
        optimiser_g.step()
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--classes", default="cat")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    arguments = parser.parse_args()
    recipe = methods.recipe(
        "wgan-gp",
        data=str(arguments.data),
        classes=arguments.classes,
        batch=arguments.batch,
        precision="bfloat16",
        device="cpu",
        steps=arguments.rounds + 1,
    )
    files = [arguments.data / name for name in image_folder.find(arguments.data, arguments.classes)]
    loops = {"plain": plain_loop(files, recipe.batch, recipe.n_critic), "ganopt": train(recipe)}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for round_number in range(arguments.rounds + 1):  # the first round warms up
        for name, loop in loops.items():
            start = time.perf_counter()
            next(loop)
            if round_number:
                seconds[name].append(time.perf_counter() - start)
    pictures = recipe.batch * recipe.n_critic
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, batch {recipe.batch}, {recipe.precision}")
    for name, median in medians.items():
        print(f"{name:8} {pictures / median:6.2f} pictures/s   {median:6.2f} s a step of {recipe.n_critic} + 1 updates")
    print(f"ratio    {medians['plain'] / medians['ganopt']:6.2f}")


if __name__ == "__main__":
    main()
