"""The command that publishes on the Hugging Face Hub. It imports what it needs when it runs, to keep `--help` fast."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from ganopt.cli.models import model
from ganopt.errors import UserError, printable

if TYPE_CHECKING:
    from ganopt.publishing.upload import Upload


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `publish`."""
    command.add_argument("model", type=model, nargs="?", help="model: a name, a file or a run folder")
    command.add_argument("repository", nargs="?", help="user/repo on the Hub, created if needed")
    command.add_argument("--space", metavar="REPOSITORY", help="publish the page as the Space user/name")
    command.add_argument(
        "--weights",
        metavar="REPOSITORY",
        help="publish checkpoints/ as the model repository user/name; a Space then contains no weights but uses these",
    )
    command.add_argument("--token", help="access token of the Hub; by default that of `hf auth login` or $HF_TOKEN")
    command.add_argument("--private", action="store_true", help="make the repository private")


def publish(options: argparse.Namespace) -> None:
    """Upload a model to the Hub, or the project's weights, or its page as a Space; lists the files first."""
    from huggingface_hub import get_token

    from ganopt.publishing.upload import check, send

    uploads = _uploads(options)
    for upload in uploads:
        print(*map(printable, upload.listing), sep="\n", flush=True)
    if options.dry_run:
        return
    token = options.token or get_token() or ""
    for upload in uploads:
        check(upload.repository, token)
    commit = ""
    for upload in uploads:
        if upload.variables:  # a Space that uses the weights that have just been published
            pinned = f"{options.weights}@{commit}"
            upload = dataclasses.replace(upload, variables=dict.fromkeys(upload.variables, pinned))
        published = send(upload, token, options.private)
        commit = published.commit
        print(f"{published.url} (commit {commit})", flush=True)


def _uploads(options: argparse.Namespace) -> "list[Upload]":
    """What the options ask to publish, in order."""
    from ganopt.publishing import models, project

    if options.model and (options.space or options.weights):
        raise UserError("A model is published alone; leave out --space and --weights, or the model.")
    if options.repository:
        return [models.upload_of(options.model, options.repository)]
    if not (options.space or options.weights):
        raise UserError("There is nothing to publish; give a model and a repository, or --space, or --weights.")
    uploads = [project.weights(options.weights)] if options.weights else []
    return uploads + ([project.space(options.space, options.weights)] if options.space else [])
