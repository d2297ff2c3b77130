"""Pictures of a dataset on the Hugging Face Hub -> the file of the cache into which folders are read, too.

They are streamed by the library `datasets`, which is optional, and decoded as those of folders are. No code from the
Hub is run.
"""

import contextlib
import itertools
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import fsspec
from huggingface_hub.errors import EntryNotFoundError
from tqdm import tqdm

from ganopt.data.decode import decode
from ganopt.data.image_folder import DECODING, MINIMUM, say_skipped
from ganopt.data.stored import Chunk, Decoded, Stored, cached_file, read, write
from ganopt.errors import UserError, exit_on_user_error, printable
from ganopt.files import code_version, write_cache
from ganopt.models import hub

FORM = "hub:USER/NAME, hub:USER/NAME@REVISION or hub:USER/NAME:SPLIT"
CHUNK = 64  # pictures that are downloaded between two lines of the log of `stored`
KINDS = ("arrow", "imagefolder", "parquet", "webdataset")  # of files, none of which contain code
CODE = (*DECODING, "data/hub_pictures.py", "data/stored.py")  # the code that reads pictures


@dataclass(frozen=True)
class Address:
    """A split of a dataset, of its default configuration unless one is named."""

    repository: str
    revision: str
    configuration: str
    split: str


def parse(text: str) -> Address:
    """The address in a text such as `hub:USER/NAME@REVISION:CONFIGURATION/SPLIT`. Raises UserError for another form."""
    name, _, part = text.removeprefix(hub.PREFIX).partition(":")
    repository, _, revision = name.partition("@")
    configuration, _, split = part.rpartition("/")
    if not hub.is_repository(name) or not re.fullmatch(r"([\w.-]+/)?[\w.-]+|", part):
        raise UserError(f"{text[:100]} is not the name of a dataset; use {FORM}.")
    return Address(repository, revision or "main", configuration, split or "train")


def load(text: str, side: int = 128, classes: str = "", minimum: int = MINIMUM) -> Stored:
    """All pictures of a dataset, uint8 (N, 3, side, side), in its order, cropped to their central squares and resized.

    `classes` keeps only those with a label of that name. The result is cached by the dataset's commit, and used if the
    Hub is out of reach; an interrupted download is continued by the next call. Unreadable pictures are skipped, with a
    message. Raises UserError for any failure, and if fewer than `minimum` pictures can be read.
    """
    address, versions = parse(text), code_version(*CODE)
    latest = cached_file(f"{versions} {address.repository} {address.revision}", ".commit")
    try:
        commit = hub.dataset_commit(address.repository, address.revision)
    except hub.UnreachableError as error:
        try:
            commit = latest.read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise error from error.__cause__
    address = replace(address, revision=commit)
    cached = cached_file(f"{versions} {address} {side} {classes}")
    if (found := read(cached)) is None:
        found = write(cached, side, lambda position: _chunks(address, classes, side, position))
    write_cache(latest, lambda path: path.write_text(commit, encoding="utf-8"))
    say_skipped(found.skipped)
    if len(found) < minimum:
        of = f" of the class {classes}" if classes else ""
        raise UserError(
            f"Only {len(found)} pictures{of} in {address.repository} can be read; at least {minimum} are needed."
        )
    return found


def _chunks(address: Address, classes: str, side: int, position: Any) -> Iterator[Chunk]:
    """Download and decode the pictures after a position: the rows before it, and the state of the stream."""
    with _told(address), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        stream = _open(address)
        picture, label, number = _columns(stream.features, address.repository, classes)
        stream = stream.decode(False).select_columns([picture, label] if label else [picture])
        count, state = position or (0, None)
        if state:
            stream.load_state_dict(state)
        inside = re.compile(
            rf"(zip://[^:]*::)?hf://datasets/{re.escape(f'{address.repository}@{address.revision}')}/[^:]+"
        )

        def picture_of(row: dict[str, Any]) -> Decoded:
            found = row[picture] or {}
            content, path = found.get("bytes"), found.get("path") or ""
            if content is None and inside.fullmatch(path):  # never another file of the user's
                with contextlib.suppress(FileNotFoundError, EntryNotFoundError), fsspec.open(path, "rb") as file:
                    content = file.read()
            return decode(content, side) if content else "it is missing"

        rows, label_text = iter(stream), printable(f"Reading {address.repository}")
        with tqdm(desc=label_text, initial=count, unit=" pictures", leave=False) as bar:
            while some := list(itertools.islice(rows, CHUNK)):
                state = stream.state_dict()
                wanted = [index for index, row in enumerate(some) if not label or row[label] == number]
                names = [f"picture {count + index}" for index in wanted]
                pictures = list(pool.map(picture_of, (some[index] for index in wanted)))
                count += len(some)
                yield zip(names, pictures, strict=True), (count, state)
                bar.update(len(some))


