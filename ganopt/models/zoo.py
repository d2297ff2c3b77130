"""Loading models by name, from checkpoints/, a run, a file or the Hugging Face Hub.

A name is that of a model in the catalogue, `run:NAME` for a run in the folder of runs, a file, a run folder, or
`user/repo` or `user/repo@revision` on the Hub; a `Path` is always a path. It becomes a network in two steps:

* `locate` finds the file and checks it: that of a catalogue's entry in `checkpoints/` or, for an installed package, in
  the repository on the Hub with the same files (`checkpoint_files.checkpoint`), and that of `user/repo` from the Hub
  (`hub.fetch`).
* `_network` reads the tensors (`weights.read`), adds to a delta those of its source, which is found by name in the same
  way, and makes the network (`weights.build`).

Pickles are never loaded. `model_cache` keeps the last networks in memory, ready for drawing.
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
from ganopt.files import runs_folder, sha256, stat_of
from ganopt.models import hub, weights
from ganopt.models.catalogue import Entry, File, ModelRole, catalogue, known_names, lab_catalogue, refuse_lab
from ganopt.models.checkpoint_files import checkpoint, checkpoints, on_hub
from ganopt.models.hub import AbsentError
from ganopt.models.networks import Critic, Generator, Network, Role

FILES: dict[Role, str] = {"generator": "generator.safetensors", "critic": "critic.safetensors"}
RUN = "run:"  # before the name of a run
# letters, digits and marks of any script, spaces, - and _; cannot be a path to another folder
RUN_NAME = re.compile(
    r"[^\W_](?:[\w -]|[^\x00-\xbf\u2000-\u206f\u3000-\u303f\ud800-\uf8ff\ufe00-\uffff\U000e0000-\U0010ffff]){0,59}"
)


def load(name: str | Path, local: bool = True) -> Generator:
    """The generator of a model, float32, on the CPU, in evaluation mode.

    `local=False` refuses paths, for names from untrusted sources. Raises UserError for any failure.
    """
    return _network(locate(name, "generator", local), "generator", str(name))


def load_critic(name: str | Path, local: bool = True) -> Critic:
    """The critic that training from a model starts from, as `load` does: that of `find_critic`."""
    owner, file = find_critic(name, local)
    return _network(file, "critic", owner)


def find_critic(name: str | Path, local: bool = True) -> tuple[str, Path]:
    """The model whose critic training from a model starts from, and its file.

    It is the model itself or, if this is stored as a difference and has no critic of its own, its source. Raises
    AbsentError, a UserError, if neither has one.
    """
    label = str(name)
    try:
        return label, locate(name, "critic", local)
    except AbsentError:
        metadata: dict[str, str] = {}
        with contextlib.suppress(AbsentError):
            metadata = weights.read_metadata(locate(name, "generator", local), label)
        if "source" not in metadata:
            raise
        _source_file(metadata, "generator", label)  # a difference to another version has another source
        return find_critic(metadata["source"], local=False)


def locate(name: str | Path, kind: Role = "generator", local: bool = True) -> Path:
    """The verified file of a model, downloaded if needed. Raises UserError as `load` does."""
    name = text_of(name)
    if entry := in_catalogue(name, local):
        return _shipped(entry, kind)
    is_run = name.startswith(RUN) and RUN_NAME.fullmatch(name.removeprefix(RUN))
    if is_run or (local and (os.path.isfile(name) or os.path.isdir(name))):  # no pipe; never raises
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


def text_of(name: str | Path) -> str:
    """A model as a text; that of a path is no name of the catalogue."""
    return os.path.join(os.curdir, name) if isinstance(name, Path) and name.name == str(name) else str(name)


def ambiguity(text: str) -> str:
    """A sentence that says which was taken of a shipped model and a path with the same name; else empty."""
    is_path = os.path.isfile(text) or os.path.isfile(os.path.join(text, FILES["generator"]))
    shipped = [*known_names(), *known_names(lab_catalogue)] if is_path and os.path.basename(text) == text else []
    return f"{text} is both a path and a shipped model; the path is used." if text in shipped else ""


def entry(name: str) -> Entry:
    """The catalogue's entry of a model, or one made from a run. Raises UserError if there is no such model."""
    return in_catalogue(name) or describe(locate(name, local=False), name)


