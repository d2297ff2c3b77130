"""A run whose resumption is refused stays what it was."""

import dataclasses
import shutil
import subprocess

import pytest

from ganopt.errors import UserError
from ganopt.runs import manager, queue
from ganopt.runs.queue import EXIT, LOCK
from ganopt.runs.status import read
from ganopt.training import methods
from ganopt.training.run_folder import read_recipe, write_recipe


@pytest.fixture
def run(source, tmp_path, monkeypatch, three_models):
    """A finished run."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    folder = shutil.copytree(source, tmp_path / "runs" / "run")
    (folder / EXIT).write_text("0")
    (folder / LOCK).touch()
    write_recipe(folder, dataclasses.replace(read_recipe(folder), data="sample:cats-teacher"))
    return folder


def launched(*_, **__):
    raise AssertionError("it was launched")


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"data": "sample:run:gone"}, ("run:gone",)),
        ({"data": "/no/such/folder"}, ("There is no folder /no/such/folder",)),
        ({"limit": 0}, ("0 runs are already training",)),
    ],
)
def test_a_run_that_is_not_resumed_is_still_finished(run, monkeypatch, refuses, change, fragments):
    monkeypatch.setattr(subprocess, "Popen", launched)
    limit = change.pop("limit", None)
    write_recipe(run, dataclasses.replace(read_recipe(run), **change))
    with refuses(*fragments):
        manager.resume(run.parent, "run", 1000, limit)
    assert read(run).status == "finished"


def test_a_student_without_its_teacher_is_not_resumed(run, monkeypatch, refuses):
    monkeypatch.setattr(subprocess, "Popen", launched)
    write_recipe(run, methods.recipe("distill", teacher="run:gone", generator="big/32@32", alpha=0.0, steps=1))
    with refuses("run:gone"):
        manager.resume(run.parent, "run", 1000)
    assert read(run).status == "finished"


def test_a_run_whose_process_cannot_be_started_is_still_finished(run, monkeypatch):
    def fail(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(queue.subprocess, "Popen", fail)
    with pytest.raises(UserError, match="Cannot allocate memory"):
        manager.resume(run.parent, "run", 1000)
    assert read(run).status == "finished"
