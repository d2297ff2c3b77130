"""Training pictures without a download: faces drawn by one of our models, cached on disk."""

import hashlib
import math

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d
from tqdm import tqdm

from ganopt.errors import UserError
from ganopt.files import cache_folder, code_version, read_tensors, sha256, write_cache
from ganopt.models import zoo
from ganopt.models.latents import latents
from ganopt.models.sampling import CHUNK, draw, inference_copy

PREFIX = "sample:"  # before the name of a model, in place of a folder of pictures
CODE = ("models", "data/synthetic.py")  # the code that draws them
SEEDS = range(1_000_000, 1_002_000)  # far from the seeds that are shown and measured


def load(model: str, side: int) -> Tensor:
    """Faces of a model, uint8 (2000, 3, side, side). Raises UserError if the model draws smaller ones."""
    made_from = f"{sha256(zoo.locate(model))} {SEEDS} {side} {code_version(*CODE)}"
    cached = cache_folder() / "samples" / f"{hashlib.sha256(made_from.encode()).hexdigest()[:32]}.safetensors"
    try:
        return read_tensors(cached)["pictures"]
    except (SafetensorError, OSError, KeyError):  # not cached yet, or damaged
        pictures = _draw_faces(model, side)
    write_cache(cached, lambda path: save_file({"pictures": pictures}, path))
    return pictures


def _draw_faces(model: str, side: int) -> Tensor:
    generator = inference_copy(zoo.load(model), torch.device("cpu"))
    factor = generator.architecture.side // side
    if not factor:
        raise UserError(
            f"{model} draws pictures of {generator.architecture.side} pixels; train a network for that size or less."
        )
    chunks = latents(SEEDS).split(CHUNK)
    bar = tqdm(chunks, f"Drawing {len(SEEDS)} faces", math.ceil(len(SEEDS) / CHUNK), leave=False)
    return torch.cat([avg_pool2d(draw(generator, z).float(), factor).round().to(torch.uint8) for z in bar])
