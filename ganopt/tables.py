"""The thesis's three tables with our figures beside its own, and what else was measured, from results.json."""

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ganopt import curves
from ganopt.errors import UserError
from ganopt.experiments import ALPHAS, EXPERIMENTS
from ganopt.results import Record


@dataclass(frozen=True)
class Thesis:
    """What the thesis measured of a model: its FID, seconds of an epoch, gigabytes of training memory, megabytes."""

    fid: float
    epoch_seconds: float
    memory: float
    fid_to_teacher: float | None = None
    size: float = 186


THESIS = {
    "cats-thesis": Thesis(63.95, 59.5, 4.03),
    "dogs-scratch": Thesis(114.58, 59.8, 4.03),
    "dogs-transfer-thesis": Thesis(127.517, 46.2, 1.45),
    "cats-kd-0.3": Thesis(65.33, 34, 1.89, 32.07, 38),
    "cats-kd-0.05": Thesis(68.69, 34, 1.89, 29.8, 38),
    "cats-kd-0.01": Thesis(68.57, 34, 1.89, 31.06, 38),
    "cats-kd-0.001": Thesis(79.38, 34, 1.89, 30.94, 38),
}
MODELS = ("cats-thesis", "cats-teacher", "dogs-scratch", "dogs-transfer-thesis", "dogs-transfer")
STUDENTS = (*(f"cats-kd-{alpha:g}" for alpha in ALPHAS), "cats-small", "cats-student")
METHODS = {  # a model -> the ordinary one that it is compared with
    "cats-thesis": "",
    "cats-teacher": "",
    "dogs-scratch": "",
    "dogs-transfer-thesis": "dogs-scratch",
    "dogs-transfer": "dogs-scratch",
    "cats-kd-0.05": "cats-teacher",
    "cats-student": "cats-teacher",
}
CROSSED = THESIS["cats-thesis"].fid  # the curves say when they fell below it
COSTS = ["epoch, s", "thesis", "training memory, GB", "thesis"]

START, END = "<!-- tables of python -m ganopt report -->", "<!-- end of the tables -->"

Records = dict[tuple[str, str], Record]


@dataclass(frozen=True)
class Table:
    """A table as text. `notes` says what its figures depend on, and what was left out."""

    name: str
    title: str
    heads: list[str]
    rows: list[list[str]]
    notes: str = ""


