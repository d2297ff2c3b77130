"""Where the files of `checkpoints/` are: in a folder on this machine or, for an installed package, on the Hub."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from ganopt.errors import UserError

HUB = "ganopt/ganopt-checkpoints"  # a model repository with the files of checkpoints/; $GANOPT_HUB names another


def checkpoints() -> Path:
    """The folder of the models that come with the project: $GANOPT_CHECKPOINTS, else checkpoints/ beside ganopt/."""
    return Path(os.environ.get("GANOPT_CHECKPOINTS") or Path(__file__).resolve().parents[2] / "checkpoints")


def on_hub() -> bool:
    """Whether the files come from the Hub: no folder was named, and there is none beside the package."""
    return not os.environ.get("GANOPT_CHECKPOINTS") and not checkpoints().is_dir()


def checkpoint(name: str, check: Callable[[Path], None] = lambda path: None) -> Path:
    """Where a file of `checkpoints/` is or should be; one on the Hub is downloaded, checked and kept in its cache.

    Raises UserError for a file that the Hub does not give.
    """
    if not on_hub():
        return checkpoints() / name
    from ganopt.models import hub  # whose client takes a second to import

    repository, _, revision = (os.environ.get("GANOPT_HUB") or HUB).partition("@")
    return hub.fetch(repository, _commit(repository, revision or "main"), name, check)


@functools.cache
def _commit(repository: str, revision: str) -> str:
    """The commit that this process takes all files from: the newest one, or, without the network, the last in use."""
    from ganopt.models import hub

    if not hub.is_repository(f"{repository}@{revision}"):
        raise UserError(
            f"GANOPT_HUB is {repository[:80]!r}, no name of a repository; write it as user/name or user/name@revision."
        )
    try:
        catalogue = hub.fetch(repository, revision, "catalogue.json", lambda path: None)
    except UserError as error:
        reason = str(error).split("; ")[0].removesuffix(".")
        raise UserError(
            f"There are no checkpoints beside the package, and those of {repository} on the Hub cannot be had "
            f"({reason}); clone the project, or set GANOPT_CHECKPOINTS to a folder that holds its checkpoints."
        ) from error
    return catalogue.parent.name  # snapshots/COMMIT/catalogue.json
