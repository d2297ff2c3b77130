"""The Hugging Face Hub: fetching files of a repository, publishing files there, and the card beside them.

Everything goes through the Hub's own client, which takes its server from HF_ENDPOINT, its token from HF_TOKEN or
`hf auth login`, and its cache from HF_HOME. Nothing here knows of networks or of the catalogue.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import httpx
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id
from tqdm import tqdm

from ganopt.errors import UserError
from ganopt.files import write_error

LARGEST = 1 << 30  # bytes; five times the largest network there is
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")


class AbsentError(UserError):
    """There is a model of this name, but it lacks the part that was asked for."""


def is_repository(name: str) -> bool:
    """Whether a name has the form `user/repo` or `user/repo@revision`, and can be no path out of a folder."""
    repository, _, revision = name.partition("@")
    try:
        validate_repo_id(repository)
    except HFValidationError:
        return False
    return "/" in repository and ("@" not in name or REVISION.fullmatch(revision) is not None)


def fetch(repository: str, revision: str, file: str, check: Callable[[Path], None]) -> Path:
    """A file of a model repository, from the client's cache or downloaded there, which is announced.

    A commit hash is looked for in the cache first, without the network. A branch or a tag may have moved, so the
    server is asked, and the cache answers where the server does not. What `check` refuses, by raising UserError, is
    removed from the cache, so that the next try downloads it again. Raises UserError for all that goes wrong, and
    of that AbsentError where the repository lacks the file.
    """
    path = _cached(repository, revision, file) if COMMIT.fullmatch(revision) else None
    if path is None:
        try:
            path = _ask(repository, revision, file)
        except UserError:
            raise
        except Exception as caught:  # the client lets through errors of many libraries
            error = _root(caught)
            path = _cached(repository, revision, file) if _out_of_reach(error) else None
            if path is None:
                raise _fetch_error(error, repository, revision, file) from caught
    try:
        check(path)
    except UserError:
        with contextlib.suppress(OSError):  # as in a cache that is only for reading
            path.resolve().unlink(missing_ok=True)  # the file itself, then the link to it
            path.unlink(missing_ok=True)
        raise
    return path


def dataset_files(repository: str, suffix: str) -> Iterator[Path]:
    """The files of a dataset repository with a suffix, by their names, from the client's cache or downloaded there.

    Each is downloaded when it is asked for. Raises UserError for all that goes wrong.
    """
    endpoint, file = constants.ENDPOINT, "the list of files"
    try:
        info = huggingface_hub.HfApi(endpoint=endpoint).dataset_info(repository)
        wanted = {"repo_type": "dataset", "revision": info.sha, "endpoint": endpoint}
        for file in sorted(entry.rfilename for entry in info.siblings or () if entry.rfilename.endswith(suffix)):
            yield Path(huggingface_hub.hf_hub_download(repository, file, **wanted))  # type: ignore[call-overload]
    except Exception as error:  # the client lets through errors of many libraries
        raise _fetch_error(_root(error), repository, "main", file, "dataset") from error


def upload(
    repository: str, files: dict[str, Path | bytes], token: str, private: bool = False, endpoint: str | None = None
) -> str:
    """Put files into a model repository, in one commit, and return its URL; a new repository is made if need be.

    The token is sent to the server and kept nowhere. Raises UserError for all that goes wrong.
    """
    endpoint = endpoint or constants.ENDPOINT
    if not is_repository(repository) or "@" in repository:
        raise UserError(f"{repository[:80]!r} is no name of a repository; write it as user/name.")
    if not re.fullmatch(r"[!-~]+", token):
        raise UserError(f"That is no access token; make one with write access at {endpoint}/settings/tokens.")
    try:
        api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
        api.create_repo(repository, private=private, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise UserError(f"{repository} exists already and is public; choose another name for a private model.")
        operations = [
            huggingface_hub.CommitOperationAdd(name, str(content) if isinstance(content, Path) else content)
            for name, content in files.items()
        ]
        api.create_commit(repository, operations, commit_message="Publish a model of ganopt")
    except UserError:
        raise
    except Exception as error:  # the client lets through errors of many libraries
        raise _upload_error(_root(error), repository, endpoint) from error
    return f"{endpoint}/{repository}"


def card(repository: str, title: str, licence: str, notes: str, sections: dict[str, dict[str, object]]) -> str:
    """The README.md of a published model: what it is, tables of facts by section, and how to load it."""
    licence_id = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "unknown"
    named: dict[str, Any] = {} if licence_id in (*LICENCES, "unknown") else {"license_name": licence_id}
    front = huggingface_hub.ModelCardData(
        license="other" if named else licence_id,
        library_name="ganopt",
        tags=["gan", "animal-faces", "unconditional-image-generation"],
        pipeline_tag="unconditional-image-generation",
        **named,
    )
    parts = [f"---\n{front.to_yaml()}\n---", f"# {title}", notes]
    for heading, facts in sections.items():
        rows = [f"| {name} | {_cell(value)} |" for name, value in facts.items()]
        parts.append("\n".join([f"## {heading}", "", "| | |", "| --- | --- |", *rows]) if rows else "")
    parts.append(
        "## Use\n\n```python\n"
        "from ganopt import draw, latents, load, to_image\n"
        f'generator = load("{repository}")\n'
        'to_image(draw(generator, latents([0]))[0]).save("face.png")\n'
        "```"
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _cached(repository: str, revision: str, file: str) -> Path | None:
    path = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _ask(repository: str, revision: str, file: str) -> Path:
    """Ask once, without the client's half minute of retries, then let it download what the cache lacks."""
    endpoint = constants.ENDPOINT
    url = huggingface_hub.hf_hub_url(repository, file, revision=revision, endpoint=endpoint)
    found = huggingface_hub.get_hf_file_metadata(url)
    commit = found.commit_hash or ""
    if not found.etag or not COMMIT.fullmatch(commit):
        raise UserError(f"{endpoint} does not answer as a Hub does; check the network's proxy and HF_ENDPOINT.")
    if (found.size or 0) > LARGEST:
        raise UserError(
            f"{file} of {repository} has {found.size:,} bytes; no ganopt model is that large, choose another."
        )
    if _cached(repository, commit, file) is None:
        size = f" ({found.size / 1e6:,.1f} MB)" if found.size else ""
        tqdm.write(f"Downloading {file}{size} of {repository} from {endpoint}.", file=sys.stderr)
    return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision, endpoint=endpoint))


