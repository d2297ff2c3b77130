"""The Hugging Face Hub: its names, downloading files, and its errors.

Everything goes through huggingface_hub, which reads its server from HF_ENDPOINT, its token from HF_TOKEN or
`hf auth login`, and its cache from HF_HOME. This module does not depend on networks or the catalogue.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError

import httpx
import huggingface_hub
from huggingface_hub import constants, errors
from huggingface_hub.utils import validate_repo_id
from tqdm import tqdm

from ganopt.errors import UserError
from ganopt.files import write_error

LARGEST = 1 << 30  # bytes; five times our largest network
PREFIX = "hub:"  # before the name of a dataset, in place of a folder of pictures
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
# of the repository itself
DENIED = (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError)


class AbsentError(UserError):
    """The model exists, but not the requested part of it, such as its critic."""


class UnreachableError(UserError):
    """The server did not answer, could not serve the request, or must not be asked."""


def is_repository(name: str) -> bool:
    """Whether a name has the form `user/repo` or `user/repo@revision`, and cannot lead out of a folder."""
    repository, _, revision = name.partition("@")
    try:
        validate_repo_id(repository)
    except errors.HFValidationError:
        return False
    return "/" in repository and ("@" not in name or REVISION.fullmatch(revision) is not None)


def fetch(repository: str, revision: str, file: str, check: Callable[[Path], None]) -> Path:
    """A file of a model repository, from the cache or downloaded into it, with a message on standard error.

    A commit hash is looked up in the cache first, without the network. A branch or a tag may have moved, so the server
    is asked, and the cache is used if it does not answer or cannot be asked, as with a wrong token or proxy. A file
    for which `check` raises UserError is removed from the cache, and downloaded again at the next call. Raises
    UserError for any failure, AbsentError if the repository does not contain the file.
    """
    path = _cached(repository, revision, file) if COMMIT.fullmatch(revision) else None
    if path is None:
        try:
            path = _ask(repository, revision, file)
        except Exception as caught:  # the client does not catch the errors of its libraries
            error = root_cause(caught)
            path = None if isinstance(error, DENIED) else _cached(repository, revision, file)
            if path is None:
                raise _fetch_error(error, repository, revision, file) from caught
    try:
        check(path)
    except UserError:
        with contextlib.suppress(OSError):  # as in a read-only cache
            path.resolve().unlink(missing_ok=True)  # the file itself, then the link to it
            path.unlink(missing_ok=True)
        raise
    return path


def dataset_files(repository: str, suffix: str) -> Iterator[Path]:
    """The files of a dataset repository with a suffix, sorted by name, from the cache or downloaded into it.

    Each file is downloaded when it is needed. Raises UserError for any failure.
    """
    endpoint, file = constants.ENDPOINT, "the list of files"
    try:
        info = huggingface_hub.HfApi(endpoint=endpoint).dataset_info(repository)
        wanted = {"repo_type": "dataset", "revision": info.sha, "endpoint": endpoint}
        for file in sorted(entry.rfilename for entry in info.siblings or () if entry.rfilename.endswith(suffix)):
            yield Path(huggingface_hub.hf_hub_download(repository, file, **wanted))  # type: ignore[call-overload]
    except Exception as error:  # the client does not catch the errors of its libraries
        raise _fetch_error(root_cause(error), repository, "main", file, "dataset") from error


def dataset_commit(repository: str, revision: str) -> str:
    """The commit that a revision of a dataset repository is at. Raises UserError for any failure."""
    if COMMIT.fullmatch(revision):
        return revision
    endpoint = constants.ENDPOINT
    try:
        commit = huggingface_hub.HfApi(endpoint=endpoint).dataset_info(repository, revision=revision).sha or ""
    except Exception as error:  # as in `dataset_files`
        raise dataset_error(error, repository, revision) from error
    if not COMMIT.fullmatch(commit):
        raise UserError(f"{endpoint} has no files of {repository}; check the name.")
    return commit


def check_access(repository: str) -> None:
    """Raise an error of the client if a dataset repository must not be read, as without accepting its terms."""
    huggingface_hub.HfApi(endpoint=constants.ENDPOINT).auth_check(repository, repo_type="dataset")


def dataset_error(error: BaseException, repository: str, revision: str) -> UserError:
    """The error for a dataset that cannot be read, from an error of the client or of what wraps it."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    known = (errors.HfHubHTTPError, UserError)
    found = next((each for each in chain if isinstance(each, known) or _out_of_reach(each)), error)
    assert isinstance(found, Exception)
    return _fetch_error(found, repository, revision, "the list of pictures", "dataset")


