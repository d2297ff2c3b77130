"""Temporary folders do not outlive their process, and a page leaves nothing of its visitors."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from ganopt.runs import manager
from ganopt.subprocesses import module_environment
from ganopt.temporary import PREFIX, remove_abandoned, temporary_folder
from tests.browser.conftest import served

pytest.importorskip("fcntl", reason="needs file locks")
MAKE = """
from ganopt.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "face.png").write_text("")
    print(folder, flush=True)
    input()
"""


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """The folder of temporary folders."""
    (tmp_path / "places").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "places"))
    return tmp_path / "places"


def test_a_folder_is_removed_after_the_block_even_after_an_error(places):
    with pytest.raises(ZeroDivisionError), temporary_folder() as folder:
        (folder / "face.png").write_text("")
        remove_abandoned()
        assert (folder / "face.png").exists()
        raise ZeroDivisionError
    assert not list(places.iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_else(places, tmp_path):
    environment = module_environment(TMPDIR=str(places))
    command = [sys.executable, "-c", MAKE]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        folder = Path(process.stdout.readline().strip())
        (places / "ganopt-checkout").mkdir()
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "kept").write_text("")
        (places / f"{PREFIX}link").symlink_to(tmp_path / "mine")
        (places / f"{PREFIX}file").write_text("")
        kept = {folder.name, "ganopt-checkout", f"{PREFIX}link", f"{PREFIX}file"}
        remove_abandoned()
        assert {path.name for path in places.iterdir()} == kept
        process.kill()
    assert (folder / "face.png").exists()
    remove_abandoned()
    assert {path.name for path in places.iterdir()} == kept - {folder.name}
    assert (tmp_path / "mine" / "kept").exists()


@pytest.mark.parametrize(("task", "number"), [("fid", signal.SIGTERM), ("train", signal.SIGKILL)])
def test_a_page_that_ends_leaves_nothing_of_its_visitors(
    task, number, tmp_path, draw_faces, three_models, thin_inception, monkeypatch
):
    (places := tmp_path / "places").mkdir()
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as file:
        [face] = draw_faces(tmp_path / "faces", 1, (400, 400))
        for index in range(1000):
            file.write(face, f"{index}.png")
    settings = {"GANOPT_CHECKPOINTS": three_models, "GANOPT_INCEPTION": thin_inception, "TMPDIR": places}
    settings |= {"GANOPT_RUNS": tmp_path / "runs", "GRADIO_TEMP_DIR": ""}
    environment = {name: str(value) for name, value in settings.items()}
    with served(**environment) as (address, process):
        client, archive = Client(address, verbose=False), handle_file(tmp_path / "faces.zip")
        if task == "fid":
            client.submit(["cats-teacher"], upload=archive, upload_as_reference=True, api_name="/fid")
        else:
            client.submit(network="big/64", side=32, minutes=1, files=[archive], api_name="/train")
        where, end = places if task == "fid" else tmp_path / "runs", time.monotonic() + 100
        while len(list(where.rglob("*.png"))) < 100:
            assert time.monotonic() < end
        os.kill(process, number)
    if number == signal.SIGKILL:
        assert list(places.rglob("faces.zip"))
        monkeypatch.setattr(tempfile, "tempdir", str(places))
    end = time.monotonic() + 30  # until the process that unpacks has noticed
    while [*places.glob(f"{PREFIX}*"), *tmp_path.glob("runs/*/*")] and time.monotonic() < end:
        remove_abandoned()
        manager.remove_unstarted(tmp_path / "runs")
    assert not [path for path in places.rglob("*") if path.is_file() or path.name.startswith(PREFIX)]
    assert not list(tmp_path.glob("runs/*/*"))
