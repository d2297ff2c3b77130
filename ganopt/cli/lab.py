"""The command for the Lab's experiments. It imports what it needs when it runs, to keep `--help` fast."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ganopt.cli.output import print_json


def add_lab_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options of the experiment that is named in the arguments, if any."""
    from ganopt.cli.options import setting_argument
    from ganopt.lab.registry import all_experiments
    from ganopt.training.recipes.settings import option

    known = all_experiments()
    command.add_argument(
        "name", nargs="?", choices=known, metavar="NAME", help="experiment; without it, they are listed"
    )
    command.add_argument("--out", default="", help="folder for pictures, curves and settings; by default lab/NAME")
    if not (named := next((known[each] for each in arguments if each in known), None)):
        return
    command.description = f"{named.title}: {named.summary}\n{named.look_for}\n\n{named.formula}"
    for name, field in named.settings.items():
        default = "" if field.default in ("", None) else f" (default: {field.default})"
        text = f"{field.metadata['help']}{default}".replace("%", "%%")
        command.add_argument(
            option(name), help=text, default=argparse.SUPPRESS, **setting_argument(named.config, field)
        )


def run_experiment(options: argparse.Namespace) -> None:
    """List the Lab's experiments, or run one and save its pictures, curves, figures and settings."""
    from tqdm import tqdm

    from ganopt.lab import export
    from ganopt.lab.contract import GROUPS
    from ganopt.lab.registry import all_experiments, find_experiment

    if not options.name:
        for name, each in all_experiments().items():
            print(f"{name:18} {GROUPS[each.group]:16} {each.title}")
        return
    experiment = find_experiment(options.name)
    given = {name: value for name, value in vars(options).items() if name in experiment.settings}
    config, folder = experiment.configure(given), Path(options.out or f"lab/{experiment.name}")
    if options.dry_run:
        print_json(**export.describe(experiment, config), out=str(folder))
        return
    frame = None
    with tqdm(total=1.0, bar_format="{percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {postfix}") as bar:
        try:
            for frame in experiment.frames(config):
                bar.set_postfix_str(frame.said, refresh=False)
                bar.update(frame.progress - bar.n)
        except KeyboardInterrupt:
            if frame is None:
                raise
    assert frame is not None
    print(frame.said if frame.progress >= 1 else f"Stopped. {frame.said}")
    for name, figure in frame.figures.items():
        verdict = {None: "", True: "", False: ", which is not met"}[figure.is_right]
        print(f"{name}: {figure.measured:.4g}" + (f", right: {figure.right}{verdict}" if figure.right else ""))
    names = [path.name for path in export.save(frame, experiment, config, folder)]
    print(f"{', '.join(names)} are in {folder}.")
