"""The thesis's three tables with our results beside the published ones, and further tables, from results.json."""

import json
from collections.abc import Collection
from pathlib import Path

from ganopt.errors import UserError, shell_command
from ganopt.metrics.evaluation import FLOOR
from ganopt.thesis import curves, protocols
from ganopt.thesis.experiments import ALPHAS, EXPERIMENTS
from ganopt.thesis.published import THESIS
from ganopt.thesis.results import Record, Records
from ganopt.thesis.table_text import THEIRS, Table

MODELS = (
    "cats-thesis",
    "cats-thin",
    "cats-big",
    "cats-teacher",
    "dogs-plain",
    "dogs-transfer-thesis",
    "dogs-scratch",
    "dogs-transfer",
)
STUDENTS = (*(f"cats-kd-{alpha:g}" for alpha in ALPHAS), "cats-small", "cats-student", "cats-fast")
METHODS = dict.fromkeys(MODELS, "") | {  # a model -> its baseline
    "dogs-transfer-thesis": "dogs-plain",
    "dogs-transfer": "dogs-scratch",
    "cats-kd-0.05": "cats-teacher",
    "cats-student": "cats-teacher",
    "cats-fast": "cats-teacher",
}
CROSSED = {"cats": "cats-thesis", "dogs": "dogs-transfer-thesis"}  # reference -> published FID to compare curves with
OTHER_METRICS = ["pictures", "FID", "KID x 1000", "precision", "recall", "SWD x 1000", "diversity"]
SAVED = ["training memory, GB", f"{THEIRS}training memory, GB", "as float16, MB", f"{THEIRS}as float32, MB"]
SAVED += ["GFLOP a face", "latency, ms", "change of FID, %", f"{THEIRS}change of FID, %"]
CURVE = ["network", "minutes", "pictures seen", "FID", f"{THEIRS}FID", "below that after", "predicted"]
STORAGE = ["model", "stored as", "MB", "FID"]
RACE = ["run", "critics", "network", *(f"{minutes} min" for minutes in curves.MINUTES), "recall at the end"]
COSTS = ["epoch, s", f"{THEIRS}epoch, s", "training memory, GB", f"{THEIRS}training memory, GB"]


def read(path: Path) -> Records:
    """The records of a results file by kind and name, the latest of each. Raises UserError if there are none."""
    try:
        return {(each["kind"], each["name"]): each for each in json.loads(path.read_text())["records"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} contains no results; measure some with {shell_command('experiments')}.") from error


def tables(records: Records) -> list[Table]:
    """Tables 3.1, 3.2 and 3.3 of the thesis, storage formats and curves, from records with the most common protocol.

    Raises UserError for an incomplete record.
    """
    try:
        return _tables(records)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"A record of the results is damaged ({error}); measure its model again.") from error


def _tables(records: Records) -> list[Table]:
    planned = {key: record for key, record in records.items() if key[1] in EXPERIMENTS}
    kept = protocols.comparable(planned)
    known = kept | {key: record for key, record in records.items() if key[0] == "fid" and key not in planned}  # floors

    def notes(names: Collection[str], *kinds: str) -> str:
        return " ".join(filter(None, (protocols.sentence(kept, planned, kind, names) for kind in kinds)))

    fid = ["FID", "floor", f"{THEIRS}FID"]
    to_teacher = ["FID to teacher", f"{THEIRS}FID to teacher"]
    worse = "A negative change is a worse FID, as in the thesis."
    twice = "Predicted: with twice the pictures, extrapolated from the second half of the curve."
    return [
        Table(
            "table-3.1",
            "Table 3.1: from scratch and by transfer",
            ["model", "network", "pictures seen", *fid, *COSTS],
            [[name, *_run(known, name), *_fid(known, name), *_training(known, name)] for name in MODELS],
            notes(MODELS, "fid", "cost"),
        ),
        Table(
            "table-3.2",
            "Table 3.2: students of the cat teacher",
            ["student", "network", "pictures seen", *fid, *to_teacher, *COSTS],
            [
                [name, *_run(known, name), *_fid(known, name), *_to_teacher(known, name), *_training(known, name)]
                for name in STUDENTS
            ],
            notes(STUDENTS, "fid", "cost"),
        ),
        Table(
            "table-3.3",
            "Table 3.3: what each method saves",
            ["model", *SAVED],
            [[name, *_saved(known, name, base)] for name, base in METHODS.items()],
            f"{notes(METHODS, 'fid', 'cost')} {worse}".strip(),
        ),
        Table("metrics", "Other metrics", OTHER_METRICS, _metrics(known), notes(EXPERIMENTS, "fid")),
        Table(
            "choice",
            "Choosing the faces whose eyes match best",
            ["model", "taken", *OTHER_METRICS[1:]],
            _choices(known),
            notes(EXPERIMENTS, "choice"),
        ),
        Table("storage", "Storage", STORAGE, _storages(known), notes(EXPERIMENTS, "storage")),
        Table(
            "curves",
            "FID while training",
            ["run", *CURVE],
            _curves(known),
            f"{notes(EXPERIMENTS, 'curve')} {twice}".strip(),
        ),
        Table("race", "From scratch in the same time", RACE, curves.race_rows(known), notes(curves.RACE, "curve")),
    ]


