"""What a model can reach: the distances at which held-out photographs are found, recorded in `checkpoints/`."""

import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from ganopt.errors import UserError
from ganopt.files import to_json, write_text
from ganopt.models.catalogue import read_json
from ganopt.models.checkpoint_files import checkpoint
from ganopt.models.latents.inversion import SEEDS, Search, search
from ganopt.models.networks import Generator

FILE = "reach.json"  # in checkpoints/: a record for each model
Record = dict[str, Any]  # distances, in ascending order, and the mean distance of seeds


def measure(generator: Generator, photographs: Tensor) -> Iterator[Record]:
    """Find held-out photographs, uint8 (N, 3, side, side): yields the record of the first one, of the first two, ...

    The time is not limited, so the record is the same on any machine.
    """
    found: list[float] = []
    seeds: list[float] = []
    for photograph in photographs:
        *_, last = search(generator, photograph, float("inf"))
        found.append(round(last.distance, 4))
        seeds.append(last.typical)
        yield {"distances": sorted(found), "seeds": round(sum(seeds) / len(seeds), 4)}


def write(path: Path, model: str, record: Record) -> None:
    """Write the record of a model into a file. Raises UserError if the file is damaged or cannot be written."""
    write_text(path, to_json(read_json(path) | {model: record}, indent=1) + "\n")


def typical(model: str) -> Record | None:
    """The record of a shipped model; None if it has none."""
    try:
        return read_json(checkpoint(FILE)).get(model)
    except UserError:
        return None


def say(result: Search, model: str) -> list[str]:
    """Sentences on how near the face of a finished search is, beside seeds and held-out photographs."""
    said = [
        f"Distance {result.distance:.2f}. The nearest of the seeds {SEEDS[0]}-{SEEDS[-1]}, {result.nearest_seed}, "
        f"is at {result.nearest:.2f}, an average one at {result.typical:.2f}."
    ]
    if result.is_cut_off:
        said.append("The time was up before the search had ended, as the machine is busy; try again for a nearer one.")
    elif record := typical(model):
        said.append(_compared(result.distance, record))
    return said


def _compared(distance: float, record: Record) -> str:
    known = record["distances"]
    mean, farther = sum(known) / len(known), len(known) - bisect.bisect_right(known, distance)
    text = f"Held-out photographs that were found in the same way end at {mean:.2f} on average"
    if farther == 0:
        return (
            f"{text}, and this one is farther than all {len(known)}: the model cannot draw it; another crop, with the "
            "face in the middle, may be nearer."
        )
    return f"{text}; {farther} of {len(known)} are farther than this one."