def describe(path: Path, name: str) -> Entry:
    """What the file of a generator, and those beside it, tell of the model. Raises UserError for a damaged one."""
    _check(path, "generator", name)
    metadata = weights.read_metadata(path, name)
    recipe = weights.read_recipe(metadata, name)
    data = str(recipe.get("data", ""))
    roles: dict[str, ModelRole] = {"distill": "student", "transfer": "transfer"}
    return Entry(
        name=name,
        title=name.removeprefix(RUN),
        file=path.name,
        bytes=path.stat().st_size,
        sha256="",
        architecture=str(weights.read_architecture(metadata, name)),
        role=roles.get(str(recipe.get("method", recipe.get("recipe"))), "teacher"),
        trained_on=data if data.startswith(hub.PREFIX) else Path(data).name,
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


def in_catalogue(name: str, local: bool = False) -> Entry | None:
    """The catalogue's entry, if any. Raises UserError if the catalogue is damaged, unless the name is a local path."""
    try:
        return None if "/" in name or name.startswith(RUN) else catalogue().get(name)
    except UserError:
        if local and os.path.exists(name):  # noqa: PTH110
            return None
        raise


def _shipped(entry: Entry, kind: Role) -> Path:
    """The file of the catalogue's entry."""
    file = entry if kind == "generator" else entry.critic
    if file is None:
        raise AbsentError(f"{entry.name} has no critic; choose a model that has one.")
    label, remedy = str(checkpoints() / file.file), "restore it from the project's repository"
    if on_hub():
        label, remedy = f"{FILES[kind]} of {entry.name}", "try again to download it again"
    path = checkpoint(file.file, functools.partial(_check, kind=kind, label=label, file=file, remedy=remedy))
    if not path.exists():
        raise UserError(f"{path} is missing and not on the Hub; restore it from the project's repository.")
    return path


def _check(path: Path, kind: Role, label: str, file: File | None = None, remedy: str = "") -> None:
    """Raise UserError unless the file contains a network of this role and matches its catalogue entry, if any."""
    if file and not file.describes(path):
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
        tensors = {**_network(_source_file(metadata, kind, label), kind, source).state_dict(), **tensors}
    return weights.build(tensors, metadata, label)


def _source_file(metadata: dict[str, str], kind: Role, label: str) -> Path:
    """The file of the source of a delta with these metadata. Raises UserError unless it is the one that was meant."""
    source = metadata["source"]
    try:
        file = _locate_source(source, kind)
    except UserError as error:
        raise UserError(f"{label} is stored as a difference to {source}, which cannot be read: {error}") from error
    if sha256(file) != metadata.get("source_sha256"):
        raise UserError(f"{label} is a difference to another version of {source}; fetch both again.")
    return file


def _locate_source(name: str, kind: Role) -> Path:
    """The file of a delta's source. A file from elsewhere must not refer to files on this disk."""
    if name.startswith(RUN):
        raise UserError(f"{name} exists only on this machine; use a model of the catalogue or the Hub as the source.")
    return locate(name, kind, local=False)


def _age(path: Path) -> float:
    stat = stat_of(path)
    return -stat.st_mtime if stat else 0  # deleted in the meantime


def _unknown(name: str, local: bool) -> UserError:
    names = known_names()
    refuse_lab(name, names)
    close = difflib.get_close_matches(name, names, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    choices = [*names, *(["a file", "a run folder"] if local else []), "user/repo on the Hub"]
    return UserError(f"Unknown model {name[:80]!r}{hint}; choose from {', '.join(choices)}.")
