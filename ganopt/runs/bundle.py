"""Finished runs in small files, to be carried from one machine to another.

python -m ganopt.runs.bundle pack RUNS PARTS
python -m ganopt.runs.bundle unpack PARTS RUNS

What comes out can be measured, shipped and drawn with, but not trained on: optimisers stay behind, and networks are
stored as float16.
"""

import argparse
import io
import json
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import atomic_write
from ganopt.models import weights
from ganopt.training.recipe_text import travelling
from ganopt.training.run_folder import CONFIG, STATE, read_counters, read_recipe

MOST_BYTES = 15 * 2**20  # of a part
TEXTS = (CONFIG, "metrics.jsonl")
NETWORKS = ("generator.safetensors", "critic.safetensors")


def pack(runs: Path, parts: Path, most: int = MOST_BYTES) -> list[Path]:
    """Write all runs in a folder as the parts of one zip file, of at most some bytes each, and return their paths.

    Raises UserError where there is no run, or the parts cannot be written.
    """
    folders = sorted(path.parent for path in runs.glob(f"*/{STATE}"))
    if not folders:
        raise UserError(f"{runs} holds no run that has saved anything; name the folder that the runs are in.")
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
    """The runs that `pack` wrote, as folders in `runs`. Raises UserError where a part is missing or one is there."""
    data = b"".join(path.read_bytes() for path in sorted(parts.glob("runs.zip.*")))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            folders = sorted({runs / Path(name).parts[0] for name in archive.namelist()})
            if there := [folder for folder in folders if folder.exists()]:
                raise UserError(f"{there[0]} is there already; name another folder.")
            runs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=runs) as temporary:
                archive.extractall(temporary)  # which leaves no way out of the folder
                for folder in folders:
                    Path(temporary, folder.name).rename(folder)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise UserError(f"{parts} does not hold all parts of a parcel; fetch them again.") from error
    return folders


def _pack_run(folder: Path, archive: zipfile.ZipFile) -> None:
    """Put into an archive what is worth carrying of a run."""
    for path in (*(folder / name for name in TEXTS), *sorted(folder.glob("snapshots/*.safetensors"))):
        archive.write(path, path.relative_to(folder.parent))
    recipe = travelling(read_recipe(folder))
    with tempfile.TemporaryDirectory() as temporary:
        for name in filter(lambda name: (folder / name).exists(), NETWORKS):
            weights.save(weights.load(folder / name), Path(temporary, name), recipe, torch.float16)
        save_file({}, Path(temporary, STATE), {"counters": json.dumps(read_counters(folder))})
        for path in sorted(Path(temporary).iterdir()):
            archive.write(path, Path(folder.name, path.name))


def main(arguments: list[str] | None = None) -> None:
    """Pack or unpack. Ends the process: 0 done, 1 a mistake of the user's, 2 wrong options."""
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