def _cached(repository: str, revision: str, file: str) -> Path | None:
    path = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _ask(repository: str, revision: str, file: str) -> Path:
    """Ask the server once, without the client's half minute of retries, then download the file if it is not cached."""
    endpoint = constants.ENDPOINT
    url = huggingface_hub.hf_hub_url(repository, file, revision=revision, endpoint=endpoint)
    found = huggingface_hub.get_hf_file_metadata(url)
    commit = found.commit_hash or ""
    if not found.etag or not COMMIT.fullmatch(commit):
        raise UserError(f"{endpoint} does not answer like a Hub; check the network's proxy and HF_ENDPOINT.")
    if (found.size or 0) > LARGEST:
        raise UserError(
            f"{file} of {repository} has {found.size:,} bytes, more than ganopt downloads; choose another one."
        )
    if _cached(repository, commit, file) is None:
        size = f" ({found.size / 1e6:,.1f} MB)" if found.size else ""
        tqdm.write(f"Downloading {file}{size} of {repository} from {endpoint}.", file=sys.stderr)
    return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision, endpoint=endpoint))


def root_cause(error: Exception) -> Exception:
    """The cause of an error that the client has wrapped in another one."""
    if isinstance(error, (RuntimeError, errors.LocalEntryNotFoundError)) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def status(error: BaseException) -> int:
    """The status of the server's answer that an error stands for, or 0."""
    return error.response.status_code if isinstance(error, errors.HfHubHTTPError) else 0


def _out_of_reach(error: BaseException) -> bool:
    """Whether the server did not answer or could not serve the request."""
    silent = (errors.OfflineModeIsEnabled, httpx.TransportError, URLError, ConnectionError, TimeoutError)
    return isinstance(error, silent) or status(error) == 429 or status(error) >= 500


def _fetch_error(error: Exception, repository: str, revision: str, file: str, kind: str = "model") -> UserError:
    """The error for a file that could not be downloaded."""
    endpoint = constants.ENDPOINT
    if isinstance(error, UserError):
        return error
    model = repository if revision == "main" or COMMIT.fullmatch(revision) else f"{repository}@{revision}"
    if isinstance(error, errors.GatedRepoError):
        page = f"{endpoint}/{'datasets/' * (kind == 'dataset')}{repository}"
        return UserError(
            f"{repository} has terms that you must accept; accept them at {page} and log in with 'hf auth login'."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return UserError(
            f"{endpoint} has no {kind} {repository} that you may read; check the name, and if it is private, log in "
            "with 'hf auth login' or set HF_TOKEN."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return UserError(f"{repository} has no revision {revision}; choose another, or leave it out.")
    if isinstance(error, errors.EntryNotFoundError) and kind == "dataset":
        return UserError(f"A file of {model} is missing; choose another dataset.")
    if isinstance(error, errors.EntryNotFoundError):
        return AbsentError(f"{model} has no {file}; choose a model that contains one.")
    if status(error) in (401, 403):
        return UnreachableError(f"{endpoint} refused your token; log in again with 'hf auth login', or unset HF_TOKEN.")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return UnreachableError(
            f"{file} of {model} is not in the cache and HF_HUB_OFFLINE forbids downloads; unset it."
        )
    return server_error(error, endpoint, f"{file} of {model}", Path(constants.HF_HUB_CACHE))


def server_error(error: Exception, endpoint: str, what: str, folder: Path | None = None) -> UserError:
    """The error for a request that failed because of the network or the server."""
    if status(error) == 429:
        return UnreachableError(
            f"{endpoint} got too many requests from here for {what}; wait a few minutes and try again."
        )
    if _out_of_reach(error):
        return UnreachableError(f"{endpoint} cannot be reached for {what}; check the connection and try again later.")
    if folder and isinstance(error, OSError) and error.errno:
        return write_error(folder, error)
    return UserError(f"{endpoint} sent an invalid answer for {what}; try again later.")
