"""Commands for training pictures. They import what they need when they run, to keep `--help` fast."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ganopt.files import cache_folder


def inspect_data(options: argparse.Namespace) -> None:
    """Read a folder of pictures into the cache and print a summary."""
    from ganopt.data import image_folder

    if options.dry_run:
        print(f"{image_folder.check(Path(options.folder), options.classes).count} pictures in {options.folder}.")
        return
    found = image_folder.load(Path(options.folder), options.side, options.classes)
    count, size = len(found.pictures), found.pictures.nbytes / 1e6
    print(f"{count} pictures of {options.side}x{options.side}, {size:.0f} MB; {len(found.skipped)} skipped.")
    if cache_folder().exists():
        print(f"Cached in {cache_folder()}.")


def add_fetch_options(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options of `data fetch`."""
    from ganopt.data.download import SOURCES

    command.add_argument("name", choices=SOURCES, help="dataset; use --dry-run for details")
    command.add_argument(
        "--out", default="", help="new folder, which will contain a folder per class; by default pictures/NAME"
    )
    command.add_argument("--most", type=int, help="limit on the pictures of each class")


def fetch_data(options: argparse.Namespace) -> None:
    """Download a public dataset, after printing its description, size and licence."""
    from ganopt.data import download

    print(download.describe(download.SOURCES[options.name]), flush=True)
    folder = Path(options.out or f"pictures/{options.name}")
    if options.dry_run:
        download.check(folder, options.most)
        return
    counts, skipped = download.fetch(options.name, folder, options.most)
    print(f"{sum(counts.values())} pictures are in {folder}; {skipped} could not be read.")
    print("Classes: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
