"""Selecting comparable measurements: those with the same protocol and reference."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable

from ganopt.metrics.evaluation import FLOOR
from ganopt.thesis.results import Record, Records


def comparable(records: Records) -> Records:
    """The records with the most common protocol of their kind and, among these, the most common reference hash."""
    records = _majority(records, lambda record: record["kind"], protocol)
    return _majority(records, lambda record: (record["kind"], record.get("reference")), _reference_hash)


def sentence(kept: Records, records: Records, kind: str, names: Collection[str]) -> str:
    """A note for a table: the protocol of the records that `comparable` kept, and the names it left out."""
    common = next((protocol(record) for (each, _), record in kept.items() if each == kind), None)
    if common is None:
        return ""
    if kind == "cost":
        device, threads = common
        text = f"Times and memory (without torch's own): {device}"
        text += f", {threads} threads." if threads else "."
    else:
        count, samples, arithmetic, _ = common
        text = f"FID is fid{count}, " + (f"the mean of {samples} samples" if samples > 1 else "of one sample")
        text += f"; Inception in {arithmetic}."
    left_out = [name for name in names if (kind, name) in records and (kind, name) not in kept]
    return text + (f" Left out, because the protocol differs: {', '.join(left_out)}." if left_out else "")


def floor(records: Records, record: Record) -> Record | None:
    """The floor for a record: that of other real pictures with the same protocol, if measured."""
    same = ("reference_hash", "count", "arithmetic", "inception")
    for name in (f"floor-{record['reference']}", FLOOR):
        found = records.get(("fid", name))
        if found is not None and all(found[key] == record[key] for key in same):
            return found
    return None


def _majority(records: Records, group: Callable[[Record], Hashable], value: Callable[[Record], Hashable]) -> Records:
    """The records with the most common value in their group; in a tie, the first such value."""
    counts: dict[Hashable, Counter] = {}
    for record in records.values():
        counts.setdefault(group(record), Counter())[value(record)] += 1
    usual = {each: counter.most_common(1)[0][0] for each, counter in counts.items()}
    return {key: record for key, record in records.items() if value(record) == usual[group(record)]}


def protocol(record: Record) -> tuple:
    """The protocol of a record: comparable records have equal ones."""
    if record["kind"] == "cost":
        device, threads = record["training"]["device"], record["training"]["threads"]
        return device, threads if device == "cpu" else None
    samples = len(record["fids"]) if record["kind"] == "fid" else 1
    return record["count"], samples, record["arithmetic"], record["inception"]


def _reference_hash(record: Record) -> str | None:
    return record.get("reference_hash")
