"""Locating the files of `checkpoints/`: in a local folder or, for an installed package, on the Hub."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ganopt.errors import UserError
from ganopt.files import read_tensors

HUB = "ganopt/ganopt-checkpoints"  # a model repository with the files of checkpoints/, unless $GANOPT_HUB is set


def checkpoints() -> Path:
    """The folder of the shipped models: $GANOPT_CHECKPOINTS, by default checkpoints/ beside ganopt/."""
    return Path(os.environ.get("GANOPT_CHECKPOINTS") or Path(__file__).resolve().parents[2] / "checkpoints")


def on_hub() -> bool:
    """Whether the files come from the Hub: $GANOPT_CHECKPOINTS is not set and there is no folder beside the package."""
    return not os.environ.get("GANOPT_CHECKPOINTS") and not checkpoints().is_dir()


def checkpoint(name: str, check: Callable[[Path], None] = lambda path: None) -> Path:
    """The path of a file of `checkpoints/`, which may not exist; from the Hub, it is downloaded and cached.

    Raises UserError if it cannot be downloaded, and as `check` does, to which an existing file is given.
    """
    if not on_hub():
        if (path := checkpoints() / name).exists():
            check(path)
        return path
    from ganopt.models import hub  # takes a second to import

    repository, _, revision = (os.environ.get("GANOPT_HUB") or HUB).partition("@")
    return hub.fetch(repository, _commit(repository, revision or "main"), name, check)


def read_checkpoint(name: str, *needed: str) -> dict[str, Any]:
    """The tensors of a file of `checkpoints/`. Raises UserError if one that is needed is missing, or any not finite."""
    path = checkpoint(name)
    try:
        tensors = read_tensors(path)
        if not tensors.keys() >= {*needed} or not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise SafetensorError("incomplete or not finite")
        return tensors
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is missing or damaged; restore it from the project's repository.") from error


@functools.cache
def _commit(repository: str, revision: str) -> str:
    """The commit that this process uses for all files: the newest, or without a network the last one in the cache."""
    from ganopt.models import hub

    if not hub.is_repository(f"{repository}@{revision}"):
        raise UserError(
            f"GANOPT_HUB is {repository[:80]!r}, not a repository name; write user/name or user/name@revision."
        )
    try:
        catalogue = hub.fetch(repository, revision, "catalogue.json", lambda path: None)
    except UserError as error:
        reason = str(error).split("; ")[0].removesuffix(".")
        raise UserError(
            f"There is no checkpoints/ folder beside the package, and {repository} on the Hub cannot be downloaded "
            f"({reason}); clone the project, or set GANOPT_CHECKPOINTS to a folder with its checkpoints."
        ) from error
    return catalogue.parent.name  # snapshots/COMMIT/catalogue.json
