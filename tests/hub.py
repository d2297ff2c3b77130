"""A stand-in for the Hugging Face Hub on 127.0.0.1, which the real client talks to.

It keeps models, data sets and Spaces (as spaces/user/name) in memory and answers as the Hub does, LFS included: files
that are no text are uploaded through the batch API and downloaded from another host name (127.1, the same machine), as
from the Hub's CDN, which must never be sent a token.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from huggingface_hub import constants

WRITER, READER = "hf_writerSecret", "hf_readerSecret"  # tokens: of the user "cat", and of somebody else
LICENCES = ("apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "other", "unknown")
SDKS = ("gradio", "docker", "static")  # of a Space
NEW_SPACE = {".gitattributes": b"*.safetensors filter=lfs\n", "README.md": b"---\nsdk: gradio\n---\n"}


@dataclass
class Repository:
    """A repository of a model, a data set or a Space: the files of each commit, the newest last."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], message: str = "", removed: tuple[str, ...] = ()) -> str:
        merged = {**(self.files() if self.commits else {}), **files}
        merged = {name: content for name, content in merged.items() if name not in removed}
        name = hashlib.sha1(repr((len(self.commits), sorted(merged.items()))).encode()).hexdigest()
        self.commits[name] = merged
        self.messages.append(message)
        return name

    def head(self) -> str:
        return list(self.commits)[-1]

    def files(self) -> dict[str, bytes]:
        return self.commits[self.head()]


@dataclass(frozen=True)
class Request:
    """What was asked of the server."""

    method: str
    path: str
    token: str


