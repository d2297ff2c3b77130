"""Publishing the project: its weights as a model repository, and its page as a Space."""

import re
from pathlib import Path

from huggingface_hub import constants

from ganopt.errors import UserError
from ganopt.files import PACKAGE
from ganopt.models.checkpoint_files import checkpoints, on_hub
from ganopt.publishing import cards
from ganopt.publishing.upload import Upload

CODE = {".css", ".html", ".js", ".json", ".md", ".png", ".py"}  # suffixes of the files of the package
WEIGHTS = {".json", ".png", ".safetensors"}  # and of those of checkpoints/
PAGE, NEEDED = "app.py", ("README.md", "requirements.txt", "LICENSE")  # beside the package, for a Space
LINK = re.compile(r"\]\((?:\.\./)?checkpoints/")  # in Markdown, from README.md and docs/


def weights(repository: str) -> Upload:
    """The shipped models with a card, for a model repository, which `GANOPT_HUB` can name.

    Raises UserError if there is no folder of them.
    """
    card = cards.of_checkpoints(repository).encode()
    return Upload(repository, {"README.md": card, **_weights()}, mark="catalogue.json")


def space(repository: str, hub: str | None = None) -> Upload:
    """The page for a Space: with the weights, or if `hub` names a repository, as in `GANOPT_HUB`, without them.

    Then README.md and docs/ show the pictures of that repository. Tests, caches, runs and whatever else lies in the
    checkout are left out. Raises UserError without a checkout.
    """
    root = PACKAGE.parent
    if missing := [name for name in (PAGE, *NEEDED) if not (root / name).is_file()]:
        raise UserError(f"A Space is made from a checkout, and {root} has no {missing[0]}; clone the project first.")
    files: dict[str, Path | bytes] = {name: root / name for name in (PAGE, *NEEDED)}
    files |= _files(PACKAGE, CODE, f"{PACKAGE.name}/") | _files(root / "docs", {".md"}, "docs/")
    if hub:
        there = f"]({constants.ENDPOINT}/{hub}/resolve/main/"
        for name, path in [*files.items()]:
            if isinstance(path, Path) and (name == "README.md" or name.startswith("docs/")):
                files[name] = LINK.sub(there, path.read_text(encoding="utf-8")).encode()
        return Upload(repository, files, "space", PAGE, {"GANOPT_HUB": hub})
    return Upload(repository, files | {f"checkpoints/{name}": path for name, path in _weights().items()}, "space", PAGE)


def _weights() -> dict[str, Path | bytes]:
    if on_hub() or not (checkpoints() / "catalogue.json").is_file():
        raise UserError(f"{checkpoints()} contains no models; clone the project or set GANOPT_CHECKPOINTS.")
    return _files(checkpoints(), WEIGHTS)


def _files(folder: Path, suffixes: set[str], prefix: str = "") -> dict[str, Path | bytes]:
    """The files of a folder with these suffixes, and its licence, without hidden ones, by their names in it."""
    found: dict[str, Path | bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and (path.suffix in suffixes or path.name == "LICENSE") and "/." not in f"/{name.as_posix()}":
            found[prefix + name.as_posix()] = path
    return found
