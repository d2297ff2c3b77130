"""Pictures to train on without a download: faces that one of our models draws, made once and cached."""

import hashlib
import math

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d
from tqdm import tqdm

from ganopt.errors import UserError
from ganopt.files import atomic_write, cache_folder, code_version, sha256
from ganopt.models import zoo
from ganopt.models.latents import latents
from ganopt.models.sampling import CHUNK, draw, fused

PREFIX = "sample:"  # before the name of a model, where a run's folder of pictures could stand
CODE = ("models", "data/synthetic.py")  # what draws them
SEEDS = range(1_000_000, 1_002_000)  # far from those that are shown and measured


def load(model: str, side: int) -> Tensor:
    """The faces of a model, uint8 (2000, 3, side, side). Raises UserError where it draws smaller ones."""
    made_from = f"{sha256(zoo.locate(model))} {SEEDS} {side} {code_version(*CODE)}"
    cached = cache_folder() / "samples" / f"{hashlib.sha256(made_from.encode()).hexdigest()[:32]}.safetensors"
    try:
        return load_file(cached)["pictures"]
    except (SafetensorError, OSError, KeyError):  # none yet, or damaged
        pictures = _drawn(model, side)
    with atomic_write(cached) as temporary:
        save_file({"pictures": pictures}, temporary)
    return pictures


def _drawn(model: str, side: int) -> Tensor:
    generator = fused(zoo.load(model), torch.device("cpu"))
    factor = generator.architecture.side // side
    if not factor:
        raise UserError(f"{model} draws {generator.architecture.side} pixels; train a network of no more than that.")
    chunks = latents(SEEDS).split(CHUNK)
    bar = tqdm(chunks, f"Drawing {len(SEEDS)} faces", math.ceil(len(SEEDS) / CHUNK), leave=False)
    return torch.cat([avg_pool2d(draw(generator, z).float(), factor).round().to(torch.uint8) for z in bar])