class Hub:
    """The server; a context manager.

    `trouble` makes it answer `garbage`, be `busy` or `full`, send `short` files, or be `silent`, or `stuck`,
    half of a large file sent or none of one taken; `stuck` is set when it is.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}  # LFS objects by SHA-256
        self.requests: list[Request] = []
        self.trouble = ""
        self.stuck = threading.Event()

    def __enter__(self) -> "Hub":
        handler = type("BoundHandler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.running = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Go down: connections are refused from here on."""
        if self.running:
            self.running = False
            self.server.shutdown()
            self.server.server_close()

    def connect(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """Point the client of this process here, its cache and token into a folder, with nobody logged in."""
        settings = {
            "ENDPOINT": self.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(folder / "cache"),
            "HF_TOKEN_PATH": str(folder / "token"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
        }
        for name, value in settings.items():  # the client read them from the environment when it was imported
            monkeypatch.setattr(constants, name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)

    def add(self, name: str, files: dict[str, bytes], private: bool = False, gated: bool = False) -> str:
        """Commit files to a repository, new if need be; returns the commit's hash."""
        repository = self.repositories.setdefault(name, Repository(private, gated))
        return repository.commit(files)

    def downloads(self) -> int:
        """How often the contents of a large file were sent."""
        return sum(request.method == "GET" and request.path.startswith("/cdn/") for request in self.requests)


class RefusalError(Exception):
    """An answer that ends a request: status, the Hub's error code and its message."""

    def __init__(self, status: int, code: str = "", message: str = ""):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.requests.append(Request(self.command, path, token))
        body = self._body()
        try:
            if self.hub.trouble == "silent":
                return self._wait()
            if self.hub.trouble == "garbage":
                return self._send(200, b"<html>Log in to the hotel's network</html>")
            if self.hub.trouble == "busy":
                raise RefusalError(503, message="Overloaded")
            if token and token not in (WRITER, READER):
                raise RefusalError(401, message="Invalid credentials in Authorization header")
            for method, pattern, answer in _ROUTES:
                if self.command in method and (match := re.fullmatch(pattern, path)):
                    return answer(self, token, body, **match.groupdict())
            raise RefusalError(404)
        except RefusalError as refusal:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
            self._send_json({"error": refusal.message}, refusal.status, {k: v for k, v in headers.items() if v})

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_json(self, values: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(values).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _repository(self, name: str, token: str, write: bool = False) -> Repository:
        """The repository, if the token's owner may see it, or write to it."""
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not _owns(token, name)):
            raise RefusalError(404 if token else 401, "RepoNotFound", "Repository not found")
        if write and not _owns(token, name):
            raise RefusalError(403, message="You don't have the required permissions")
        return repository

    def _resolve(self, token: str, body: bytes, name: str, revision: str, file: str) -> None:
        self._check_access(token, name)
        repository = self._repository(name, token)
        commit = _commit_of(repository, revision)
        content = repository.commits[commit].get(file)
        if content is None:
            raise RefusalError(404, "EntryNotFound", "Entry not found")
        headers, digest = {"X-Repo-Commit": commit}, _object_id(content)
        if _is_text(content):
            return self._send(200, content, {**headers, "ETag": f'"{digest}"'})
        self.hub.stored[digest] = content
        size = len(content) + (self.hub.trouble == "short")
        headers |= {"X-Linked-Size": str(size), "X-Linked-Etag": f'"{digest}"'}
        self._send(302, b"", {**headers, "Location": f"http://127.1:{self.hub.port}/cdn/{digest}"})

    def _download(self, token: str, body: bytes, digest: str) -> None:
        if self.hub.trouble == "stuck":
            return self._send_half(self.hub.stored[digest])
        content = self.hub.stored[digest]
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            span = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            return self._send(206, content[first : last + 1], span)
        self._send(200, content)

    def _send_half(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.hub.stuck.set()
        self._wait()

    def _wait(self) -> None:
        """Say nothing until the client is gone."""
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    def _info(self, token: str, body: bytes, name: str, revision: str | None = None) -> None:
        repository = self._repository(name, token)
        sha = _commit_of(repository, revision or "main") if repository.commits else None
        files = [{"rfilename": file} for file in repository.commits[sha]] if sha else []
        self._send_json({"id": name, "private": repository.private, "sha": sha, "tags": [], "siblings": files})

    def _check_access(self, token: str, name: str) -> None:
        if self._repository(name, token).gated and not _owns(token, name):
            raise RefusalError(403 if token else 401, "GatedRepo", "Access to this repository is restricted")

    def _auth_check(self, token: str, body: bytes, name: str) -> None:
        self._check_access(token, name)
        self._send_json({})

    def _tree(self, token: str, body: bytes, name: str, revision: str, folder: str | None = None) -> None:
        repository, inside = self._repository(name, token), f"{folder}/" if folder else ""
        entries = _entries(repository.commits[_commit_of(repository, revision)])
        found = [entry for path, entry in entries.items() if path.startswith(inside)]
        if inside and not found:
            raise RefusalError(404, "EntryNotFound", f"{folder} does not exist")
        is_deep = "recursive=true" in urlsplit(self.path).query.lower()
        self._send_json([entry for entry in found if is_deep or "/" not in entry["path"][len(inside) :]])

    def _create(self, token: str, body: bytes) -> None:
        wanted = json.loads(body)
        is_space = wanted.get("type") == "space"
        name = f"{'spaces/' * is_space}{wanted['organization']}/{wanted['name']}"
        if not token:
            raise RefusalError(401, message="Invalid username or password.")
        if not _owns(token, name):
            raise RefusalError(403, message="You don't have the rights to create a model under this namespace")
        if wanted["name"] == "settings":
            raise RefusalError(400, message="Reserved name")
        if is_space and wanted.get("sdk") not in SDKS:
            raise RefusalError(400, message="A Space needs an SDK")
        if name in self.hub.repositories:
            return self._send_json({"url": f"{self.hub.url}/{name}"}, 409)
        private = wanted.get("visibility") == "private" or wanted.get("private") is True
        self.hub.repositories[name] = Repository(private)
        if is_space:
            self.hub.repositories[name].commit(NEW_SPACE)
        self._send_json({"url": f"{self.hub.url}/{name}"})

    def _validate(self, token: str, body: bytes) -> None:
        sent = json.loads(body)
        front = yaml.safe_load(sent["content"].split("---")[1])
        errors = [] if front.get("license") in LICENCES else [{"message": '"license" must be one of those known'}]
        if sent["repoType"] == "space" and (front.get("sdk") not in SDKS or len(front["short_description"]) > 60):
            errors.append({"message": '"sdk" or "short_description" is not what it must be'})
        self._send_json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _preupload(self, token: str, body: bytes, name: str) -> None:
        repository = self._repository(name, token, write=True)
        answers, known = [], repository.files() if repository.commits else {}
        for file in json.loads(body)["files"]:
            mode = "regular" if _is_text(base64.b64decode(file["sample"])) else "lfs"
            answer = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
            answers.append({**answer, "oid": _object_id(known[file["path"]]) if file["path"] in known else None})
        self._send_json({"files": answers})

    def _batch(self, token: str, body: bytes, name: str) -> None:
        self._repository(name, token, write=True)
        if self.hub.trouble == "full":
            raise RefusalError(403, message="Private repository storage limit reached, please upgrade your plan")
        objects = []
        for wanted in json.loads(body)["objects"]:
            address = f"{self.hub.url}/lfs/{wanted['oid']}"
            actions = {"upload": {"href": address}, "verify": {"href": f"{address}/verify"}}
            known = wanted["oid"] in self.hub.stored
            objects.append({**wanted} if known else {**wanted, "actions": actions})
        self._send_json({"transfer": "basic", "objects": objects})

    def _upload(self, token: str, body: bytes, digest: str) -> None:
        if self.hub.trouble == "stuck":
            self.hub.stuck.set()
            return self._wait()
        if hashlib.sha256(body).hexdigest() != digest:
            raise RefusalError(400, message="That is not the file that was announced")
        self.hub.stored[digest] = body
        self._send(200)

    def _verify(self, token: str, body: bytes, digest: str) -> None:
        self._send(200 if len(self.hub.stored[digest]) == json.loads(body)["size"] else 400)

    def _commit(self, token: str, body: bytes, name: str) -> None:
        repository = self._repository(name, token, write=True)
        header, *changes = [json.loads(line) for line in body.splitlines()]
        files = {}
        for change in [change for change in changes if change["key"] != "deletedFile"]:
            value = change["value"]
            plain = change["key"] == "file"
            files[value["path"]] = base64.b64decode(value["content"]) if plain else self.hub.stored[value["oid"]]
            if plain and not _is_text(files[value["path"]]):
                raise RefusalError(400, message="Your push was rejected because it contains binary files.")
        removed = tuple(change["value"]["path"] for change in changes if change["key"] == "deletedFile")
        commit = repository.commit(files, header["value"]["summary"], removed)
        self._send_json({"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit})

    def _set_variable(self, token: str, body: bytes, name: str) -> None:
        repository, sent = self._repository(name, token, write=True), json.loads(body)
        repository.variables[sent["key"]] = sent["value"]
        self._send_json({name: {"value": value} for name, value in repository.variables.items()})


def _owns(token: str, name: str) -> bool:
    return token == WRITER and name.removeprefix("spaces/").startswith("cat/")


def _commit_of(repository: Repository, revision: str) -> str:
    commit = repository.head() if revision == "main" else revision
    if commit not in repository.commits:
        raise RefusalError(404, "RevisionNotFound", "Invalid rev id")
    return commit


def _entries(files: dict[str, bytes]) -> dict[str, dict]:
    """The files of a commit and their folders by path, as the Hub lists them."""
    folders = {str(parent): b"" for file in files for parent in list(PurePosixPath(file).parents)[:-1]}
    entries: dict[str, dict] = {path: {"type": "directory", "path": path, "oid": "0" * 40} for path in folders}
    for path, content in files.items():
        digest = _object_id(content)
        lfs = {} if _is_text(content) else {"lfs": {"oid": digest, "size": len(content), "pointerSize": 134}}
        entries[path] = {"type": "file", "path": path, "oid": digest, "size": len(content), **lfs}
    return entries


def _is_text(content: bytes) -> bool:
    return b"\0" not in content


def _object_id(content: bytes) -> str:
    """Of a text that of git, of another file its SHA-256, as LFS has it."""
    if _is_text(content):
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


_NAME = r"(?P<name>[^/]+/[^/]+)"
_REPOSITORY = r"(models/|datasets/|)(?P<name>(spaces/)?[^/]+/[^/]+)"
_ROUTES = (
    (("GET", "HEAD"), rf"(/datasets)?/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", _Handler._resolve),
    (("GET",), r"/cdn/(?P<digest>\w+)", _Handler._download),
    (("GET",), rf"/api/{_REPOSITORY}(/revision/(?P<revision>[^/]+))?", _Handler._info),
    (("GET",), rf"/api/{_REPOSITORY}/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", _Handler._tree),
    (("GET",), rf"/api/{_REPOSITORY}/auth-check", _Handler._auth_check),
    (("POST",), r"/api/repos/create", _Handler._create),
    (("POST",), r"/api/validate-yaml", _Handler._validate),
    (("POST",), rf"/api/{_REPOSITORY}/preupload/main", _Handler._preupload),
    (("POST",), rf"/{_REPOSITORY}\.git/info/lfs/objects/batch", _Handler._batch),
    (("PUT",), r"/lfs/(?P<digest>\w+)", _Handler._upload),
    (("POST",), r"/lfs/(?P<digest>\w+)/verify", _Handler._verify),
    (("POST",), rf"/api/{_REPOSITORY}/commit/main", _Handler._commit),
    (("POST",), rf"/api/{_REPOSITORY}/variables", _Handler._set_variable),
)
