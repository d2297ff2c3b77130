"""Loading models by name, from checkpoints/, a run, a file or the Hugging Face Hub.

A name is that of a model in the catalogue, `run:NAME` for a run in the folder of runs, a file, a run folder, or
`user/repo` or `user/repo@revision` on the Hub. Every file is checked before it is used; pickles are never loaded.
"""

import contextlib
import difflib
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from ganopt.errors import UserError
from ganopt.files import runs_folder, sha256
from ganopt.models import hub, weights
from ganopt.models.catalogue import Entry, File, ModelRole, catalogue, read_json
from ganopt.models.checkpoint_files import checkpoint, checkpoints, on_hub
from ganopt.models.hub import AbsentError
from ganopt.models.networks import Critic, Generator, Network, Role, parameters_of

FILES: dict[Role, str] = {"generator": "generator.safetensors", "critic": "critic.safetensors"}
RUN = "run:"  # before the name of a run
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,59}")  # cannot be a path to another folder
MEASURED = ("reference", "reference_hash", "kid", "precision", "recall", "swd", "diversity", "arithmetic", "device")


def load(name: str | Path, local: bool = True) -> Generator:
    """The generator of a model, float32, on the CPU, in evaluation mode.

    `local=False` refuses paths, for names from untrusted sources. Raises UserError for any failure.
    """
    return _network(locate(name, "generator", local), "generator", str(name))


def load_critic(name: str | Path, local: bool = True) -> Critic:
    """The critic of a model, as `load` does. Raises AbsentError, a UserError, if the model has none."""
    return _network(locate(name, "critic", local), "critic", str(name))


def locate(name: str | Path, kind: Role = "generator", local: bool = True) -> Path:
    """The verified file of a model, downloaded if needed. Raises UserError as `load` does."""
    name = str(name)
    if entry := _entry(name, local):
        return _locate_entry(entry, kind)
    is_run = name.startswith(RUN) and RUN_NAME.fullmatch(name.removeprefix(RUN))
    if is_run or (local and os.path.exists(name)):  # noqa: PTH110 - returns False for an invalid path
        path = runs_folder() / name.removeprefix(RUN) if is_run else Path(name)
        if is_run or path.is_dir():
            path /= FILES[kind]
            if not path.exists():
                raise AbsentError(f"{name} contains no {FILES[kind]}; choose a run that has saved one.")
        _check(path, kind, name if is_run else str(path))
        return path
    if hub.is_repository(name) and not name.endswith(".safetensors"):
        repository, _, revision = name.partition("@")
        check = functools.partial(_check, kind=kind, label=f"{FILES[kind]} of {name}")
        return hub.fetch(repository, revision or "main", FILES[kind], check)
    raise _unknown(name, local)


def entry(name: str) -> Entry:
    """The catalogue's entry of a model, or one made from a run. Raises UserError if there is no such model."""
    if known := _entry(name):
        return known
    return describe(locate(name, local=False), name)


def describe(path: Path, name: str) -> Entry:
    """What the file of a generator, and those beside it, tell of the model. Raises UserError for a damaged one."""
    _check(path, "generator", name)
    metadata = weights.read_metadata(path, name)
    recipe = weights.read_recipe(metadata, name)
    roles: dict[str, ModelRole] = {"distill": "student", "transfer": "transfer"}
    return Entry(
        name=name,
        title=name.removeprefix(RUN),
        file=path.name,
        bytes=path.stat().st_size,
        sha256="",
        architecture=str(weights.read_architecture(metadata, name)),
        role=roles.get(str(recipe.get("method", recipe.get("recipe"))), "teacher"),
        trained_on=Path(str(recipe.get("data", ""))).name,
        licence="not recorded",
        images=weights.images_seen(path.parent) or 0,
    )


def runs() -> list[str]:
    """The names, `run:NAME`, of the runs that have saved a model, the most recent first."""
    files = [path for path in runs_folder().glob(f"*/{FILES['generator']}") if RUN_NAME.fullmatch(path.parent.name)]
    return [f"{RUN}{path.parent.name}" for path in sorted(files, key=_age)]


def check_offered(names: Iterable[str]) -> None:
    """Raise UserError unless each name is in the catalogue or a run; nothing is downloaded."""
    offered = [*catalogue(), *runs()]
    if unknown := [name for name in names if name not in offered]:
        raise UserError(f"Unknown model {unknown[0][:80]!r}; choose from {', '.join(offered)}.")


def save_delta(
    network: Network, source: str, path: Path, recipe: dict | None = None, dtype: torch.dtype = torch.float32
) -> None:
    """Write a network without the tensors that are bit-identical to those of its source; `load` restores them.

    `source` is the name of a model in the catalogue or on the Hub, because a path would mean nothing elsewhere. With
    float32 the network is restored exactly; a smaller `dtype` rounds the stored tensors, as `weights.save` does.
    Raises UserError if the source does not exist or has another architecture, or the file cannot be written.
    """
    kind = network.architecture.role
    file = _locate_source(source, kind)
    original = _network(file, kind, source)
    if original.architecture != network.architecture:
        raise UserError(f"{source} is a {original.architecture}, not a {network.architecture}; save the whole network.")
    weights.save(network, path, recipe, dtype, weights.Source(source, sha256(file), original))


