"""Inception features of a model's faces, of a folder, or of an archive.

Functions `of_...` that run the network are generators: they yield how many more pictures are done, and return the
sample. Closing one stops it; `finish` runs it to its end.
"""

import dataclasses
import hashlib
import itertools
import math
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ganopt import distributed
from ganopt.data import image_folder, isolated
from ganopt.data.decode import MAX_PIXELS, decode_whole
from ganopt.errors import UserError
from ganopt.files import cache_folder, code_version, sha256, write_cache
from ganopt.metrics import inception, samples, sliced_wasserstein
from ganopt.metrics.extraction import extract
from ganopt.metrics.fid import Moments
from ganopt.metrics.inception import Inception
from ganopt.metrics.samples import KEPT, Sample
from ganopt.models import zoo
from ganopt.models.latents import format_seeds, latents
from ganopt.models.sampling import draw, inference_copy

BLOCK = 500  # rows that are added to the covariance at a time
MIN_PICTURES, MAX_PICTURES = 50, 50_000  # pictures in a sample of a model
ALL = sys.maxsize  # pictures of a folder or file, however many there are
LARGEST_BATCH = 64 << 20  # bytes of pictures in a batch, unless it is a single picture
CODE = ("models", *image_folder.DECODING, "data/isolated.py", "metrics")  # the code that features depend on
BATCH_CPU, BATCH_GPU = 4, 64  # small batches fit into a CPU's caches

# batches, for a skipped picture the reason, and the function from a batch to its pictures, uint8 (n, 3, H, W)
Work = tuple[Iterable[Tensor | str], Callable[[Tensor], Tensor]]
Described = tuple[Tensor, ...]  # rows, and pictures for the sliced Wasserstein distance
Keyed = tuple[Tensor, Tensor]  # rows or pictures, and the keys of the pictures
# yields how many more pictures are done, and returns the sample
Extraction = Generator[int, None, Sample]


@dataclass(frozen=True)
class Extractor:
    """The Inception network, its device and its precision."""

    network: Inception
    device: torch.device
    precision: str

    @property
    def hash(self) -> str:
        return f"{self.network.digest[:16]}-{self.precision}"

    @property
    def batch(self) -> int:
        """Pictures in a batch."""
        return BATCH_CPU if self.device.type == "cpu" else BATCH_GPU


def load_extractor(device: torch.device, precision: str = "float32", source: str = "") -> Extractor:
    """The network, ready on a device. Features in bfloat16 are compared only with others in bfloat16."""
    extractor = Extractor(inception.load(source, precision).to(device), device, precision)
    if device.type == "cpu":
        extractor.network.pack(extractor.batch)
    return extractor


def of_model(name: str, seeds: Sequence[int], extractor: Extractor) -> Extraction:
    """Faces that a model draws from seeds, rounded to bytes as in a PNG file."""
    text = format_seeds(seeds)

    def prepare(size: int) -> Work:
        generator = inference_copy(zoo.load(name), extractor.device)
        return latents(seeds).split(size), lambda z: draw(generator, z).to(extractor.device)

    sample = yield from _sample(name, f"{sha256(zoo.locate(name))} {text}", len(seeds), prepare, extractor)
    return dataclasses.replace(sample, seeds=text, keys=None)


def of_folder(folder: Path, extractor: Extractor, most: int = ALL, seed: int = 0) -> Extraction:
    """The pictures of a folder, not cropped; if there are more than `most`, they are drawn evenly with a seed.

    Unreadable ones are skipped. Raises UserError if fewer than 50 can be read.
    """
    found = image_folder.find(folder)
    names = [found[index] for index in image_folder.drawn(len(found), most, seed)]
    decoded = (decode_whole(str(folder / name)) for name in names)
    digest, others = image_folder.content_hash(folder, names), image_folder.survey(folder).left_out
    upload = isolated.Upload(len(names), len(found), others, digest, decoded)
    return (yield from _of_files(folder.resolve().name, upload, seed, extractor))


def choice(count: int, available: int, seed: int, *others: str) -> str:
    """What `Sample.drawn` says of a choice, and of other files; empty if all files were taken."""
    drawn = f"{count} of {available} pictures, drawn with seed {seed}" if count < available else ""
    return "; ".join(filter(None, [drawn, *others]))


