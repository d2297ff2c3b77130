"""What a model takes and how good it is, in one precision for all models, and what another one saves."""

import functools
from dataclasses import dataclass

import torch

from ganopt.models import model_cache, weights, zoo
from ganopt.models.catalogue import Entry
from ganopt.models.networks import parameters_of
from ganopt.thesis import protocols
from ganopt.thesis.results import Record, Records
from ganopt.training import profiling

WHAT = {  # a model of each role is
    "teacher": "A large network, trained from scratch",
    "student": "A small network, which imitates a teacher",
    "transfer": "A network that went on from another one with other pictures",
}
REPEATS = 20  # pictures drawn to measure the latency of a model without a recorded one


@dataclass(frozen=True)
class Facts:
    """Facts about a model. `latency` is in seconds; it and `fid` are None if they have not been measured."""

    entry: Entry
    parameters: int
    latency: float | None
    device: str  # that the latency was measured on
    fid: Record | None

    @property
    def lines(self) -> list[str]:
        """One fact a line: title, name and parameters; size as float16 and on disk; latency, FID and its spread."""
        entry = self.entry
        lines = [entry.title, f"{entry.name}, {self.parameters / 1e6:.2f} M parameters"]
        lines += [f"{megabytes(entry):.1f} MB as float16", f"({on_disk(entry)})"]
        if self.latency:
            lines.append(f"{1000 * self.latency:.1f} ms a face on {self.device}")
        if self.fid:
            fids = self.fid["fids"]
            lines.append(f"fid{self.fid['count']} {self.fid['fid']:.2f}, {self.fid['reference']}")
            lines += [f"({min(fids):.2f} to {max(fids):.2f})"] if len(fids) > 1 else []
        return lines


def megabytes(entry: Entry) -> float:
    """The size of a model's parameters as float16, in MB, however its file stores them."""
    return 2 * parameters_of(entry.architecture) / 1e6


def sentence(entry: Entry) -> str:
    """What a model is, in a sentence."""
    kind = WHAT[entry.role]
    return f"{kind}, {megabytes(entry):.1f} MB as float16 ({entry.architecture}), trained on {entry.trained_on}."


def on_disk(entry: Entry) -> str:
    """The size of a model's file, how it stores the weights, and what it leaves out."""
    stored = weights.storage(zoo.locate(entry.name, local=False)).replace("int8", "8-bit")
    borrowed = f", without what it shares with {entry.source}" if entry.source else ""
    return f"{entry.bytes / 1e6:.1f} MB on disk, {stored}{borrowed}"


def facts(
    models: list[str], records: Records, latencies: dict[str, float] | None = None, device: str = ""
) -> list[Facts]:
    """The Facts of models; latencies, in seconds, that were measured on a device replace those in the records."""
    found = []
    for name in models:
        entry, cost, where = zoo.entry(name), records.get(("cost", name)), device
        latency = (latencies or {}).get(name)
        if latency is None and cost:
            latency, where = cost["drawing"]["latency"], cost["drawing"]["device"]
        found.append(Facts(entry, parameters_of(entry.architecture), latency, where, records.get(("fid", name))))
    return found


def are_measured(models: list[str], records: Records) -> bool:
    """Whether the records contain comparable latencies of all these models."""
    costs = [records.get(("cost", name)) for name in models]
    return None not in costs and len({protocols.protocol(cost) for cost in costs if cost}) == 1


def latencies(models: list[str], device: torch.device) -> dict[str, float]:
    """The seconds that each model takes for a face on a device, the median of some faces, measured once."""
    return {name: _latency(model_cache.generator(name, device), device) for name in models}


@functools.lru_cache(maxsize=32)
def _latency(generator: torch.nn.Module, device: torch.device) -> float:
    return profiling.latency(generator, device, REPEATS)


def savings(first: Facts, other: Facts) -> str:
    """How another model compares with the first, as in "9.5 times smaller, 6 times faster, fid500 + 11".

    It says only what is known of both, and compares FIDs only of the same protocol and reference.
    """
    said = [_times(first.parameters / other.parameters, "smaller", "larger", "as large")]
    if first.latency and other.latency:
        said.append(_times(first.latency / other.latency, "faster", "slower", "as fast"))
    if first.fid and other.fid and _protocol(first.fid) == _protocol(other.fid):
        change = other.fid["fid"] - first.fid["fid"]
        said.append(f"fid{first.fid['count']} {'+' if change >= 0 else '-'} {_rounded(abs(change))}")
    return ", ".join(said)


def _protocol(record: Record) -> tuple:
    return *protocols.protocol(record), record["reference_hash"]


def _times(ratio: float, more: str, less: str, same: str) -> str:
    """A ratio in words."""
    factor, word = (ratio, more) if ratio > 1 else (1 / ratio, less)
    return same if factor < 1.05 else f"{_rounded(factor)} times {word}"


def _rounded(number: float) -> str:
    """A number above 0 with two digits, or more before the point."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"
