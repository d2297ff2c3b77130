"""Comparing models on the same seeds: faces, differences to the first model, plots."""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, interpolate

from ganopt.errors import UserError
from ganopt.metrics import features
from ganopt.models import model_cache, zoo
from ganopt.models.catalogue import Entry, catalogue
from ganopt.models.checkpoint_files import checkpoint
from ganopt.models.latents import Face
from ganopt.thesis import protocols, tables
from ganopt.thesis.model_facts import megabytes
from ganopt.thesis.results import Records
from ganopt.viz.charts import Plot, Point

MAX_MODELS, MAX_SEEDS = 5, 16
BRIGHTEST = 0.25  # the difference shown in the brightest colour of a map
RAMP = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))  # its colours, evenly spaced

load_extractor = functools.lru_cache(maxsize=1)(features.load_extractor)


@dataclass(frozen=True)
class Comparison:
    """The faces of several models from the same seeds or points."""

    models: list[str]
    seeds: list[Face]
    pictures: Tensor  # uint8 (models, seeds, 3, side, side)
    differences: Tensor  # (models, seeds): mean absolute difference to the first model's picture, 0 to 1
    seconds: float  # for drawing


def compare(models: list[str], device: torch.device, seeds: list[Face]) -> Comparison:
    """Draw the same seeds with several models of the catalogue or of runs.

    Smaller pictures are enlarged to the size of the largest by repeating pixels, which adds to their difference.
    Raises UserError for an unknown model, and for too many or too few models or seeds.
    """
    for what, count, most in (("models", len(models), MAX_MODELS), ("seeds", len(seeds), MAX_SEEDS)):
        if not 1 <= count <= most:
            raise UserError(f"{count} {what} cannot be compared; choose 1 to {most}.")
    zoo.check_offered(models)
    faces = [model_cache.faces(name, device, seeds, 1.0) for name in models]
    side = max(each.pictures.shape[-1] for each in faces)
    pictures = torch.stack([interpolate(each.pictures, size=side) for each in faces])
    differences = _difference(pictures, pictures[:1]).mean(dim=(2, 3, 4))
    return Comparison(models, seeds, pictures, differences, sum(each.seconds for each in faces))


def cosines(first: Tensor, second: Tensor, device: torch.device) -> list[float]:
    """The cosine similarity, 0 to 1, of the Inception features of two sets of pictures uint8 (N, 3, H, W), pairwise."""
    rows = features.rows_of(torch.cat([first, second]), load_extractor(device), batch=1)
    ours, theirs = rows.chunk(2)
    return cosine_similarity(ours, theirs).tolist()


def difference_map(first: Tensor, second: Tensor) -> Tensor:
    """A map of the differences between two pictures uint8 (3, H, W), as such a picture.

    It shows the mean absolute difference of the colour channels: black is 0, pale yellow is BRIGHTEST or more.
    """
    ramp = torch.tensor(RAMP, dtype=torch.float32)
    place = (_difference(first, second).mean(dim=0) / BRIGHTEST).clamp(max=1) * (len(ramp) - 1)  # (H, W)
    below = place.long().clamp(max=len(ramp) - 2)
    colours = torch.lerp(ramp[below], ramp[below + 1], (place - below)[..., None])  # (H, W, 3)
    return colours.round().to(torch.uint8).permute(2, 0, 1)


def results() -> Records:
    """The results of the shipped models; empty without a results file."""
    try:
        return tables.read(checkpoint("results.json"))
    except UserError:
        return {}


def plots(records: Records) -> list[Plot]:
    """Plots of size against FID for the models of the catalogue, one for each protocol and reference."""
    groups: dict[tuple, list[str]] = {}
    for name in catalogue():
        if record := records.get(("fid", name)):
            key = (*protocols.protocol(record), record["reference"], record["reference_hash"])
            groups.setdefault(key, []).append(name)
    found = []
    for (count, *_, reference, _), names in groups.items():
        points = (Point(name, megabytes(catalogue()[name]), records["fid", name]["fid"]) for name in names)
        floor = protocols.floor(records, records["fid", names[0]])
        found.append(Plot(f"fid{count} against {reference}", tuple(points), floor["fid"] if floor else None))
    return found


def presets() -> dict[str, list[str]]:
    """Comparisons that illustrate a method, with the baseline first, as far as the catalogue has the models."""
    entries, found = catalogue(), {}
    teacher = _teacher(entries)
    if students := [name for name in _like(teacher, entries) if entries[name].role == "student"]:
        found["Teacher and students"] = [teacher, *students]
    sources = {name: entry.source or teacher for name, entry in entries.items() if entry.role == "transfer"}
    sources.pop(teacher, None)  # if the only models are transfers
    if (source := next(iter(sources.values()), "")) in entries:
        found["Before and after transfer"] = [source, *(name for name, each in sources.items() if each == source)]
    return {text: names[:MAX_MODELS] for text, names in found.items()}


def first_choice() -> list[str]:
    """The models that are selected first: a teacher and another model of the same animal, if any.

    The catalogue must not be empty.
    """
    entries = catalogue()
    teacher = _teacher(entries)
    return [teacher, *(name for name in _like(teacher, entries) if name != teacher)][:2]


def _teacher(entries: dict[str, Entry]) -> str:
    """The first teacher of a catalogue, else its first model."""
    return next((name for name, entry in entries.items() if entry.role == "teacher"), next(iter(entries)))


def _like(model: str, entries: dict[str, Entry]) -> list[str]:
    """The models of the same animal, which is the first part of a name: cats-teacher, cats-student."""
    return [name for name in entries if name.partition("-")[0] == model.partition("-")[0]]


def _difference(first: Tensor, second: Tensor) -> Tensor:
    """The absolute difference of uint8 tensors, 0 to 1."""
    return (first.float() - second.float()).abs() / 255