def _of_files(label: str, files: isolated.Upload, seed: int, extractor: Extractor) -> Extraction:
    """Pictures of any size, chosen with a seed."""
    if files.count < MIN_PICTURES:
        raise UserError(f"{label} contains {files.count} pictures; FID needs at least {MIN_PICTURES}.")

    def batches(size: int) -> Iterator[Tensor | str]:
        readable, reasons = 0, []
        for shape, same in itertools.groupby(files.pictures, key=lambda each: getattr(each, "shape", None)):
            if shape is None:
                for reason in map(str, same):
                    reasons.append(reason)
                    yield reason
                continue
            most = max(min(size, LARGEST_BATCH // math.prod(shape)), 1)
            while chunk := list(itertools.islice(same, most)):
                readable += len(chunk)
                yield torch.from_numpy(np.stack(chunk))
        if readable < MIN_PICTURES:
            why = f" ({len(reasons)} were skipped, the first because {reasons[0]})" if reasons else ""
            raise UserError(f"Only {readable} pictures in {label} can be read{why}; FID needs at least {MIN_PICTURES}.")

    sample = yield from _sample(label, files.hash, files.count, lambda size: (batches(size), _unchanged), extractor)
    left_out = files.left_out and f"left out: {files.left_out}"
    return dataclasses.replace(sample, drawn=choice(files.count, files.available, seed, sample.drawn, left_out))


def of_pictures(name: str, pictures: Tensor, extractor: Extractor) -> Extraction:
    """Pictures in memory, uint8 (N, 3, H, W)."""
    digest = hashlib.sha256(pictures.contiguous().numpy().data).hexdigest()
    return (yield from _sample(name, digest, len(pictures), lambda size: (pictures.split(size), _unchanged), extractor))


def of_path(
    path: Path, extractor: Extractor, most: int = ALL, most_pixels: int = MAX_PIXELS, seed: int = 0
) -> Extraction:
    """The pictures of a folder or a zip file, or pytorch-fid's statistics in an .npz file.

    If there are more than `most`, they are drawn evenly with a seed. Pictures of a zip file with more than
    `most_pixels` are skipped.
    """
    if is_statistics(path):
        return samples.read_statistics(path)
    if os.path.isfile(path):  # unlike Path.is_file, never raises
        with isolated.opened(path, most, most_pixels, seed) as uploads:
            while (upload := next(uploads)) is None:
                yield 0  # a chance to stop
            return (yield from _of_files(path.name, upload, seed, extractor))
    return (yield from of_folder(path, extractor, most, seed))


def is_statistics(path: Path) -> bool:
    """Whether a path is taken for a file of statistics, whose precision is that of pytorch-fid, float32."""
    return path.suffix.lower() == ".npz" and not os.path.isdir(path)


def rows_of(pictures: Tensor, extractor: Extractor, batch: int = 0) -> Tensor:
    """The features of pictures in memory, not cached: uint8 (N, 3, H, W) -> (N, 2048) float32."""
    batches = pictures.split(batch or extractor.batch)
    return torch.cat(
        [rows for rows in extract(batches, extractor.network, extractor.device) if isinstance(rows, Tensor)]
    )


def finish(extraction: Extraction) -> Sample:
    """Run an extraction to its end and return the sample."""
    while True:
        try:
            next(extraction)
        except StopIteration as end:
            return end.value


def _sample(name: str, digest: str, count: int, prepare: Callable[[int], Work], extractor: Extractor) -> Extraction:
    """A sample, which says why pictures were skipped, from the cache, else computed. `prepare` gets the batch size."""
    digest = hashlib.sha256(f"{digest} {extractor.hash}".encode()).hexdigest()[:32]
    key = hashlib.sha256(f"{digest} {count} {code_version(*CODE)}".encode()).hexdigest()[:32]
    cached = cache_folder() / "features" / f"{key}.safetensors"
    if sample := distributed.first(samples.cached(cached, name, digest)):
        yield count
        return sample
    batches, pictures_of = prepare(extractor.batch)

    def describe(batch: Tensor) -> Described:
        pictures = pictures_of(batch)
        return extractor.network(pictures), sliced_wasserstein.resized(pictures)

    moments = Moments()
    kept: list[Keyed] = []
    block: list[Described] = []
    reasons: list[str] = []
    for described in distributed.merged(extract(distributed.own_items(batches), describe, extractor.device)):
        if isinstance(described, str):
            reasons.append(described)
            yield 0
            continue
        yield len(described[0])
        block.append(described)
        if sum(len(rows) for rows, _ in block) >= BLOCK:
            kept = _take(block, moments, kept)
            block = []
    if block:
        kept = _take(block, moments, kept)
    (rows, keys), (pictures, _) = kept
    patches = sliced_wasserstein.summarise(pictures)
    tensors = {"rows": rows, "keys": keys, "count": torch.tensor(moments.count), "patches": patches}
    if moments.count > KEPT:
        gaussian = moments.gaussian()
        tensors |= {"mean": gaussian.mean, "factor": gaussian.factor.contiguous()}
    skipped = f"{len(reasons)} cannot be read, the first because {reasons[0]}" if reasons else ""
    if not distributed.rank():
        write_cache(cached, lambda path: save_file(tensors, path, {"skipped": skipped}))
    return samples.restored(name, digest, tensors, skipped)


def _take(block: list[Described], moments: Moments, kept: list[Keyed]) -> list[Keyed]:
    """Add rows to the moments, and keep the rows of KEPT random pictures, and the pictures for SWD, in order.

    Which ones depends on the bytes of the pictures, not on their order or names.
    """
    rows, pictures = (torch.cat(parts) for parts in zip(*block, strict=True))
    moments.add(rows)
    keys = sliced_wasserstein.content_keys(pictures)
    added = [(rows, keys), (pictures, keys)]
    if not kept:
        kept = [(each[:0], keys[:0]) for each, _ in added]
    chosen = []
    for old, new, most in zip(kept, added, (KEPT, sliced_wasserstein.PICTURES), strict=True):
        each, keys = (torch.cat(pair) for pair in zip(old, new, strict=True))
        smallest = keys.argsort(stable=True)[:most].sort().values
        chosen.append((each[smallest], keys[smallest]))
    return chosen


def _unchanged(pictures: Tensor) -> Tensor:
    return pictures
