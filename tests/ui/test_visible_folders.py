"""Nothing that a public visitor sees contains a folder of the server, with real runs: one finished, one failed."""

import json
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ganopt.runs.queue import LOCK, LOG
from ganopt.runs.status import ACTIVE, read
from ganopt.ui import access

ROOT = Path(__file__).parents[2]
TINY = {"network": "big/64", "side": 32, "settings": {"batch": 4}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("the server")


@pytest.fixture(scope="module")
def page(folder, three_models, thin_inception, launch_page):
    """A page for visitors."""
    shutil.copytree(three_models, folder / "models", symlinks=True)
    return launch_page(
        GANOPT_CHECKPOINTS=folder / "models",
        GANOPT_INCEPTION=thin_inception,
        GANOPT_RUNS=folder / "runs",
        GRADIO_TEMP_DIR=folder / "made",
    )


@pytest.fixture(scope="module")
def client(page):
    return Client(page.local_url, verbose=False)


@pytest.fixture(scope="module")
def finished(client, folder, draw_faces) -> Path:
    """The folder of a run with uploaded pictures, one of which is damaged."""
    with zipfile.ZipFile(folder / "faces.zip", "w") as file:
        for path in draw_faces(folder / "faces", 20):
            file.write(path, path.name)
        file.writestr("damaged.png", b"no picture")
    arguments = {"minutes": 0.02, "name": "with spaces", "files": [handle_file(folder / "faces.zip")]}
    client.predict(**arguments, **TINY, api_name="/train")
    end = time.monotonic() + 200
    while read(run := folder / "runs" / "with spaces").status in ACTIVE:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert read(run).status == "finished", (run / LOG).read_text()
    return run


@pytest.fixture(scope="module")
def failed(finished) -> Path:
    """The folder of a run whose log ends in a stack trace."""
    run = finished.parent / "failed"
    shutil.copytree(finished, run)
    trace = f'  File "{ROOT}/ganopt/cli/training.py", line 1, in follow\nOSError: {run}/generator.safetensors is gone'
    (run / LOG).write_text(f"{run} " * 200 + f"\n{trace}\nganopt: {finished / 'x y' / 'z.png'} is damaged.\n")
    (run / "exit").write_text("1")
    (run / LOCK).touch()
    return run


def shows_no_folder(text: str, folder: Path) -> bool:
    """Whether a text contains none of the folders, except Gradio's, which are a part of the addresses of its files."""
    text = text.replace(json.dumps(str(folder / "made"))[1:-1], "")
    places = (folder, folder.parent, ROOT, Path(sys.prefix), Path.home())
    return not any(f"{place}/" in text or f'{place}"' in text for place in places)


def call(page: Any, handler: str, values: list, headers: dict[str, str]) -> str:
    """The answers of all handlers of the page with this name."""
    answers = ""
    for number, function in page.fns.items():
        if function.name != handler or len(function.inputs) - len(values):
            continue
        body = {"data": values, "fn_index": number, "session_hash": "owner" if headers else "visitor"}
        assert httpx.post(f"{page.local_url}gradio_api/queue/join", json=body, headers=headers).status_code == 200
        session = {"session_hash": body["session_hash"]}
        answers += httpx.get(f"{page.local_url}gradio_api/queue/data", params=session, timeout=60).text
    assert answers
    return answers


def log_of(page: Any, run: Path, headers: dict[str, str]) -> str:
    """The command and the log of a run as they are shown."""
    return call(page, "_command_and_log", [run.name], headers) + call(
        page, "show_command_and_log", [None, run.name], headers
    )


def test_the_view_of_a_run(page, finished, failed, folder):
    call(page, "show", ["", 100, "", {}], {})  # so that Gradio knows the runs
    for run in (finished, failed):
        for answer in (call(page, "show", [run.name, 100, "", {}], {}), log_of(page, run, {})):
            assert shows_no_folder(answer, folder), answer
    log = log_of(page, finished, {})
    assert "Done at step" in log and f", in {finished.name}." in log
    assert "z.png is damaged" in log_of(page, failed, {})


def test_the_owner_sees_folders(page, finished, folder):
    owner = {access.TOKEN_HEADER: page.token}
    call(page, "show", ["", 100, "", {}], owner)  # so that Gradio knows the run
    assert f"in {finished}" in log_of(page, finished, owner)


def test_the_page_and_its_description(page, finished, folder):
    for path in ("", "config", "gradio_api/info", "?train=with%20spaces", "private"):
        assert shows_no_folder(httpx.get(f"{page.local_url}{path}").text, folder), path


def test_answers_and_errors_of_the_api(client, finished, folder):
    archive = handle_file(folder / "faces.zip")
    arguments: list[tuple[str, dict[str, Any]]] = [
        ("/generate", {"seeds": "0"}),
        ("/cost", {"minutes": 1} | TINY),
        ("/fid", {"models": ["run:with spaces"], "count": 50}),
        ("/fid", {"models": [], "count": 50, "upload": archive}),
        ("/fid", {"models": ["run:none"], "count": 50}),
        ("/train", {"minutes": 1, "data": str(folder)} | TINY),
        ("/train", {"minutes": 1, "name": "with spaces", "files": [archive]} | TINY),
        ("/train", {"minutes": 1, "files": [handle_file(folder / "faces" / "face000.png")]} | TINY),
    ]
    for name, values in arguments:
        job = client.submit(**values, api_name=name)
        try:
            job.result(timeout=200)
            answer = ""
        except AppError as error:
            answer = str(error)
            assert answer.endswith("."), answer
        assert shows_no_folder(answer + json.dumps(job.outputs()), folder), answer


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Saved in /srv/ganopt/runs/a b.", "Saved in a b."),
        ("The folder of /srv/ganopt/runs is full.", "The folder of runs is full."),
        (
            "There is no folder /data/My Pictures/our cats/2024; choose another.",
            "There is no folder 2024; choose another.",
        ),
        ("/data/cats (old)/(a)/x.png is damaged.", "x.png is damaged."),
        ("(see /data/cats (old)/x.png)", "(see x.png)"),
        ("'/data/cats and dogs of mine/x.png' is damaged.", "'x.png' is damaged."),
        ('"C:\\My Pictures\\cats, dogs\\x y.png"', '"x y.png"'),
        ("file:///data/me/x.png, file://localhost/data/me/y.png", "x.png, y.png"),
        ("error:/data/me/x.png --data=/data/me/cats", "error:x.png --data=cats"),
        ("\\\\server\\share\\x.png", "x.png"),
        ("/data/me/r1 is a big/8, but the student a kd/4.", "r1 is a big/8, but the student a kd/4."),
        ("/data/me/x.safetensors or big/8", "x.safetensors or big/8"),
        ("/srv/check points, mine/models/x.json is damaged.", "x.json is damaged."),
        ("/home/some body, PhD/secret/x.png", "x.png"),
        ("In /home/some body, PhD. /home/some body, PhD and /home/some body, PhD2", "In ~. ~ and some body, PhD2"),
        ("/tmp/of a, b/ganopt-temporary-1/made/x.webp", "x.webp"),
        ("/var/cache of me/ganopt/features/x.npz", "x.npz"),
        ("C:\\Users\\me\\x.png is damaged.", "x.png is damaged."),
        ("('/home/me/x.png')", "('x.png')"),
        ("big/8 and me/cats at https://hub.example/me/cats, 1 / 2, </b>", None),
        ("from model to run:big/16, and/or", None),
    ],
)
def test_paths_are_reduced_to_their_last_part(text, shown, monkeypatch):
    monkeypatch.setenv("GANOPT_RUNS", "/srv/ganopt/runs")
    monkeypatch.setenv("GANOPT_CHECKPOINTS", "/srv/check points, mine")
    monkeypatch.setenv("GANOPT_CACHE", "/var/cache of me/ganopt")
    monkeypatch.setenv("HOME", "/home/some body, PhD")
    monkeypatch.setattr(tempfile, "tempdir", "/tmp/of a, b")
    assert access.without_folders(text) == (text if shown is None else shown)


def test_a_page_in_the_root_folder_keeps_addresses(monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/")
    text = "models of me/cats at https://hub.example/me/cats"
    assert access.without_folders(text) == text
