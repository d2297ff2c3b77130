"""Publishing a model: its networks and its card."""

import contextlib
from pathlib import Path

from ganopt.models import zoo
from ganopt.models.hub import AbsentError
from ganopt.publishing import cards
from ganopt.publishing.upload import Published, Upload, send


def upload_of(name: str | Path, repository: str) -> Upload:
    """What is published of a model: its generator, its critic if it has one, and its card.

    Raises UserError if there is no such model.
    """
    name = zoo.text_of(name)
    generator = zoo.locate(name)
    files: dict[str, Path | bytes] = {zoo.FILES["generator"]: generator}
    with contextlib.suppress(AbsentError):
        files[zoo.FILES["critic"]] = zoo.locate(name, "critic")
    files["README.md"] = cards.of_model(name, generator, repository).encode(errors="backslashreplace")
    return Upload(repository, files)


def publish(name: str | Path, repository: str, token: str, private: bool = False) -> Published:
    """Upload a model to the Hub in one commit. The token is not stored. Raises UserError for any failure."""
    return send(upload_of(name, repository), token, private)
