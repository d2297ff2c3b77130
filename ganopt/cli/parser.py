"""The command line: `ganopt COMMAND` or `python -m ganopt COMMAND`; --help lists the commands."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ganopt import __version__, environment
from ganopt.cli import data, faces, inversion, lab, measure, publishing, thesis, training
from ganopt.cli.models import add_model, model
from ganopt.errors import UserError, exit_on_user_error, shell_command

SHARED = ("train", "distill", "transfer", "fid")  # the commands that several processes can share


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Exit status: 0 done, 1 UserError, 2 wrong options, 130 interrupted."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names that its encoding lacks, as on standard error
    try:
        with exit_on_user_error(), _joined() as several:
            options = _parser().parse_args(arguments)
            if several and options.command.__name__ not in SHARED:
                raise UserError("This command is for one process; start it without torchrun.")
            environment.check()
            options.command(options)
    except KeyboardInterrupt:
        print("ganopt: interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _joined() -> contextlib.AbstractContextManager[bool]:
    """Connects this process with others in a block, if torchrun has started some; yields whether it has."""
    if not environment.has_several_processes():
        return contextlib.nullcontext(False)
    from ganopt import distributed  # slow

    return distributed.joined()


def _parser() -> argparse.ArgumentParser:
    parser = _Command(shell_command(), description="Compact GANs for animal faces.")
    parser.add_argument("--version", action="version", version=__version__)
    group = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(group, faces.generate, "generate", "generate --seeds 0-15 --out faces")
    add_model(command)
    command.add_argument("--seeds", default="0-15", help="seeds, as in 0-8, 42, or names of faces")
    command.add_argument(
        "--scale", type=float, default=1.0, help="factor on the latents; below 1, faces are better but less varied"
    )
    command.add_argument("--best", type=int, metavar="N", help="keep only the N faces whose eyes match best")
    command.add_argument("--out", default="faces", help="folder for the PNG files")
    _add_device(command)

    find = _command(group, inversion.find, "find", "find my-cat.jpg --out found.png")
    find.late_options = inversion.add_find_options
    _add_training(group)
    _add_fid(group)
    _add_experiments(group)
    _add_nearest(group)

    command = _command(group, thesis.show_tables, "report", "report --readme docs/measurements.md")
    command.add_argument("--results", default="", help="results file; by default that of checkpoints/")
    command.add_argument("--readme", default="", help="Markdown file whose tables are updated, between its markers")
    command.add_argument("--csv", default="", help="folder for the tables as CSV files")

    command = _command(group, training.make_film, "film", "film runs/r1-1 --sheet history.png")
    command.add_argument("run", help="run folder")
    command.add_argument("--out", default="film.webp", help="animated WebP file")
    command.add_argument("--sheet", default="", help="PNG file with a row per latent and a column per step")

    _command(
        group, lab.run_experiment, "lab", "lab gan-1d --critic-steps 5 --out lab/gan-1d"
    ).late_options = lab.add_lab_options

    _add_data(group)

    command = _command(group, faces.models, "models", "models")
    command.add_argument("--json", action="store_true", help="print the whole catalogue as JSON")

    _command(group, faces.export, "export", "export cats-fast --html cats.html").late_options = faces.export_options

    publishing.add_options(_command(group, publishing.publish, "publish", "publish runs/r1-1 me/cats"))
    return parser


def _add_training(group: Any) -> None:
    example = "train --data pictures/cats --generator big/4 --minutes 30"
    _command(group, training.train, "train", example).late_options = _add_train_options
    for function, example in (
        (training.distill, "distill --teacher cats-teacher --data pictures/cats --minutes 30"),
        (training.transfer, "transfer --source cats-teacher --data pictures/dogs --minutes 30"),
    ):
        name = function.__name__
        _command(group, function, name, example).late_options = partial(_add_method, name=name)


def _add_train_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    from ganopt.cli.options import add_train_options

    add_train_options(command, arguments)


def _add_method(command: argparse.ArgumentParser, arguments: Sequence[str], name: str) -> None:
    from ganopt.cli.options import add_method

    add_method(command, arguments, name)


def _add_fid(group: Any) -> None:
    command = _command(group, measure.fid, "fid", "fid --model cats-teacher --reference cats --n 500")
    command.add_argument(
        "paths", nargs="*", help="folders, zip or .npz files; if there are just two, the second is the reference"
    )
    command.add_argument("--model", type=model, action="append", help="model to measure; may be repeated")
    command.add_argument(
        "--reference",
        default="",
        help="a folder, a zip file or an .npz file, or where none has that name, cats or dogs (default: cats)",
    )
    command.add_argument(
        "--against", type=model, default="", help="also compute FID to the faces of this model, such as the teacher"
    )
    command.add_argument(
        "--n",
        type=int,
        help="pictures in each sample, evenly drawn if a folder has more (default: 500; all of two folders)",
    )
    command.add_argument("--repeats", type=int, default=3, help="samples per model, for the spread")
    command.add_argument("--seed", type=int, default=0, help="the first seed, also for drawing pictures of a folder")
    command.add_argument(
        "--best-of",
        type=int,
        default=1,
        metavar="N",
        help="of N faces of a model take one, by how well the eyes match (default: 1, all faces)",
    )
    command.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="float32",
        help="precision of Inception; auto is bfloat16 where the processor or GPU has units for it, which is faster "
        "and changes FID by up to 0.6 percent; the default is float32 everywhere, as in the tables of README, because "
        "figures in two precisions are not comparable",
    )
    _add_inception(command)
    _add_device(command)
    command.add_argument("--results", default="results.json", help="results file to append to; '' for none")
    command.add_argument("--json", action="store_true", help="print the records as JSON")
    command.add_argument(
        "--save", metavar="NPZ", help="only write mean and covariance of the first model or path, for pytorch-fid"
    )


def _add_nearest(group: Any) -> None:
    example = "nearest --model cats-teacher --data pictures --classes cat --reference cats"
    command = _command(group, measure.show_nearest, "nearest", example)
    add_model(command)
    command.add_argument("--data", required=True, help="folder of the training pictures")
    command.add_argument("--classes", default="", help="use only folders of this name")
    command.add_argument("--reference", default="", help="held-out pictures to compare with: cats or dogs")
    command.add_argument("--seeds", default="0-7", help="seeds, as in 0-8, 42")
    command.add_argument("--out", default="nearest.png", help="PNG file")
    _add_inception(command)
    _add_device(command)


def _add_experiments(group: Any) -> None:
    example = "experiments --data pictures --minutes 600"
    command = _command(group, thesis.run_experiments, "experiments", example)
    command.add_argument("--data", required=True, help="folder that contains the folders cat and dog")
    command.add_argument(
        "--minutes", type=float, required=True, help="minutes of training for all experiments; 0 to only measure"
    )
    command.add_argument("--only", default="", help="experiments to run, as in cats-teacher,dogs-transfer")
    command.add_argument("--folder", default="runs/experiments", help="folder for the runs")
    command.add_argument("--results", default="results.json", help="results file")
    command.add_argument("--side", type=int, default=128, choices=(32, 64, 128), help="side of the pictures in pixels")
    command.add_argument("--batch", type=int, default=16, help="pictures in a batch")
    command.add_argument("--n", type=int, default=500, help="pictures in each FID sample")
    command.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="precision of training"
    )
    command.add_argument("--channels-last", action="store_true", help="train in the memory format channels-last")
    _add_inception(command)
    _add_device(command)


def _add_data(group: Any) -> None:
    text = "Inspect pictures to train on, or download a public dataset."
    group = group.add_parser("data", help=text, description=text).add_subparsers(required=True, metavar="COMMAND")
    command = _command(group, data.inspect_data, "inspect", "data inspect pictures --classes cat")
    command.add_argument("folder", help="folder of pictures, which may have subfolders, or hub:USER/NAME")
    command.add_argument(
        "--side", type=int, choices=(32, 64, 128), default=128, help="side to which pictures are resized, in pixels"
    )
    command.add_argument("--classes", default="", help="use only folders, or the class of a dataset, of this name")
    command = _command(group, data.fetch_data, "fetch", "data fetch pets --out pictures/pets")
    command.late_options = data.add_fetch_options


def _add_inception(command: argparse.ArgumentParser) -> None:
    text = "file of pytorch-fid's weights, or 'official' to download them; by default the shipped copy"
    command.add_argument("--inception", default="", help=text)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")


def _command(group: Any, function: Callable, name: str, example: str) -> "_Command":
    text = function.__doc__ or ""
    command = group.add_parser(
        name,
        help=text.splitlines()[0],
        description=f"{text}\n\nexample: {shell_command()} {example}",
        formatter_class=_HelpFormatter,
    )
    command.set_defaults(command=function)
    command.add_argument("--dry-run", action="store_true", help="print what would be done and exit")
    return command


class _Command(argparse.ArgumentParser):
    """A parser whose late options are added when its command is used, because they need slow imports."""

    late_options: Callable[[argparse.ArgumentParser, Sequence[str]], None] | None = None  # and of its arguments

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Add the late options, then parse."""
        if add := self.late_options:
            self.late_options = None
            add(self, sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Shows descriptions unchanged, and each option's default after its help."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # a recipe's help texts already contain the defaults; options without a default show none
        silent = action.default in (None, False, "", argparse.SUPPRESS)
        return action.help if silent else super()._get_help_string(action)
