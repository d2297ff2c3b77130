"""Commands for the thesis's tables. They import what they need when they run, to keep `--help` fast."""

import argparse
import dataclasses
from pathlib import Path

from ganopt.cli.output import print_json
from ganopt.cli.training import follow
from ganopt.errors import UserError
from ganopt.files import write_text


def run_experiments(options: argparse.Namespace) -> None:
    """Train and measure the models of the thesis's tables within a budget of minutes; resumes what was stopped."""
    from ganopt.metrics import evaluation, features
    from ganopt.models.devices import pick_device
    from ganopt.thesis import experiments, measurements, table_text, tables
    from ganopt.thesis.experiments import Setting
    from ganopt.training.recipe_text import describe

    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(Setting)}
    setting = Setting(**values | {"data": Path(options.data), "folder": Path(options.folder)})
    names = options.only.split(",") if options.only else None
    evaluation.Plan(models=("any",), count=options.n)  # raises UserError for a wrong number
    extractor = features.load_extractor(pick_device(options.device), "float32", options.inception)
    if options.dry_run:
        trained = {experiment.name: describe(recipe) for experiment, recipe in experiments.planned(setting, names)}
        chosen = [each.name for each in experiments.choose(names)]
        measured = [name for name in chosen if name in trained or experiments.locate(setting, name)]
        print_json(trained=trained, measured=measured)
        return
    if setting.minutes > 0:
        for experiment, steps in experiments.runs(setting, names):
            print(f"Training {experiment.name}.")
            follow(steps, setting.folder / experiment.name)
    for record in measurements.measure(setting, extractor, Path(options.results), names, options.n):
        if record["kind"] == "fid":
            print(f"{record['name']:24} fid{record['count']} {record['fid']:.2f}")
    print("\n" + table_text.page(tables.tables(tables.read(Path(options.results)))), end="")


def show_tables(options: argparse.Namespace) -> None:
    """Print the thesis's tables with our results as Markdown, or write them to files."""
    from ganopt.models.checkpoint_files import checkpoint
    from ganopt.thesis import table_text, tables

    built = tables.tables(tables.read(Path(options.results) if options.results else checkpoint("results.json")))
    targets = [Path(options.csv, f"{table.name}.csv") for table in built] if options.csv else []
    text = table_text.insert(_read_text(Path(options.readme)), built) if options.readme else ""
    if options.dry_run:
        print_json(tables=[table.title for table in built], readme=options.readme, csv=list(map(str, targets)))
        return
    for table, path in zip(built, targets, strict=False):
        write_text(path, table_text.as_csv(table))
    if options.readme:
        write_text(Path(options.readme), text)
    if not (options.csv or options.readme):
        print(table_text.page(built), end="")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as text; choose a Markdown file.") from error
