"""The thesis's three tables with our figures beside its own, from results.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganopt.errors import UserError
from ganopt.experiments import ALPHAS


@dataclass(frozen=True)
class Thesis:
    """What the thesis measured of a model: its FID, seconds of an epoch, gigabytes of training memory."""

    fid: float
    epoch_seconds: float
    memory: float
    fid_to_teacher: float | None = None


THESIS = {
    "cats-thesis": Thesis(63.95, 59.5, 4.03),
    "dogs-scratch": Thesis(114.58, 59.8, 4.03),
    "dogs-transfer-thesis": Thesis(127.517, 46.2, 1.45),
    "cats-kd-0.3": Thesis(65.33, 34, 1.89, 32.07),
    "cats-kd-0.05": Thesis(68.69, 34, 1.89, 29.8),
    "cats-kd-0.01": Thesis(68.57, 34, 1.89, 31.06),
    "cats-kd-0.001": Thesis(79.38, 34, 1.89, 30.94),
}
MODELS = ("cats-thesis", "cats-teacher", "dogs-scratch", "dogs-transfer-thesis", "dogs-transfer")
STUDENTS = (*(f"cats-kd-{alpha:g}" for alpha in ALPHAS), "cats-small", "cats-student")
METHODS = ("cats-teacher", "cats-student", "dogs-scratch", "dogs-transfer")
PROTOCOL = ("reference_hash", "count", "arithmetic", "inception")  # what a floor and its FID must agree in

Table = tuple[str, list[str], list[list[str]]]  # title, heads, rows


def read(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The records of a results file by kind and name, later ones in the place of earlier ones.

    Raises UserError where there are none to be read.
    """
    try:
        return {(each["kind"], each["name"]): each for each in json.loads(path.read_text())["records"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} holds no results; measure some with python -m ganopt experiments.") from error


def tables(records: dict[tuple[str, str], dict[str, Any]]) -> list[Table]:
    """Tables 3.1, 3.2 and 3.3; what has not been measured is left empty, and so is a floor of another protocol."""
    cost_heads = ["epoch, s", "thesis", "training memory, GB", "thesis"]
    heads = ["model", "FID", "floor", "thesis", *cost_heads]
    models = [[name, *_fid(records, name), _thesis(name, "fid"), *_training(records, name)] for name in MODELS]
    student_heads = ["student", "FID", "floor", "thesis", "FID to teacher", "thesis", *cost_heads]
    students = [
        [name, *_fid(records, name), _thesis(name, "fid"), _figure(records, "fid", name, "fid_to_model")]
        + [_thesis(name, "fid_to_teacher"), *_training(records, name)]
        for name in STUDENTS
    ]
    method_heads = ["model", "training memory, GB", "model as float16, MB", "GFLOP a face", "latency, ms", "FID"]
    methods = [[name, *_size(records, name), _fid(records, name)[0]] for name in METHODS]
    return [
        ("Table 3.1: training from scratch and by transfer", heads, models),
        ("Table 3.2: students of the cat teacher", student_heads, students),
        ("Table 3.3: what each method saves", method_heads, methods),
    ]


def markdown(table: Table) -> str:
    """A table as Markdown, its title as a line above it."""
    title, heads, rows = table
    lines = [heads, ["---"] * len(heads), *rows]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _fid(records: dict, name: str) -> list[str]:
    """FID with its spread, and the floor of the same protocol."""
    record = records.get(("fid", name))
    if record is None:
        return ["", ""]
    text, fids = f"{record['fid']:.2f}", record["fids"]
    if len(fids) > 1:
        text += f" ({min(fids):.2f} to {max(fids):.2f})"
    floor = records.get(("fid", f"floor-{record['reference']}"))
    same = floor is not None and all(floor[key] == record[key] for key in PROTOCOL)
    return [f"{text}, fid{record['count']}", f"{floor['fid']:.2f}" if same else ""]


def _training(records: dict, name: str) -> list[str]:
    cost = records.get(("cost", name), {}).get("training", {})
    ours = [f"{cost['epoch_seconds']:.1f}", f"{cost['peak'] / 1e9:.2f}"] if cost else ["", ""]
    return [ours[0], _thesis(name, "epoch_seconds"), ours[1], _thesis(name, "memory")]


def _size(records: dict, name: str) -> list[str]:
    cost = records.get(("cost", name))
    if cost is None:
        return [""] * 4
    drawing = cost["drawing"]
    size, operations = 2 * drawing["parameters"] / 1e6, drawing["operations"] / 1e9
    return [
        f"{cost['training']['peak'] / 1e9:.2f}",
        f"{size:.1f}",
        f"{operations:.2f}",
        f"{1000 * drawing['latency']:.1f}",
    ]


def _figure(records: dict, kind: str, name: str, key: str) -> str:
    value = records.get((kind, name), {}).get(key)
    return "" if value is None else f"{value:.2f}"


def _thesis(name: str, key: str) -> str:
    value = getattr(THESIS.get(name), key, None)
    return "" if value is None else f"{value:g}"
