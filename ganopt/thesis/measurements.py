"""Measuring the experiments for results.json: FID and its floor, costs, curves, storage formats."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganopt.metrics import evaluation, features, references
from ganopt.metrics.evaluation import FLOOR, Plan
from ganopt.metrics.features import Extractor
from ganopt.metrics.fid import frechet_distance, precision_and_recall
from ganopt.metrics.samples import Sample
from ganopt.models import weights, zoo
from ganopt.models.catalogue import catalogue
from ganopt.thesis.experiments import Experiment, Setting, choose, locate
from ganopt.thesis.results import Record, replace
from ganopt.training import profiling, run_folder
from ganopt.training.recipe_text import parse_saved
from ganopt.training.run_metrics import follow

CHOSEN = ("cats-teacher", "dogs-transfer")  # measured with a choice of their faces
BEST_OF = (1, 2, 4, 8)  # faces that are drawn for each one that is taken
STORED = ("cats-teacher", "cats-student", "cats-fast")  # measured in each storage format


def measure(
    setting: Setting, extractor: Extractor, results: Path, names: list[str] | None = None, count: int = 500
) -> Iterator[Record]:
    """Measure the experiments that have a model, by default all: FID and its floor, costs, curves, storage formats.

    Yields records as they are written. They replace earlier ones with the same kind and name.
    """
    floors: set[str] = set()
    for experiment in choose(names):
        model = locate(setting, experiment.name)
        if model is None:
            continue
        for record in _measured(experiment, model, setting, extractor, count):
            if record["name"] not in floors:  # one floor for each reference
                replace(results, record)
                yield record
            if record["name"].startswith("floor-"):
                floors.add(record["name"])


def _measured(
    experiment: Experiment, model: str, setting: Setting, extractor: Extractor, count: int
) -> Iterator[Record]:
    yield from _scores(experiment, model, setting, extractor, count)
    yield _cost(experiment, model, setting, extractor.device)
    reference, _ = references.load(experiment.reference)
    protocol = evaluation.protocol(extractor) | {"reference": reference.name, "reference_hash": reference.hash}
    common = protocol | {"name": experiment.name, "count": count, "seeds": f"0-{count - 1}"}
    snapshots = sorted((setting.folder / experiment.name / "snapshots").glob("*.safetensors"))
    if snapshots:
        yield {"kind": "curve", "points": _curve(snapshots, reference, extractor, count)} | common
    if experiment.name in CHOSEN:
        yield {"kind": "choice", "points": _choices(model, experiment.reference, extractor, count)} | common
    if experiment.name in STORED and model == str(setting.folder / experiment.name):  # shipped weights are rounded
        yield {"kind": "storage", "forms": _storages(model, reference, extractor, count)} | common


def _scores(experiment: Experiment, model: str, setting: Setting, extractor: Extractor, count: int) -> Iterator[Record]:
    """FID and its floor; for a student also the FID to its teacher."""
    against = locate(setting, experiment.needs) if experiment.recipe == "distill" else None
    plan = Plan(models=(model,), reference=experiment.reference, against=against or "", count=count)
    for update in evaluation.evaluate(plan, extractor):
        if update.score:
            name = f"floor-{experiment.reference}" if update.score.name == FLOOR else experiment.name
            against = experiment.needs if update.score.against else ""
            yield evaluation.record(update.score, extractor) | {"name": name, "against": against}


def _cost(experiment: Experiment, model: str, setting: Setting, device: torch.device) -> Record:
    """The cost of drawing with a model and of training it; minutes only if its run still exists."""
    values = weights.read_recipe(weights.read_metadata(zoo.locate(model)), model)
    values |= {"data": str(setting.data), "device": setting.device}
    values |= {"precision": setting.precision, "channels_last": setting.channels_last}
    if experiment.needs:
        values[experiment.origin] = locate(setting, experiment.needs)
    (recipe, _), folder = parse_saved(values), setting.folder / experiment.name
    run = run_folder.read_counters(folder) if model == str(folder) else None
    return {
        "kind": "cost",
        "name": experiment.name,
        "recipe": recipe.method,
        "generator": recipe.generator,
        "images": run["images"] if run else catalogue()[model].images,
        "minutes": run["seconds"] / 60 if run else None,
        "drawing": dataclasses.asdict(profiling.cost_of_drawing(zoo.load(model), device)),
        "training": dataclasses.asdict(profiling.measure_in_subprocess(recipe)),
    }


def _curve(snapshots: list[Path], reference: Sample, extractor: Extractor, count: int) -> list[dict[str, float]]:
    """FID, precision and recall at each snapshot of a run, with the pictures and the minutes until then.

    Snapshots of which the metrics tell nothing, as their lines are damaged, are left out.
    """
    lines, _ = follow(snapshots[0].parent.parent)
    steps = {f"{line['step']:07}": line for line in lines if line.keys() >= {"images", "seconds"}}
    points = []
    for path in snapshots:
        if (line := steps.get(path.stem)) is None:
            continue
        point = {"step": line["step"], "images": line["images"], "minutes": line["seconds"] / 60}
        sample = _sample(path, extractor, count)
        point["fid"] = frechet_distance(sample.gaussian, reference.gaussian)
        point["precision"], point["recall"] = precision_and_recall(reference.rows, sample.rows)
        points.append(point)
    return points


def _choices(model: str, reference: str, extractor: Extractor, count: int) -> list[dict[str, Any]]:
    """The scores of one sample of the faces whose eyes match best, for each of BEST_OF."""
    points = []
    for best_of in BEST_OF:
        plan = Plan(models=(model,), reference=reference, count=count, repeats=1, best_of=best_of)
        *_, last = evaluation.evaluate(plan, extractor)
        assert last.score
        points.append({"best_of": best_of} | evaluation.record(last.score, extractor))
    return points


def _storages(model: str, reference: Sample, extractor: Extractor, count: int) -> dict[str, dict[str, float]]:
    """Bytes and FID of a model in each storage format."""
    network, forms = zoo.load(model), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, dtype in weights.STORAGES.items():
            path = Path(folder, f"{name}.safetensors")
            weights.save(network, path, dtype=dtype)
            forms[name] = {
                "bytes": path.stat().st_size,
                "fid": frechet_distance(_sample(path, extractor, count).gaussian, reference.gaussian),
            }
    return forms


def _sample(path: Path, extractor: Extractor, count: int) -> Sample:
    return features.finish(features.of_model(str(path), range(count), extractor))
