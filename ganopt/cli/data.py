"""Commands for training pictures. They import what they need when they run, to keep `--help` fast."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ganopt.files import cache_folder


def inspect_data(options: argparse.Namespace) -> None:
    """Read the pictures of a folder or of a dataset on the Hub into the cache and print a summary."""
    from ganopt.data import hub_pictures, image_folder
    from ganopt.models import hub

    if options.folder.startswith(hub.PREFIX):
        address = hub_pictures.parse(options.folder)
        if options.dry_run:
            print(f"The split {address.split} of {address.repository} at {address.revision}.")
        else:
            stored = hub_pictures.load(options.folder, options.side, options.classes)
            _say(len(stored), options.side, stored.size, len(stored.skipped))
        return
    if options.dry_run:
        print(f"{image_folder.check(Path(options.folder), options.classes).count} pictures in {options.folder}.")
        return
    found = image_folder.load(Path(options.folder), options.side, options.classes)
    _say(len(found.pictures), options.side, found.pictures.nbytes, len(found.skipped))


def _say(count: int, side: int, size: int, skipped: int) -> None:
    print(f"{count} pictures of {side}x{side}, {size / 1e6:.0f} MB; {skipped} skipped.")
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
