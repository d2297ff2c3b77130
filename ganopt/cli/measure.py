"""Commands that measure models. They import what they need when they run, to keep `--help` fast."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ganopt.cli.output import print_json
from ganopt.errors import UserError

if TYPE_CHECKING:
    from ganopt.metrics.evaluation import Plan, Score
    from ganopt.metrics.features import Extractor

MAX_COMPARED = 64  # faces in one `nearest`


def fid(options: argparse.Namespace) -> None:
    """Measure FID, KID, precision, recall, sliced Wasserstein distance and diversity of models or folders."""
    from tqdm import tqdm

    from ganopt import distributed
    from ganopt.metrics import evaluation, features, references
    from ganopt.metrics.evaluation import Plan
    from ganopt.models.devices import pick_device
    from ganopt.thesis import results

    models, reference = tuple(options.model or ()), options.reference
    paths: tuple[Path, ...] = tuple(map(Path, options.paths))
    most, reference_most = 500 if options.n is None else options.n, features.ALL
    if len(paths) == 2 and not reference and not models:  # like pytorch-fid, which takes all pictures of both
        reference = options.paths[1]
        paths = paths[:1]
        most = reference_most = features.ALL if options.n is None else options.n
    plan = Plan(
        models=models,
        paths=paths,
        reference=references.resolve(reference) if reference else "cats",
        against=options.against,
        count=most,
        reference_count=reference_most,
        repeats=options.repeats,
        seed=options.seed,
        best_of=options.best_of,
    )
    if note := references.ambiguity(plan.reference):
        print(note, file=sys.stderr if options.json or options.dry_run else sys.stdout)
    if options.save and options.precision == "bfloat16":
        raise UserError("Files of pytorch-fid are in float32; use --save without --precision bfloat16.")
    device = pick_device(options.device)
    precision = "float32" if options.save else evaluation.pick_precision(options.precision, plan, device)
    extractor = features.load_extractor(device, precision, options.inception)
    if options.dry_run:
        evaluation.check(plan, precision)
        shipped = isinstance(plan.reference, str)
        values = dataclasses.asdict(plan) | {"paths": list(map(str, paths)), "reference": str(plan.reference)}
        values = {name: "all" if value == features.ALL else value for name, value in values.items()}
        print_json(**values, reference_shipped=shipped)
        return
    if options.save:
        _save(plan, extractor, options)
        return
    records = []
    with tqdm(desc="Pictures", unit="", leave=False) as bar:
        for update in evaluation.evaluate(plan, extractor):
            bar.total = update.total
            bar.update(update.done - bar.n)
            if update.score:
                records.append(evaluation.record(update.score, extractor))
                if options.results and not distributed.rank():  # immediately, so nothing is lost
                    results.append(Path(options.results), records[-1:])
                if not options.json:
                    tqdm.write(_score_line(update.score, precision))
    if options.json:
        print_json(records=records)


def _save(plan: "Plan", extractor: "Extractor", options: argparse.Namespace) -> None:
    """Write mean and covariance of the first path or model, which are in float32 as those of pytorch-fid."""
    from ganopt import distributed
    from ganopt.metrics import evaluation, features, samples

    extraction = (
        features.of_path(plan.paths[0], extractor, features.ALL if options.n is None else options.n, seed=plan.seed)
        if plan.paths
        else evaluation.faces(plan, plan.models[0], 0, extractor)
    )
    target = Path(options.save if options.save.lower().endswith(".npz") else f"{options.save}.npz")
    sample = features.finish(extraction)
    if not distributed.rank():
        samples.write_statistics(sample, target)
    print(f"Mean and covariance of {plan.paths[0] if plan.paths else plan.models[0]} are in {target}.")


def show_nearest(options: argparse.Namespace) -> None:
    """Find the training pictures nearest to a model's faces, and save them side by side as a PNG file."""
    import torch

    from ganopt.data import image_folder
    from ganopt.metrics import features, references
    from ganopt.metrics.nearest import nearest
    from ganopt.models import zoo
    from ganopt.models.devices import pick_device
    from ganopt.models.latents import format_seeds, latents, parse_seeds
    from ganopt.models.sampling import draw, inference_copy, save_png
    from ganopt.viz.sheets import sheet

    seeds, out = parse_seeds(options.seeds, MAX_COMPARED), Path(options.out)
    device = pick_device(options.device)
    generator = inference_copy(zoo.load(options.model), device)
    training = image_folder.load(Path(options.data), generator.architecture.side, options.classes)
    extractor = features.load_extractor(device, "float32", options.inception)
    held_out = references.load(options.reference)[0] if options.reference else None
    if options.dry_run:
        print_json(model=options.model, seeds=format_seeds(seeds), data=options.data, out=options.out)
        return
    faces, pictures = draw(generator, latents(seeds)), torch.from_numpy(training.pictures)
    found = nearest(faces, pictures, held_out, extractor)
    cells, captions = [], []
    for seed, face, indices, distances in zip(seeds, faces, found.indices, found.distances, strict=True):
        cells += [face, *pictures[indices]]
        captions += [f"seed {seed}", *(f"{distance:.1f}" for distance in distances)]
        print(f"seed {seed}: nearest {distances[0]:.2f}, {training.files[indices[0]]}")
    save_png(sheet(torch.stack(cells), captions, 1 + found.indices.shape[1]), out)
    print(f"Median of these faces: {found.distances[:, 0].median():.2f}. Faces with their nearest pictures: {out}.")
    if found.drawn:
        print(f"They were compared with {found.drawn}.")
    if found.typical is not None:
        print(f"Median of held-out photographs ({options.reference}): {found.typical:.2f}. A copy has about 0.")


def _score_line(score: "Score", precision: str) -> str:
    line = f"{score.name:20} fid{score.count or ''} {score.fid:7.2f}"
    if len(score.fids) > 1:
        line += f" ({min(score.fids):.2f} to {max(score.fids):.2f})"
    if score.kid is not None and score.kid_deviation is not None:
        line += f"   KID {1000 * score.kid:.2f} +- {1000 * score.kid_deviation:.2f} e-3"
        line += f"   precision {score.precision:.2f}   recall {score.recall:.2f}"
    if score.swd is not None:
        line += f"   SWD {score.swd:.1f} e-3"
    if score.diversity is not None:
        line += f"   diversity {score.diversity:.2f}"
    if score.against:
        line += f"   to {score.against} {score.fid_to_model:.2f}"
    rounded = [] if precision == "float32" else [f"Inception in {precision}"]
    return line + "".join(f"   ({note})" for note in [*score.notes, *rounded])
