"""Runs are processes: they are started, followed, stopped, resumed, renamed and deleted by their folders alone."""

import contextlib
import json
import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganopt import runs
from ganopt.cli import _parser
from ganopt.recipes import R1, Distill, Recipe, Transfer, parse
from ganopt.turns import LOCK, PROCESS, is_taken

pytest.importorskip("fcntl", reason="locks of files are not told of here")
TINY = {"generator": "big/64@32", "critic": "plain-critic/64", "batch": 4, "device": "cpu", "save_every": 5}


@pytest.fixture
def recipe(draw_faces, tmp_path) -> Recipe:
    """One that trains until it is stopped."""
    draw_faces(tmp_path / "pictures", 20, (32, 32))
    return R1(data=str(tmp_path / "pictures"), steps=1_000_000, preview_every=5, **TINY)


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """The folder of the runs; whatever still runs there is killed at the end."""
    yield tmp_path / "runs"
    for path in (tmp_path / "runs").glob(f"*/{PROCESS}"):
        while is_taken(path.with_name(LOCK)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text()), signal.SIGKILL)
            time.sleep(0.05)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def status(folder: Path, name: str) -> str:
    return runs.read(folder / name).status


def test_a_run_is_started_followed_stopped_resumed_renamed_and_deleted(folder, recipe, refuses):
    path = runs.start(folder, "first run", recipe)
    until(lambda: len(runs.follow(path)[0]) >= 12)
    assert status(folder, "first run") == "training"
    lines, place = runs.follow(path)
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    until(lambda: runs.follow(path, place)[0])
    assert runs.follow(path, place)[0][0]["step"] == lines[-1]["step"] + 1
    for act in (lambda: runs.delete(folder, "first run"), lambda: runs.rename(folder, "first run", "b")):
        with refuses("at work"):
            act()
    with refuses("already"):
        runs.start(folder, "first run", recipe)
    runs.stop(folder, "first run")
    until(lambda: status(folder, "first run") == "stopped")
    last = runs.follow(path)[0][-1]["step"]
    assert runs.read(path).step == last and "Stopped at step" in runs.log(path)
    runs.resume(folder, "first run", 1000)
    until(lambda: runs.follow(path)[0][-1]["step"] > last)
    runs.stop(folder, "first run")
    until(lambda: status(folder, "first run") == "stopped")
    runs.rename(folder, "first run", "second")
    assert [run.name for run in runs.find(folder)] == ["second"]
    runs.delete(folder, "second")
    assert runs.find(folder) == []


def test_a_second_run_waits_and_a_killed_one_has_died(folder, recipe):
    first = runs.start(folder, "first", recipe)
    until(lambda: runs.follow(first)[0])
    second = runs.start(folder, "second", recipe)
    until(lambda: status(folder, "second") == "waiting")
    assert [(run.name, run.status) for run in runs.find(folder)] == [("first", "training"), ("second", "waiting")]
    os.kill(int((first / PROCESS).read_text()), signal.SIGKILL)
    until(lambda: status(folder, "first") == "died")
    until(lambda: runs.follow(second)[0])
    runs.stop(folder, "second")
    until(lambda: status(folder, "second") == "stopped")


def test_a_run_that_cannot_train_has_died_and_its_log_says_why(folder, tmp_path):
    path = runs.start(folder, "bad", R1(data=str(tmp_path / "nowhere"), steps=5, **TINY))
    until(lambda: status(folder, "bad") == "died")
    assert "nowhere" in runs.log(path) and "Traceback" not in runs.log(path)


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "x" * 61, "a\nb", "/etc"])
def test_no_name_leads_out_of_the_folder(folder, recipe, refuses, name):
    with refuses("run's name"):
        runs.start(folder, name, recipe)
    with refuses("run's name"):
        runs.delete(folder, name)
    assert not folder.exists()


def test_what_is_not_there_and_what_rests_are_one_sentence(folder, recipe, refuses, tmp_path):
    for act in (
        lambda: runs.stop(folder, "no"),
        lambda: runs.resume(folder, "no", 5),
        lambda: runs.delete(folder, "no"),
    ):
        with refuses("There is no run 'no'"):
            act()
    path = runs.start(folder, "short", R1(data=recipe.data, steps=1, **TINY))
    until(lambda: status(folder, "short") == "finished")
    with refuses("nothing to stop"):
        runs.stop(folder, "short")
    (path / "state.safetensors").unlink()
    with refuses("saved state"):
        runs.resume(folder, "short", 5)


def test_a_line_that_is_being_written_counts_next_time(tmp_path):
    file = tmp_path / "metrics.jsonl"
    assert runs.follow(tmp_path) == ([], 0)
    file.write_bytes(b'{"step": 1}\n{"step": 2}\n{"ste')
    lines, place = runs.follow(tmp_path)
    assert [line["step"] for line in lines] == [1, 2]
    assert runs.follow(tmp_path, place) == ([], place)
    file.write_bytes(file.read_bytes() + b'p": 3}\n')
    assert runs.follow(tmp_path, place)[0] == [{"step": 3}]
    file.write_bytes(b'{"step": 1}\n')  # cut by a resumed run
    assert runs.follow(tmp_path, place)[0] == [{"step": 1}]


@pytest.mark.parametrize(
    "recipe",
    [
        R1(data="my pictures", minutes=2.5, flip=False, augment=()),
        Transfer(source="cats-teacher", data="dogs", steps=5, channels_last=True),
        Distill(teacher="cats-teacher", alpha=0.0, minutes=1, inherit=True, augment=("color", "cutout")),
    ],
)
def test_the_command_says_the_recipe(recipe, tmp_path):
    words = runs.command(recipe, tmp_path / "run")
    options = vars(_parser().parse_args(words[3:]))
    fields = json.loads(json.dumps({key: value for key, value in options.items() if key in vars(recipe)}))
    assert parse({"recipe": recipe.name} | fields) == recipe
    assert shlex.split(shlex.join(words)) == words and options["out"] == str(tmp_path / "run")