def _open(address: Address) -> Any:
    """A stream of a dataset's rows at a commit, with known columns."""
    try:
        import datasets
    except ImportError as error:
        raise UserError("Datasets of the Hub need a library; run 'pip install datasets' to read them.") from error
    if int(datasets.__version__.split(".")[0]) < 4:
        raise UserError(
            f"The library datasets {datasets.__version__} can run code from the Hub; run 'pip install -U datasets'."
        )
    datasets.disable_progress_bars()
    name, commit, configuration = address.repository, address.revision, address.configuration or None
    hub.check_access(name)
    try:  # with this prefix, never a folder of that name
        builder = datasets.load_dataset_builder(f"hf://datasets/{name}", configuration, revision=commit)
    except (RuntimeError, ValueError) as error:
        if "scripts are no longer supported" in str(error):
            raise UserError(f"{name} is read by code of its own, which is not run; choose another dataset.") from error
        if "onfig" in str(error) and (listed := re.search(r"\[(.*?)\]", str(error), re.DOTALL)):
            known = ", ".join(re.findall(r"'([^']+)'", listed[1]))
            raise UserError(f"{name} has parts; name one of {known}, as in {hub.PREFIX}{name}:PART/train.") from error
        raise
    except (datasets.exceptions.DataFilesNotFoundError, datasets.data_files.EmptyDatasetError) as error:
        raise UserError(f"{name} has no files of pictures; choose another dataset.") from error
    kind = type(builder).__module__.rpartition(".")[2]
    files = itertools.chain.from_iterable((builder.config.data_files or {}).values())
    if kind not in KINDS or not all(str(file).startswith(f"hf://datasets/{name}@{commit}/") for file in files):
        raise UserError(f"{name} has no parquet files or pictures of its own; choose another dataset.")
    splits = builder.as_streaming_dataset()
    if address.split not in splits:
        known = " or ".join(splits)
        raise UserError(f"{name} has no split {address.split}; use {hub.PREFIX}{name}:SPLIT with {known}.")
    return splits[address.split]._resolve_features()


def _columns(features: Any, name: str, classes: str) -> tuple[str, str, int]:
    """The columns of pictures and of labels, and the number of the wanted label; "" and 0 if all are wanted."""
    from datasets import ClassLabel, Image

    pictures = [column for column, feature in features.items() if isinstance(feature, Image)]
    if not pictures:
        raise UserError(f"{name} has no column of pictures; choose another dataset.")
    picture = "image" if "image" in pictures else pictures[0]
    if not classes:
        return picture, "", 0
    labels = {column: feature.names for column, feature in features.items() if isinstance(feature, ClassLabel)}
    for column, names in labels.items():
        if classes in names:
            return picture, column, names.index(classes)
    known = list(itertools.chain.from_iterable(labels.values()))
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    remedy = f"use one of {', '.join(known[:20])}{more}" if known else "leave it out"
    raise UserError(f"{name} has no class {classes}; {remedy}.")


@contextlib.contextmanager
def _told(address: Address) -> Iterator[None]:
    """Raise any failure of the libraries as UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise hub.dataset_error(error, address.repository, address.revision) from error


if __name__ == "__main__":  # for `runs.manager`
    _, *arguments = sys.argv
    with exit_on_user_error():
        load(arguments[0], int(arguments[1]), arguments[2], int(arguments[3]))
