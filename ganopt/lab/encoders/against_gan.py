"""Autoencoder, variational autoencoder and GAN in one table: `python -m ganopt.lab.encoders.against_gan`.

All three draw faces of 32 pixels with the same generator from the same number of latents, after as many seconds of
training of one core on the same faces, which the shipped teacher draws. The GAN is our own, by the recipe r1. An
autoencoder has no distribution of codes: it draws from the normal distribution that its codes have. KID, precision and
recall are those of Inception's features against other faces of the teacher. Writes `finished/autoencoder.table.json`,
which the card of the autoencoders shows.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganopt.errors import exit_on_user_error
from ganopt.files import to_json, write_text
from ganopt.lab.encoders.objects import CHUNK, FIRST_SEED, drawn
from ganopt.lab.encoders.penalties import gaussian_kl
from ganopt.lab.networks import adam, descend
from ganopt.lab.release import FINISHED
from ganopt.metrics.features import Extractor, load_extractor, rows_of
from ganopt.metrics.fid import kernel_distance, precision_and_recall
from ganopt.models import weights
from ganopt.models.latents import latents
from ganopt.models.networks import LATENT_SIZE, Generator, build_generator, count_parameters
from ganopt.models.sampling import draw, from_bytes
from ganopt.training import loop
from ganopt.training.methods import recipe

TEACHER, SIDE, GENERATOR, CRITIC = "cats-teacher", 32, "big/8@32", "plain-critic/8"
BATCH, RATE, CHANNELS = 32, 1e-3, (32, 64, 128)
PRECISION = 0.15  # deviation of a pixel, from -1 to 1, from the decoded one, of the variational autoencoder
GAN = {"lr_g": 5e-4, "penalty": 0.4, "penalty_every": 8, "ema": 0.99, "augment": ("color", "translation")}
HEADS = ("", "KID x 1000", "precision", "recall", "steps")


def encoder(outputs: int) -> nn.Module:
    """Pictures (N, 3, 32, 32) -> (N, outputs)."""
    layers: list[nn.Module] = []
    for inputs, channels in zip((3, *CHANNELS), CHANNELS, strict=False):
        layers += [nn.Conv2d(inputs, channels, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1] * (SIDE // 8) ** 2, outputs))


def train_autoencoder(pictures: Tensor, seconds: float, is_variational: bool) -> tuple[Generator, Tensor, int]:
    """Train on uint8 (N, 3, 32, 32); returns the decoder, the codes of all pictures (N, 100), and the steps."""
    torch.manual_seed(0)
    chance, steps = torch.Generator().manual_seed(0), 0
    encode, decode = encoder(LATENT_SIZE * (2 if is_variational else 1)), build_generator(GENERATOR).train()
    learner = adam(nn.ModuleList((encode, decode)))
    for share in _shares(seconds):
        x = from_bytes(pictures[torch.randint(len(pictures), (BATCH,), generator=chance)])
        mean, *log_variance = encode(x).split(LATENT_SIZE, 1)
        z, divergence = mean, torch.zeros(())
        if log_variance:
            z = mean + (log_variance[0] / 2).exp() * torch.randn(mean.shape, generator=chance)
            divergence = gaussian_kl(mean, log_variance[0], 1.0).mean() * 2 * PRECISION**2 / x[0].numel()
        descend(learner, mse_loss(decode(z[:, :, None, None]), x) + divergence, RATE * min(1.0, 2 - 2 * share))
        steps += 1
    with torch.no_grad():
        codes = torch.cat([encode(from_bytes(part))[:, :LATENT_SIZE] for part in pictures.split(100)])
    return decode.eval(), codes, steps


def train_gan(pictures: Tensor, seconds: float) -> tuple[Generator, int]:
    """Train on uint8 (N, 3, 32, 32); returns the moving average of the generator, and the steps."""
    plan = recipe("r1", generator=GENERATOR, critic=CRITIC, batch=BATCH, steps=10**6, device="cpu", **GAN)
    with tempfile.TemporaryDirectory() as folder:
        run = loop.train(plan, Path(folder) / "run", pictures)
        for _, step in zip(_shares(seconds), run, strict=False):
            steps = step.step
        run.close()
        generator = weights.load(Path(folder) / "run" / "generator.safetensors")
    assert isinstance(generator, Generator)
    return generator, steps


def compare(faces: Tensor, count: int, seconds: float, extractor: Extractor) -> list[tuple[str, ...]]:
    """The rows of the table: train on all faces but the last 2 `count`, measure `count` of each against the last."""
    seen, others, real = faces[: -2 * count], faces[-2 * count : -count], faces[-count:]
    z = latents(range(count))
    plain, codes, steps = train_autoencoder(seen, seconds, is_variational=False)
    factor = torch.linalg.cholesky(codes.T.cov() + 1e-4 * torch.eye(LATENT_SIZE))
    drawn_codes = codes.mean(0) + z.flatten(1) @ factor.T
    variational, _, variational_steps = train_autoencoder(seen, seconds, is_variational=True)
    gan, gan_steps = train_gan(seen, seconds)
    samples: dict[str, tuple[Tensor, int | None]] = {
        "other faces of the teacher": (others, None),
        "autoencoder": (draw(plain, drawn_codes[:, :, None, None]), steps),
        "variational autoencoder": (draw(variational, z), variational_steps),
        "GAN": (draw(gan, z), gan_steps),
    }
    reference, rows = rows_of(real, extractor), list[tuple[str, ...]]()
    for name, (pictures, taken) in samples.items():
        found = rows_of(pictures, extractor)
        kid, deviation = kernel_distance(reference, found)
        precision, recall = precision_and_recall(reference, found)
        kid_text = f"{1000 * kid:.1f} ± {1000 * deviation:.1f}"
        rows.append((name, kid_text, f"{precision:.2f}", f"{recall:.2f}", f"{taken:,}" if taken else ""))
    return rows


def faces_of(model: str, count: int) -> Tensor:
    """Faces of a model, reduced to 32 pixels: uint8 (count, 3, 32, 32)."""
    return torch.cat([drawn(model, FIRST_SEED + start, SIDE) for start in range(0, count, CHUNK)])[:count]


def _shares(seconds: float) -> Iterator[float]:
    """The shares of the processor's time that are spent, until all is."""
    start = time.process_time()
    while (share := (time.process_time() - start) / seconds) < 1:
        yield share


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m ganopt.lab.encoders.against_gan")
    parser.add_argument("--seconds", type=float, default=30.0, help="of training of each, of one core")
    parser.add_argument("--faces", type=int, default=1200, help="faces to train on")
    parser.add_argument("--count", type=int, default=200, help="faces in a sample")
    options = parser.parse_args()
    faces = faces_of(TEACHER, options.faces + 2 * options.count)
    rows = compare(faces, options.count, options.seconds, load_extractor(torch.device("cpu"), "bfloat16"))
    size = count_parameters(build_generator(GENERATOR))
    title = (
        f"Faces of 32 pixels, drawn by generators of {size:,} values after {options.seconds:g} s of training of one "
        f"core on {options.faces:,} faces of {TEACHER}; {options.count} of each, against other faces of the teacher"
    )
    table = {"title": title, "heads": HEADS, "rows": rows}
    write_text(FINISHED / "autoencoder.table.json", to_json(table, indent=1, ensure_ascii=False) + "\n")
    print(title, *map(" | ".join, (HEADS, *rows)), sep="\n")


if __name__ == "__main__":
    with exit_on_user_error():
        main()
