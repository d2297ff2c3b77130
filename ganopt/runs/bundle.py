"""Packing finished runs into small files, to move them to another machine.

python -m ganopt.runs.bundle pack RUNS PARTS
python -m ganopt.runs.bundle unpack PARTS RUNS

Unpacked runs can be measured, shipped and used for drawing, but not resumed: the optimisers are left out, and networks
are stored as float16.
"""

import argparse
import io
import tempfile
import zipfile
from pathlib import Path

import torch

from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import atomic_write
from ganopt.models import weights
from ganopt.models.zoo import FILES
from ganopt.training.recipe_text import shareable
from ganopt.training.run_folder import CONFIG, STATE, read_counters, read_recipe, write_state
from ganopt.training.run_metrics import METRICS

MAX_BYTES = 15 * 2**20  # in each part
TEXTS = (CONFIG, METRICS)
NETWORKS = tuple(FILES.values())


def pack(runs: Path, parts: Path, most: int = MAX_BYTES) -> list[Path]:
    """Write all runs in a folder as one zip file, split into parts of up to `most` bytes; returns their paths.

    Raises UserError if there is no run, or the parts cannot be written.
    """
    folders = sorted(path.parent for path in runs.glob(f"*/{STATE}"))
    if not folders:
        raise UserError(f"{runs} contains no saved run; choose a folder of runs.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            _pack_run(folder, archive)
    data, written = packed.getvalue(), []
    for index, start in enumerate(range(0, len(data), most)):
        written.append(parts / f"runs.zip.{index:03}")
        with atomic_write(written[-1]) as temporary:
            temporary.write_bytes(data[start : start + most])
    return written


def unpack(parts: Path, runs: Path) -> list[Path]:
    """Restore runs from the parts written by `pack`; returns their folders.

    Raises UserError if a part is missing or a run exists already.
    """
    data = b"".join(path.read_bytes() for path in sorted(parts.glob("runs.zip.*")))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            folders = sorted({runs / Path(name).parts[0] for name in archive.namelist()})
            if existing := [folder for folder in folders if folder.exists()]:
                raise UserError(f"{existing[0]} already exists; choose another folder.")
            runs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=runs) as temporary:
                archive.extractall(temporary)  # never writes outside the folder
                for folder in folders:
                    Path(temporary, folder.name).rename(folder)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise UserError(f"{parts} does not contain all parts of a bundle; copy them again.") from error
    return folders


def _pack_run(folder: Path, archive: zipfile.ZipFile) -> None:
    """Add the files of a run to an archive, without the optimisers."""
    for path in (*(folder / name for name in TEXTS), *sorted(folder.glob("snapshots/*.safetensors"))):
        archive.write(path, path.relative_to(folder.parent))
    recipe = shareable(read_recipe(folder))
    with tempfile.TemporaryDirectory() as temporary:
        for name in filter(lambda name: (folder / name).exists(), NETWORKS):
            weights.save(weights.load(folder / name), Path(temporary, name), recipe, torch.float16)
        write_state(Path(temporary), read_counters(folder))
        for path in sorted(Path(temporary).iterdir()):
            archive.write(path, Path(folder.name, path.name))


def main(arguments: list[str] | None = None) -> None:
    """Pack or unpack runs. Exit status: 0 done, 1 UserError, 2 wrong options."""
    parser = argparse.ArgumentParser(
        "python -m ganopt.runs.bundle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for function, source, target in ((pack, "runs", "parts"), (unpack, "parts", "runs")):
        command = commands.add_parser(function.__name__, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(command=function)
        for name in (source, target):
            command.add_argument(name, type=Path, help=f"folder of the {name}")
    options = vars(parser.parse_args(arguments))
    with exit_on_user_error():
        print(*options.pop("command")(**options), sep="\n")


if __name__ == "__main__":
    main()