def _root(error: Exception) -> Exception:
    """What lies behind the client's own wrappers, of uploads in threads and of a second question."""
    wrapped = isinstance(error, (RuntimeError, LocalEntryNotFoundError)) and isinstance(error.__cause__, Exception)
    return error.__cause__ if wrapped else error  # type: ignore[return-value]


def _status(error: BaseException) -> int:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else 0


def _out_of_reach(error: BaseException) -> bool:
    """Whether the server did not answer, which says nothing of the model."""
    silent = isinstance(error, (OfflineModeIsEnabled, httpx.TransportError, URLError, ConnectionError, TimeoutError))
    return silent or _status(error) == 429 or _status(error) >= 500


def _fetch_error(error: Exception, repository: str, revision: str, file: str, kind: str = "model") -> UserError:
    """The sentence for a file that could not be fetched."""
    endpoint = constants.ENDPOINT
    model = repository if revision == "main" or COMMIT.fullmatch(revision) else f"{repository}@{revision}"
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{repository} is given to those who accept its terms; accept them at {endpoint}/{repository} "
            "and log in with 'hf auth login'."
        )
    if isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"{endpoint} has no {kind} {repository} that you may read; check the name, and if it is private, log in "
            "with 'hf auth login' or set HF_TOKEN."
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError(f"{repository} has no revision {revision}; choose another, or leave it out.")
    if isinstance(error, EntryNotFoundError):
        return AbsentError(f"{model} has no {file}; choose a model that ganopt published with one.")
    if _status(error) in (401, 403):
        return UserError(f"{endpoint} refused your token; log in again with 'hf auth login', or unset HF_TOKEN.")
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(f"{file} of {model} is not in the cache and HF_HUB_OFFLINE forbids to fetch it; unset that.")
    return server_error(error, endpoint, f"{file} of {model}", Path(constants.HF_HUB_CACHE))


def _upload_error(error: Exception, repository: str, endpoint: str) -> UserError:
    """The sentence for a model that could not be published. It never tells the token."""
    status = _status(error)
    if status == 400 and isinstance(error, HfHubHTTPError):
        reason = (error.server_message or "bad request").splitlines()[0]
        return UserError(f"{endpoint} refused {repository} ({reason}); choose another name.")
    if status == 401:
        return UserError(f"{endpoint} refused the token; make one with write access at {endpoint}/settings/tokens.")
    if status in (403, 404):
        return UserError(f"The token may not write to {repository}; take one with write access, or your own user name.")
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(f"{repository} was not published because HF_HUB_OFFLINE forbids it; unset that.")
    return server_error(error, endpoint, f"the upload to {repository}")


def server_error(error: Exception, endpoint: str, what: str, folder: Path | None = None) -> UserError:
    """The sentence for trouble on the way, whatever was asked for."""
    if _status(error) == 429:
        return UserError(f"{endpoint} had too many requests from here for {what}; wait some minutes and try again.")
    if _out_of_reach(error):
        return UserError(f"{endpoint} cannot be reached for {what}; check the connection and try again later.")
    if folder and isinstance(error, OSError) and error.errno:
        return write_error(folder, error)
    return UserError(f"{endpoint} sent a broken answer for {what}; try again later.")