def read(path: Path) -> Records:
    """The records of a results file by kind and name, later ones in the place of earlier ones.

    Raises UserError where there are none to be read.
    """
    try:
        return {(each["kind"], each["name"]): each for each in json.loads(path.read_text())["records"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} holds no results; measure some with python -m ganopt experiments.") from error


def tables(records: Records) -> list[Table]:
    """Tables 3.1, 3.2 and 3.3 of the thesis, storages, curves. What has not been measured, or by another protocol than
    most of its kind, is left out: one column holds one protocol.
    """
    records, notes = _comparable(records)
    heads = ["network", "pictures seen", "FID", "floor", "thesis"]
    first = [[name, *_run(records, name), *_fid(records, name), *_training(records, name)] for name in MODELS]
    second = [
        [name, *_run(records, name), *_fid(records, name), *_to_teacher(records, name), *_training(records, name)]
        for name in STUDENTS
    ]
    third = [[name, *_saved(records, name, base)] for name, base in METHODS.items()]
    saved = ["training memory, GB", "thesis", "as float16, MB", "thesis, float32", "GFLOP a face", "latency, ms"]
    return [
        Table("table-3.1", "Table 3.1: from scratch and by transfer", ["model", *heads, *COSTS], first, notes),
        Table(
            "table-3.2",
            "Table 3.2: students of the cat teacher",
            ["student", *heads, "FID to teacher", "thesis", *COSTS],
            second,
            notes,
        ),
        Table(
            "table-3.3",
            "Table 3.3: what each method saves",
            ["model", *saved, "change of FID, %", "thesis"],
            third,
            "A change below zero is a worse FID, as in the thesis.",
        ),
        Table("storage", "Storage", ["model", "stored as", "MB", "FID"], _storages(records)),
        Table(
            "curves",
            "FID while training",
            ["run", "network", "minutes", "pictures seen", "FID", f"below {CROSSED:g} after", "predicted at twice"],
            _curves(records),
            "Predicted: with twice the pictures, if it goes on as over the later half of the curve." + _race(records),
        ),
    ]


def markdown(table: Table) -> str:
    """A table as Markdown, its title above it and its notes below; without its rows of which nothing is known."""
    rows = [row for row in table.rows if any(row[1:])]
    lines = [table.heads, ["---"] * len(table.heads), *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{table.title}**\n\n{body}\n" + (f"\n{table.notes}\n" if table.notes else "")


def as_csv(table: Table) -> str:
    """A table as CSV, with all of its rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.heads, *table.rows])
    return text.getvalue()


def _comparable(records: Records) -> tuple[Records, str]:
    """The records whose protocol is that of most records of their kind, and a sentence on it."""
    kept, protocols = dict(records), {}
    for kind, protocol in (("fid", fid_protocol), ("cost", _cost_protocol)):
        mine = {key: protocol(record) for key, record in records.items() if key[0] == kind and _is_planned(key[1])}
        if mine:
            protocols[kind] = Counter(mine.values()).most_common(1)[0][0]
        kept = {
            key: record for key, record in kept.items() if mine.get(key, protocols.get(kind)) == protocols.get(kind)
        }
    hashes = Counter((each["reference"], each["reference_hash"]) for (kind, _), each in kept.items() if kind == "fid")
    usual = {reference: most for (reference, most), _ in reversed(hashes.most_common())}
    kept = {
        key: record
        for key, record in kept.items()
        if key[0] != "fid" or record["reference_hash"] == usual[record["reference"]]
    }
    sentences = []
    if "fid" in protocols:
        count, samples, arithmetic, *_ = protocols["fid"]
        sentences.append(f"FID is fid{count}, the mean of {samples} samples of seeds; Inception in {arithmetic}.")
    if "cost" in protocols:
        device, threads = protocols["cost"]
        sentences.append(f"Times and memory: {device}" + (f", {threads} threads." if device == "cpu" else "."))
    withheld = sorted({name for _, name in set(records) - set(kept)})
    if withheld:
        sentences.append(f"Measured by another protocol, and left out: {', '.join(withheld)}.")
    return kept, " ".join(sentences)


def _is_planned(name: str) -> bool:
    return name in EXPERIMENTS


def fid_protocol(record: Record) -> tuple:
    """How a FID was measured: pictures of a sample, samples, arithmetic, network."""
    return record["count"], len(record["fids"]), record["arithmetic"], record["inception"]


def _cost_protocol(record: Record) -> tuple:
    return record["training"]["device"], record["training"]["threads"]


def _run(records: Records, name: str) -> list[str]:
    """The network, and the pictures that its critic has seen."""
    cost = records.get(("cost", name))
    return [cost["generator"], f"{cost['images']:,}"] if cost else ["", ""]


def _fid(records: Records, name: str) -> list[str]:
    """FID with its spread, the floor, and the thesis's figure."""
    record = records.get(("fid", name))
    if record is None:
        return ["", "", _thesis(name, "fid")]
    text, fids = f"{record['fid']:.2f}", record["fids"]
    if len(fids) > 1:
        text += f" ({min(fids):.2f} to {max(fids):.2f})"
    floor = floor_of(records, record)
    return [text, "" if floor is None else f"{floor:.2f}", _thesis(name, "fid")]


def floor_of(records: Records, record: Record) -> float | None:
    """The floor of the same pictures, number, network and arithmetic as a record's."""
    floor = records.get(("fid", f"floor-{record['reference']}"))
    same = ("reference_hash", "count", "arithmetic", "inception")
    return floor["fid"] if floor is not None and all(floor[key] == record[key] for key in same) else None


def _to_teacher(records: Records, name: str) -> list[str]:
    value = records.get(("fid", name), {}).get("fid_to_model")
    return ["" if value is None else f"{value:.2f}", _thesis(name, "fid_to_teacher")]


def _training(records: Records, name: str) -> list[str]:
    cost = records.get(("cost", name), {}).get("training", {})
    ours = [f"{cost['epoch_seconds']:.1f}", f"{cost['peak'] / 1e9:.2f}"] if cost else ["", ""]
    return [ours[0], _thesis(name, "epoch_seconds"), ours[1], _thesis(name, "memory")]


def _saved(records: Records, name: str, base: str) -> list[str]:
    """Memory, size and work of a model, and how its FID differs from that of the ordinary one."""
    cost, thesis = records.get(("cost", name)), THESIS.get(name)
    ours = [""] * 4
    if cost:
        drawing = cost["drawing"]
        ours = [f"{cost['training']['peak'] / 1e9:.2f}", f"{2 * drawing['parameters'] / 1e6:.1f}"]
        ours += [f"{drawing['operations'] / 1e9:.2f}", f"{1000 * drawing['latency']:.1f}"]
    fids = [records.get(("fid", each), {}).get("fid") for each in (base, name)]
    bases = [THESIS.get("cats-thesis" if base == "cats-teacher" else base), thesis]
    theirs = [each.fid if each else None for each in bases]
    sizes = [_thesis(name, "memory"), _thesis(name, "size")]
    return [ours[0], sizes[0], ours[1], sizes[1], *ours[2:], _change(*fids), _change(*theirs)]


def _change(before: float | None, after: float | None) -> str:
    return f"{100 * (before - after) / before:+.1f}" if before and after else ""


def _storages(records: Records) -> list[list[str]]:
    return [
        [name, form, f"{figures['bytes'] / 1e6:.2f}", f"{figures['fid']:.2f}"]
        for (kind, name), record in records.items()
        if kind == "storage"
        for form, figures in record["forms"].items()
    ]


def _curves(records: Records) -> list[list[str]]:
    rows = []
    for (kind, name), record in records.items():
        if kind == "curve":
            points, last = record["points"], record["points"][-1]
            below = curves.first_below(points, CROSSED)
            floor = floor_of(records, record)
            later = None if floor is None else curves.predict(points, floor, 2 * last["images"])
            rows.append(
                [name, _run(records, name)[0], f"{last['minutes']:.0f}", f"{last['images']:,}", f"{last['fid']:.2f}"]
                + [f"{below['minutes']:.0f} minutes, {below['images']:,} pictures" if below else "not yet"]
                + ["" if later is None else f"{later:.1f}"]
            )
    return rows


def _race(records: Records) -> str:
    """Our recipe against the thesis's after the same minutes, as a sentence."""
    points = [records.get(("curve", name), {}).get("points", []) for name in ("race-ours", "race-thesis")]
    if not all(points):
        return ""
    minutes = min(each[-1]["minutes"] for each in points)
    ours, theirs = (curves.at_minutes(each, minutes) for each in points)
    if ours is None or theirs is None:
        return ""
    return (
        f" After {minutes:.0f} minutes from scratch our recipe has reached {ours['fid']:.2f}, the thesis's "
        f"{theirs['fid']:.2f}: {_change(theirs['fid'], ours['fid'])} %."
    )


def insert(text: str, inserted: list[Table]) -> str:
    """A Markdown text with the tables between its markers, in the place of those that are there.

    Raises UserError where it has no markers.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise UserError(f"There is no {START} with {END} after it; put both where the tables belong.")
    return before + start + "\n" + "\n".join(map(markdown, inserted)) + end + after


def _thesis(name: str, key: str) -> str:
    value = getattr(THESIS.get(name), key, None)
    return "" if value is None else f"{value:g}"
