"""The models there are: a name -> a ready network, from checkpoints/ or from the Hugging Face Hub.

A name is one of the catalogue, `run:NAME` for a run in the folder of runs, a file of ours, the folder of a run, or
`user/repo` on the Hub, which may be followed by `@revision`. Whatever a name leads to is checked before it is used;
nothing is ever unpickled.
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
from ganopt.models.catalogue import Entry, File, catalogue, read_json
from ganopt.models.checkpoint_files import checkpoint, checkpoints, on_hub
from ganopt.models.hub import AbsentError
from ganopt.models.networks import Critic, Generator, Network, Role, parameters_of

FILES: dict[Role, str] = {"generator": "generator.safetensors", "critic": "critic.safetensors"}
RUN = "run:"  # before the name of a run
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,59}")  # leads out of no folder
MEASURED = ("reference", "reference_hash", "kid", "precision", "recall", "arithmetic", "device")


def load(name: str | Path, local: bool = True) -> Generator:
    """The generator of a name, float32, on the CPU, in evaluation mode.

    `local=False` takes no paths, so that it is safe for names from anywhere. Raises UserError for all that goes wrong.
    """
    return _network(locate(name, "generator", local), "generator", str(name))


def load_critic(name: str | Path, local: bool = True) -> Critic:
    """The critic of a name, as `load` does; AbsentError, a UserError, where the model has none."""
    return _network(locate(name, "critic", local), "critic", str(name))


def locate(name: str | Path, kind: Role = "generator", local: bool = True) -> Path:
    """The verified file of a name, downloaded if need be. Raises UserError as `load` does."""
    name = str(name)
    if entry := _entry(name, local):
        return _locate_entry(entry, kind)
    is_run = name.startswith(RUN) and RUN_NAME.fullmatch(name.removeprefix(RUN))
    if is_run or (local and os.path.exists(name)):  # noqa: PTH110 - which says no to what can be no name
        path = runs_folder() / name.removeprefix(RUN) if is_run else Path(name)
        if is_run or path.is_dir():
            path /= FILES[kind]
            if not path.exists():
                raise AbsentError(f"{name} holds no {FILES[kind]}; give a run that has saved one.")
        _check(path, kind, name if is_run else str(path))
        return path
    if hub.is_repository(name) and not name.endswith(".safetensors"):
        repository, _, revision = name.partition("@")
        check = functools.partial(_check, kind=kind, label=f"{FILES[kind]} of {name}")
        return hub.fetch(repository, revision or "main", FILES[kind], check)
    raise _unknown(name, local)


def entry(name: str) -> Entry:
    """What there is to know of a model of the catalogue or of a run. Raises UserError where there is none."""
    if known := _entry(name):
        return known
    return describe(locate(name, local=False), name)


def describe(path: Path, name: str) -> Entry:
    """What the file of a generator, and those beside it, tell of the model. Raises UserError for a damaged one."""
    _check(path, "generator", name)
    metadata = weights.read_metadata(path, name)
    recipe = weights.read_recipe(metadata, name)
    return Entry(
        name=name,
        title=name.removeprefix(RUN),
        file=path.name,
        bytes=path.stat().st_size,
        sha256="",
        architecture=str(weights.read_architecture(metadata, name)),
        role={"distill": "student", "transfer": "transfer"}.get(str(recipe.get("recipe")), "teacher"),
        trained_on=Path(str(recipe.get("data", ""))).name,
        licence="not recorded",
        images=weights.images_seen(path.parent) or 0,
    )


def runs() -> list[str]:
    """The names, `run:NAME`, of the runs that have saved a model, the latest first."""
    files = [path for path in runs_folder().glob(f"*/{FILES['generator']}") if RUN_NAME.fullmatch(path.parent.name)]
    return [f"{RUN}{path.parent.name}" for path in sorted(files, key=_age)]


def check_offered(names: Iterable[str]) -> None:
    """Raise UserError for a name that is neither of the catalogue nor of a run: nothing is downloaded for those."""
    offered = [*catalogue(), *runs()]
    if unknown := [name for name in names if name not in offered]:
        raise UserError(f"There is no model {unknown[0][:80]!r} here; take any of {', '.join(offered)}.")


def save_delta(
    network: Network, source: str, path: Path, recipe: dict | None = None, dtype: torch.dtype = torch.float32
) -> None:
    """Write a network without the tensors that equal those of its source to the last bit; `load` puts them back.

    `source` is a name of the catalogue or of the Hub, so that the file can be read elsewhere. With float32 the
    network comes back bit for bit; a smaller `dtype` rounds the tensors that are written, as `weights.save` does.
    Raises UserError where there is no such source, it is of another architecture, or the file cannot be written.
    """
    kind = network.architecture.role
    file = _locate_source(source, kind)
    original = _network(file, kind, source)
    if original.architecture != network.architecture:
        raise UserError(f"{source} is a {original.architecture}, not a {network.architecture}; save the network whole.")
    weights.save(network, path, recipe, dtype, weights.Source(source, sha256(file), original))


def publish(name: str | Path, repository: str, token: str, private: bool = False, endpoint: str | None = None) -> str:
    """Put a model, its critic if it has one, and a card on the Hub, in one commit; returns the repository's URL.

    The repository is made if need be. The token is kept nowhere. Raises UserError for all that goes wrong.
    """
    name = str(name)
    generator = locate(name)
    files: dict[str, Path | bytes] = {FILES["generator"]: generator}
    with contextlib.suppress(AbsentError):
        files[FILES["critic"]] = locate(name, "critic")
    files["README.md"] = _card(name, generator, repository).encode()
    return hub.upload(repository, files, token, private, endpoint)


def _entry(name: str, local: bool = False) -> Entry | None:
    """What the catalogue says of a name. One that it cannot hold, or of a file, is found without the catalogue, too."""
    try:
        return None if "/" in name or name.startswith(RUN) else catalogue().get(name)
    except UserError:
        if local and os.path.exists(name):  # noqa: PTH110
            return None
        raise


def _locate_entry(entry: Entry, kind: Role) -> Path:
    file = entry if kind == "generator" else entry.critic
    if file is None:
        raise AbsentError(f"{entry.name} comes without a critic; choose a model that has one.")
    path = checkpoints() / file.file
    if path.is_file():
        _check(path, kind, str(path), file, "restore it from the project's repository")
        return path
    label = f"{FILES[kind]} of {entry.repository or entry.name}"
    check = functools.partial(_check, kind=kind, label=label, file=file, remedy="try again, which downloads it anew")
    if not entry.repository:
        if on_hub():
            return checkpoint(file.file, check)
        raise UserError(f"{path} is missing and not on the Hub; restore it from the project's repository.")
    return hub.fetch(entry.repository, entry.revision or "main", FILES[kind], check)


def _check(path: Path, kind: Role, label: str, file: File | None = None, remedy: str = "") -> None:
    """Raise UserError unless the file is what the catalogue says, if it says anything, and holds such a network."""
    if file and (path.stat().st_size != file.bytes or sha256(path) != file.sha256):
        raise UserError(f"{label} is not the file that the catalogue describes; {remedy}.")
    architecture = weights.read_architecture(weights.read_metadata(path, label), label)
    if architecture.role != kind:
        raise AbsentError(
            f"{label} holds a {architecture.role}, not a {kind}; give the {kind}'s file, or a folder that has both."
        )


def _network(path: Path, kind: Role, label: str) -> Any:
    """The network in a file that `locate` gave, completed from its source if it is a delta."""
    tensors, metadata = weights.read(path, label)
    if source := metadata.get("source"):
        try:
            file = _locate_source(source, kind)
        except UserError as error:
            raise UserError(f"{label} is stored as the difference to {source}, but that failed: {error}") from error
        if sha256(file) != metadata.get("source_sha256"):
            raise UserError(f"{label} is the difference to another {source} than there is here; fetch both again.")
        tensors = {**_network(file, kind, source).state_dict(), **tensors}
    return weights.build(tensors, metadata, label)


def _locate_source(name: str, kind: Role) -> Path:
    """The file that a delta is completed from: a file from elsewhere must not point into this disk."""
    if name.startswith(RUN):
        raise UserError(f"{name} is known on one machine only; take a model of the catalogue or of the Hub.")
    return locate(name, kind, local=False)


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:  # deleted by now
        return 0


def _unknown(name: str, local: bool) -> UserError:
    names: list[str] = []
    with contextlib.suppress(UserError):  # no catalogue can be had, and the name is none of it
        names = list(catalogue())
    close = difflib.get_close_matches(name, names, 1)
    hint = f" (is it {close[0]}?)" if close else ""
    choices = [*names, *(["a file", "the folder of a run"] if local else []), "user/repo on the Hub"]
    return UserError(f"There is no model {name[:80]!r}{hint}; take one of {', '.join(choices)}.")


def _card(name: str, path: Path, repository: str) -> str:
    """The README.md of a model, from its file, the catalogue and the measured results."""
    metadata = weights.read_metadata(path)
    recipe = weights.read_recipe(metadata, name)
    data = Path(str(recipe.pop("data", ""))).name  # a folder on somebody's disk is nobody's business
    recipe.pop("device", None)
    architecture = weights.read_architecture(metadata, name)
    entry, seen = _entry(name, local=True), weights.images_seen(path.parent)
    facts: dict[str, object] = {
        "generator": architecture,
        "stored": f"as the difference to {metadata['source']}" if "source" in metadata else "whole",
        "parameters": parameters_of(str(architecture)),
        "side of its pictures, in pixels": architecture.side,
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
    """The figures of a model's last FID in results.json, with what they depend on."""
    records = read_json(checkpoint("results.json")).get("records")
    chosen: dict[str, object] = {}
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict) and (record.get("kind"), record.get("name")) == ("fid", name):
            chosen = {f"fid{record.get('count')}": record.get("fid")} | {key: record.get(key) for key in MEASURED}
    return {key: value for key, value in chosen.items() if isinstance(value, (int, float, str))}
