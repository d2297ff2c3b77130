"""Uploading files to a repository of the Hub in one commit.

What the Hub has already is not sent again, so an upload that was interrupted continues when it is repeated.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from ganopt.errors import UserError
from ganopt.models.hub import is_repository, root_cause, server_error, status

OWN_FILES = {".gitattributes", "README.md"}  # in every repository of the Hub, also in a new one
FULL = re.compile(r"storage|quota", re.IGNORECASE)  # in the Hub's message if nothing more can be stored


@dataclass(frozen=True)
class Upload:
    """Files for a repository of a user, `user/name`, by their names there.

    If `mark`, a file's name, is given, the repository mirrors the files: others are removed from it, and one with
    other files but without that one is left alone. `variables` are those of a Space.
    """

    repository: str
    files: dict[str, Path | bytes]
    kind: Literal["model", "space"] = "model"
    mark: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def listing(self) -> list[str]:
        """What is uploaded, in lines: all files, each file with its bytes, each variable."""
        sizes = {
            name: content.stat().st_size if isinstance(content, Path) else len(content)
            for name, content in self.files.items()
        }
        head = f"{self.kind} {self.repository}: {len(sizes)} files, {sum(sizes.values()):,} bytes"
        files = [f"{size:14,}  {name}" for name, size in sizes.items()]
        return [head, *files, *(f"{'variable':>14}  {name}={value}" for name, value in self.variables.items())]


@dataclass(frozen=True)
class Published:
    """A repository after an upload: its address and its commit."""

    url: str
    commit: str


def send(upload: Upload, token: str, private: bool = False) -> Published:
    """Upload files in one commit; the repository is created if needed, with `private` as a private one.

    The token is sent to the server and not stored. Raises UserError for any failure.
    """
    endpoint, repository = constants.ENDPOINT, upload.repository
    check(repository, token)
    try:
        api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
        is_space = upload.kind == "space"
        sdk = "gradio" if is_space else None
        api.create_repo(repository, repo_type=upload.kind, space_sdk=sdk, private=private, exist_ok=True)
        known = api.space_info(repository) if is_space else api.model_info(repository)
        if private and not known.private:
            raise UserError(f"{repository} already exists and is public; choose another name for a private one.")
        others = {each.rfilename for each in known.siblings or ()} - OWN_FILES
        if upload.mark and others and upload.mark not in others:
            raise UserError(f"{repository} already exists and holds something else; choose another name.")
        for name, value in upload.variables.items():
            api.add_space_variable(repository, name, value)
        operations: list[huggingface_hub.CommitOperationAdd | huggingface_hub.CommitOperationDelete] = [
            huggingface_hub.CommitOperationAdd(name, str(content) if isinstance(content, Path) else content)
            for name, content in upload.files.items()
        ]
        for name in sorted(others - upload.files.keys()) if upload.mark else ():
            operations.append(huggingface_hub.CommitOperationDelete(name))
        message = f"Publish {upload.kind} of ganopt"
        commit = api.create_commit(repository, operations, commit_message=message, repo_type=upload.kind)
    except UserError:
        raise
    except Exception as error:  # the client does not catch the errors of its libraries
        raise _error(root_cause(error), repository) from error
    return Published(f"{endpoint}/{'spaces/' * is_space}{repository}", commit.oid)


def check(repository: str, token: str) -> None:
    """Raise UserError unless these are a repository's name and a token, as far as can be told without the Hub."""
    endpoint = constants.ENDPOINT
    if not is_repository(repository) or "@" in repository:
        raise UserError(f"{repository[:80]!r} is not a repository name; write user/name.")
    if not token:
        raise UserError(
            f"There is no access token; make one with write access at {endpoint}/settings/tokens, then log in with "
            "'hf auth login' or set HF_TOKEN."
        )
    if not re.fullmatch(r"[!-~]+", token):
        raise UserError(f"That is not an access token; make one with write access at {endpoint}/settings/tokens.")


def _error(error: Exception, repository: str) -> UserError:
    """The error for what could not be published. It never contains the token."""
    endpoint, code = constants.ENDPOINT, status(error)
    reason = (isinstance(error, HfHubHTTPError) and error.server_message) or ""
    if code in (402, 413, 507) or (code == 403 and FULL.search(reason)):
        return UserError(f"The storage of {repository} on {endpoint} is full; delete other files there or get more.")
    if code == 400 and isinstance(error, HfHubHTTPError):
        said = (reason or "bad request").splitlines()[0]
        return UserError(f"{endpoint} refused {repository} ({said}); choose another name.")
    if code == 401:
        return UserError(f"{endpoint} refused the token; make one with write access at {endpoint}/settings/tokens.")
    if code in (403, 404):
        return UserError(f"The token cannot write to {repository}; use one with write access, or your own user name.")
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(f"{repository} was not published because HF_HUB_OFFLINE forbids it; unset it.")
    return server_error(error, endpoint, f"the upload to {repository}")