def _run(records: Records, name: str) -> list[str]:
    """The network, and the pictures that its critic saw in training."""
    cost = records.get(("cost", name))
    return [cost["generator"], f"{cost['images']:,}"] if cost else ["", ""]


def _fid(records: Records, name: str) -> list[str]:
    """FID with its spread, the floor, and the published FID."""
    record = records.get(("fid", name))
    if record is None:
        return ["", "", _thesis(name, "fid")]
    text, fids = f"{record['fid']:.2f}", record["fids"]
    if len(fids) > 1:
        text += f" ({min(fids):.2f} to {max(fids):.2f})"
    floor = protocols.floor(records, record)
    return [text, f"{floor['fid']:.2f}" if floor else "", _thesis(name, "fid")]


def _to_teacher(records: Records, name: str) -> list[str]:
    value = records.get(("fid", name), {}).get("fid_to_model")
    return ["" if value is None else f"{value:.2f}", _thesis(name, "fid_to_teacher")]


def _training(records: Records, name: str) -> list[str]:
    cost = records.get(("cost", name), {}).get("training", {})
    ours = [f"{cost['epoch_seconds']:.1f}", _memory(cost)] if cost else ["", ""]
    return [ours[0], _thesis(name, "epoch_seconds"), ours[1], _thesis(name, "memory")]


def _memory(cost: Record) -> str:
    """Training memory in GB, without torch's own."""
    return f"{(cost['peak'] - cost['baseline']) / 1e9:.2f}"


def _saved(records: Records, name: str, base: str) -> list[str]:
    """Memory, size and speed of a model, and the change of its FID from the baseline."""
    cost, thesis = records.get(("cost", name)), THESIS.get(name)
    ours = [""] * 4
    if cost:
        drawing = cost["drawing"]
        ours = [_memory(cost["training"]), f"{2 * drawing['parameters'] / 1e6:.1f}"]
        ours += [f"{drawing['operations'] / 1e9:.2f}", f"{1000 * drawing['latency']:.1f}"]
    fids = [records.get(("fid", each), {}).get("fid") for each in (base, name)]
    bases = [THESIS.get("cats-thesis" if base == "cats-teacher" else base), thesis]
    theirs = [each.fid if each else None for each in bases]
    sizes = [_thesis(name, "memory"), _thesis(name, "size")]
    return [ours[0], sizes[0], ours[1], sizes[1], *ours[2:], _change(*fids), _change(*theirs)]


def _thesis(name: str, key: str) -> str:
    value = getattr(THESIS.get(name), key, None)
    return "" if value is None else f"{value:g}"


def _change(before: float | None, after: float | None) -> str:
    return f"{100 * (before - after) / before:+.1f}" if before and after else ""


def _metrics(records: Records) -> list[list[str]]:
    """All metrics of the models, by reference, below those of the floor."""
    rows: dict[str, list[list[str]]] = {}
    for name in (name for name in EXPERIMENTS if ("fid", name) in records):
        record = records["fid", name]
        of_reference = rows.setdefault(record["reference"], [])
        floor = protocols.floor(records, record)
        if floor and not of_reference:
            of_reference.append([f"{record['reference']}: {FLOOR}", *_all_metrics(floor)])
        of_reference.append([name, *_all_metrics(record)])
    return [row for group in rows.values() for row in group]


def _all_metrics(record: Record) -> list[str]:
    kid = None if record.get("kid") is None else 1000 * record["kid"]
    others = (record.get(key) for key in ("precision", "recall", "swd", "diversity"))
    return ["" if value is None else f"{value:.2f}" for value in (record["fid"], kid, *others)]


def _choices(records: Records) -> list[list[str]]:
    """All metrics of chosen faces: what a choice costs in variety."""
    return [
        [name, "all" if point["best_of"] == 1 else f"the best of {point['best_of']}", *_all_metrics(point)]
        for (kind, name), record in records.items()
        if kind == "choice"
        for point in record["points"]
    ]


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
            theirs = CROSSED[record["reference"]]
            below = curves.first_below(points, THESIS[theirs].fid)
            floor = protocols.floor(records, record)
            later = curves.predict(points, floor["fid"], 2 * last["images"]) if floor else None
            after = f"{below['minutes']:.0f} minutes, {below['images']:,} pictures" if below else "not yet"
            rows.append(
                [name, _run(records, name)[0], f"{last['minutes']:.0f}", f"{last['images']:,}", f"{last['fid']:.2f}"]
                + [_thesis(theirs, "fid"), after, "" if later is None else f"{later:.1f}"]
            )
    return rows