def publish(name: str | Path, repository: str, token: str, private: bool = False, endpoint: str | None = None) -> str:
    """Upload a model, its critic if it has one, and a model card to the Hub in one commit; returns the URL.

    The repository is created if needed. The token is not stored. Raises UserError for any failure.
    """
    name = str(name)
    generator = locate(name)
    files: dict[str, Path | bytes] = {FILES["generator"]: generator}
    with contextlib.suppress(AbsentError):
        files[FILES["critic"]] = locate(name, "critic")
    files["README.md"] = _card(name, generator, repository).encode()
    return hub.upload(repository, files, token, private, endpoint)


def _entry(name: str, local: bool = False) -> Entry | None:
    """The catalogue's entry, if any. Raises UserError if the catalogue is damaged, unless the name is a local path."""
    try:
        return None if "/" in name or name.startswith(RUN) else catalogue().get(name)
    except UserError:
        if local and os.path.exists(name):  # noqa: PTH110
            return None
        raise


def _locate_entry(entry: Entry, kind: Role) -> Path:
    file = entry if kind == "generator" else entry.critic
    if file is None:
        raise AbsentError(f"{entry.name} has no critic; choose a model that has one.")
    path = checkpoints() / file.file
    if path.is_file():
        _check(path, kind, str(path), file, "restore it from the project's repository")
        return path
    label = f"{FILES[kind]} of {entry.repository or entry.name}"
    check = functools.partial(_check, kind=kind, label=label, file=file, remedy="try again to download it again")
    if not entry.repository:
        if on_hub():
            return checkpoint(file.file, check)
        raise UserError(f"{path} is missing and not on the Hub; restore it from the project's repository.")
    return hub.fetch(entry.repository, entry.revision or "main", FILES[kind], check)


def _check(path: Path, kind: Role, label: str, file: File | None = None, remedy: str = "") -> None:
    """Raise UserError unless the file contains a network of this role and matches its catalogue entry, if any."""
    if file and (path.stat().st_size != file.bytes or sha256(path) != file.sha256):
        raise UserError(f"{label} is not the file that the catalogue describes; {remedy}.")
    architecture = weights.read_architecture(weights.read_metadata(path, label), label)
    if architecture.role != kind:
        raise AbsentError(
            f"{label} contains a {architecture.role}, not a {kind}; give the {kind}'s file, or a folder with both."
        )


def _network(path: Path, kind: Role, label: str) -> Any:
    """The network in a file from `locate`; a delta is completed with its source."""
    tensors, metadata = weights.read(path, label)
    if source := metadata.get("source"):
        try:
            file = _locate_source(source, kind)
        except UserError as error:
            raise UserError(f"{label} is stored as a difference to {source}, which cannot be read: {error}") from error
        if sha256(file) != metadata.get("source_sha256"):
            raise UserError(f"{label} is a difference to another version of {source}; fetch both again.")
        tensors = {**_network(file, kind, source).state_dict(), **tensors}
    return weights.build(tensors, metadata, label)


def _locate_source(name: str, kind: Role) -> Path:
    """The file of a delta's source. A file from elsewhere must not refer to files on this disk."""
    if name.startswith(RUN):
        raise UserError(f"{name} exists only on this machine; use a model of the catalogue or the Hub as the source.")
    return locate(name, kind, local=False)


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:  # deleted in the meantime
        return 0


def _unknown(name: str, local: bool) -> UserError:
    names: list[str] = []
    with contextlib.suppress(UserError):  # the catalogue cannot be read
        names = list(catalogue())
    close = difflib.get_close_matches(name, names, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    choices = [*names, *(["a file", "a run folder"] if local else []), "user/repo on the Hub"]
    return UserError(f"Unknown model {name[:80]!r}{hint}; choose from {', '.join(choices)}.")


def _card(name: str, path: Path, repository: str) -> str:
    """The model card (README.md) of a model, from its file, the catalogue and results.json."""
    metadata = weights.read_metadata(path)
    recipe = weights.read_recipe(metadata, name)
    data = Path(str(recipe.pop("data", ""))).name  # a path on the user's disk is private
    recipe.pop("device", None)
    for number, critic in enumerate(recipe.pop("critics", ()), start=1):
        recipe[f"critic {number}"] = ", ".join(f"{name} {value}" for name, value in critic.items())
    architecture = weights.read_architecture(metadata, name)
    entry, seen = _entry(name, local=True), weights.images_seen(path.parent)
    facts: dict[str, object] = {
        "generator": architecture,
        "stored": f"as a difference to {metadata['source']}" if "source" in metadata else "whole",
        "parameters": parameters_of(str(architecture)),
        "side of the pictures, in pixels": architecture.side,
        "trained on": entry.trained_on if entry else data or "not recorded",
        "licence of the data and the model": entry.licence if entry else "not recorded",
        "pictures seen in training": entry.images if entry else "not recorded" if seen is None else seen,
    }
    title, licence, notes = (
        (entry.title, entry.licence, entry.notes) if entry else (repository, "", "Trained with ganopt.")
    )
    sections = {"Model": facts, "Training": recipe, "Measured": {} if on_hub() and not entry else _measured(name)}
    return hub.card(repository, title, licence, notes, sections)


def _measured(name: str) -> dict[str, object]:
    """The latest FID of a model in results.json, with its protocol."""
    records = read_json(checkpoint("results.json")).get("records")
    chosen: dict[str, object] = {}
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict) and (record.get("kind"), record.get("name")) == ("fid", name):
            chosen = {f"fid{record.get('count')}": record.get("fid")} | {key: record.get(key) for key in MEASURED}
    return {key: value for key, value in chosen.items() if isinstance(value, (int, float, str))}
