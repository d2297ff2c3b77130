"""Runs as processes: starting, watching, stopping, resuming, renaming and deleting them."""

import contextlib
import dataclasses
import os
import shutil
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from ganopt.errors import UserError
from ganopt.runs import manager, monitor
from ganopt.runs.queue import EXIT, LOCK, PROCESS, is_locked, launch, lock_file
from ganopt.runs.status import find, read
from ganopt.training import loop, methods
from ganopt.training.methods import resolved
from ganopt.training.recipe_text import shareable
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import STATE, read_recipe, write_recipe

pytest.importorskip("fcntl", reason="needs file locks")
TINY = {"generator": "big/64@32", "critic": "plain-critic/64", "batch": 4, "device": "cpu", "save_every": 5}


@pytest.fixture
def recipe(draw_faces, tmp_path) -> Recipe:
    """A recipe that trains until it is stopped."""
    draw_faces(tmp_path / "pictures", 20, (32, 32))
    return methods.recipe("r1", data=str(tmp_path / "pictures"), steps=1_000_000, preview_every=5, **TINY)


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """The folder of the runs. Active runs are killed after the test."""
    yield tmp_path / "runs"
    for path in (tmp_path / "runs").glob(f"*/{PROCESS}"):
        while is_locked(path.with_name(LOCK)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text()), signal.SIGKILL)
            time.sleep(0.05)


@pytest.fixture
def asleep(monkeypatch) -> None:
    """Runs that are started only hold their place, as processes that sleep instead of training."""

    def launch_sleep(folder, command, limit, **environment):
        return launch(folder, ["sh", "-c", 'echo $$ > "$0/asleep"; exec sleep 200', str(folder)], limit)

    monkeypatch.setattr(manager, "launch", launch_sleep)


@pytest.fixture
def finished(folder, recipe, source) -> Callable[[str], Path]:
    """Makes a finished run with a name."""

    def make(name: str) -> Path:
        path = shutil.copytree(source, folder / name)
        write_recipe(path, dataclasses.replace(read_recipe(path), data=recipe.data))
        (path / EXIT).write_text("0")
        (path / LOCK).touch()
        assert status(folder, name) == "finished"
        return path

    return make


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def status(folder: Path, name: str) -> str:
    return read(folder / name).status


def test_a_run_is_started_watched_stopped_resumed_renamed_and_deleted(folder, recipe, refuses):
    path = manager.start(folder, "first run", recipe)
    until(lambda: len(monitor.follow(path)[0]) >= 12)
    assert status(folder, "first run") == "training"
    lines, offset = monitor.follow(path)
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    until(lambda: monitor.follow(path, offset)[0])
    assert monitor.follow(path, offset)[0][0]["step"] == lines[-1]["step"] + 1
    for act in (lambda: manager.delete(folder, "first run"), lambda: manager.rename(folder, "first run", "b")):
        with refuses("training or waiting"):
            act()
    with refuses("already a run"):
        manager.start(folder, "first run", recipe)
    manager.stop(folder, "first run")
    until(lambda: status(folder, "first run") == "stopped")
    last = monitor.follow(path)[0][-1]["step"]
    assert read(path).step == last and "Stopped at step" in monitor.log(path)
    manager.resume(folder, "first run", 1000)
    until(lambda: monitor.follow(path)[0][-1]["step"] > last)
    manager.stop(folder, "first run")
    until(lambda: status(folder, "first run") == "stopped")
    manager.rename(folder, "first run", "second")
    assert [run.name for run in find(folder)] == ["second"]
    manager.delete(folder, "second")
    assert find(folder) == []


def test_a_run_that_was_killed_before_its_first_save_starts_again(folder, recipe):
    path = manager.start(folder, "early", dataclasses.replace(recipe, save_every=1_000_000))
    until(lambda: monitor.follow(path)[0])
    os.kill(int((path / PROCESS).read_text()), signal.SIGKILL)
    until(lambda: status(folder, "early") == "failed")
    manager.resume(folder, "early")
    manager.stop(folder, "early")  # immediately, before the process id is written
    until(lambda: status(folder, "early") == "stopped")
    manager.resume(folder, "early")
    until(lambda: status(folder, "early") == "training" and find(folder))
    until(lambda: (path / "metrics.jsonl").stat().st_mtime > time.time() - 1 and monitor.follow(path)[0])
    assert monitor.follow(path)[0][0]["step"] == 1
    manager.stop(folder, "early")
    until(lambda: status(folder, "early") == "stopped")


def test_a_run_cannot_be_resumed_while_it_is_deleted(folder, finished, refuses, monkeypatch):
    path = finished("short")

    def remove(folder):
        with refuses("already training or waiting"):
            manager.resume(path.parent, "short", 5)

    monkeypatch.setattr(shutil, "rmtree", remove)
    manager.delete(folder, "short")


def until_asleep(path: Path) -> None:
    """Wait until a run that only sleeps has its turn, and a stop signal is sent to itself."""
    until(lambda: (path / "asleep").exists() and (path / PROCESS).read_text() == (path / "asleep").read_text().strip())


def test_a_second_run_waits_and_a_killed_one_has_failed(folder, recipe, asleep, monkeypatch):
    first = manager.start(folder, "first", recipe)
    monkeypatch.setattr(manager, "launch", launch)
    until_asleep(first)
    second = manager.start(folder, "second", recipe)
    until(lambda: status(folder, "second") == "waiting")
    assert [(run.name, run.status) for run in find(folder)] == [("first", "training"), ("second", "waiting")]
    os.kill(int((first / PROCESS).read_text()), signal.SIGKILL)
    until(lambda: status(folder, "first") == "failed")
    until(lambda: monitor.follow(second)[0])
    manager.stop(folder, "second")
    until(lambda: status(folder, "second") == "stopped")


def test_a_run_that_cannot_train_has_failed_and_its_log_says_why(folder, recipe, asleep, monkeypatch):
    first = manager.start(folder, "first", recipe)
    monkeypatch.setattr(manager, "launch", launch)
    until_asleep(first)
    path = manager.start(folder, "bad", recipe)
    until(lambda: status(folder, "bad") == "waiting")
    shutil.rmtree(recipe.data)
    manager.stop(folder, "first")
    until(lambda: status(folder, "bad") == "failed")
    assert "There is no folder" in monitor.log(path) and "Traceback" not in monitor.log(path)
    assert status(folder, first.name) == "stopped"


def test_uploaded_pictures_are_in_the_run_folder_and_renamed_with_it(folder, recipe, tmp_path):
    files = sorted((tmp_path / "pictures").iterdir())
    Image.new("1", (4001, 4000)).save(huge := tmp_path / "huge.png")
    path = manager.start(folder, "mine", dataclasses.replace(recipe, data="", steps=4), [huge, *files])
    shutil.rmtree(tmp_path / "pictures")
    until(lambda: status(folder, "mine") == "finished")
    assert len(list((path / manager.PICTURES).iterdir())) == len(files)
    assert "more than 16 million pixels: 1." in monitor.log(path)
    assert list((path / manager.CACHE / "pictures").iterdir())  # nothing is left in the shared cache
    manager.rename(folder, "mine", "ours")
    recipe = read_recipe(folder / "ours")
    assert recipe.data == str(folder / "ours" / manager.PICTURES)
    assert shareable(recipe)["data"] == manager.PICTURES
    *_, last = loop.resume(folder / "ours", budget={"steps": 6})
    assert last.step == 6


def test_pictures_that_cannot_be_trained_on_are_refused_and_leave_nothing_behind(
    folder, recipe, draw_face, refuses, tmp_path
):
    lone = tmp_path / "lone.png"
    draw_face(0).save(lone)
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(50_000_000))
    huge = tmp_path / "huge.png"
    Image.new("1", (20_000, 10_000)).save(huge)
    for files, fragment in (
        ([lone, lone], "2 pictures"),
        ([tmp_path / "texts.zip"], "no pictures"),
        ([bomb], "50 times"),
        ([huge] * 16, "Only 0 of the pictures have up to 16 million pixels"),
        ([], "choose some"),
    ):
        with refuses(fragment):
            manager.start(folder, "bad", dataclasses.replace(recipe, data=""), files)
        assert find(folder) == [] and not (folder / "bad").exists()
    nowhere = {"data": str(tmp_path / "nowhere")}
    for change, fragment in ((nowhere, "There is no folder"), ({"batch": 64}, "at least 64")):
        with refuses(fragment):
            manager.start(folder, "bad", dataclasses.replace(recipe, **change))
        assert not (folder / "bad").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(recipe, refuses, tmp_path):
    (tmp_path / "file").touch()
    with refuses("cannot be written"):
        manager.start(tmp_path / "file", "run", recipe)


def test_old_runs_of_visitors_are_deleted_but_not_active_ones(folder, recipe, finished, asleep):
    for name in ("short", "short-1", "short-2"):
        finished(name)
    manager.start(folder, "long", recipe)
    manager.forget(folder, 0)
    assert len(find(folder)) == 4  # they are not of visitors
    for run in find(folder):
        (run.folder / manager.VISITOR).touch()
    manager.forget(folder, 2)
    assert [run.name for run in find(folder)] == ["long", "short-2"]
    manager.forget(folder, 0)
    assert [run.name for run in find(folder)] == ["long"]


def concurrently(count: int, act: Callable[[], object]) -> list[object]:
    """The results of an action in several threads at the same moment: a value, or the text of a UserError."""
    barrier = threading.Barrier(count)

    def one(_: int) -> object:
        barrier.wait()
        try:
            return act()
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_concurrent_starts_without_names_all_succeed(folder, recipe, asleep):
    endless = dataclasses.replace(recipe, data="sample:nobody")
    started = concurrently(6, lambda: manager.start(folder, None, endless))
    assert sorted(started) == [folder / f"r1-{number}" for number in range(1, 7)]
    assert all((path / "config.json").exists() for path in started)


def test_of_concurrent_starts_one_gets_the_name_and_visitors_stay_within_the_limit(folder, recipe, asleep):
    endless = dataclasses.replace(recipe, data="sample:nobody")
    named = concurrently(4, lambda: manager.start(folder, "mine", endless))
    assert (
        named.count(folder / "mine") == 1 and sum("There is already a run 'mine'" in str(each) for each in named) == 3
    )
    started = concurrently(6, lambda: manager.start(folder, None, endless, visitor_limit=3))
    assert sum("3 runs are already training or waiting" in str(each) for each in started) == 4
    assert len(list(folder.glob("r1-*"))) == 2  # refused runs leave nothing behind
    assert all((path / manager.VISITOR).exists() for path in folder.glob("r1-*"))


def test_a_run_without_a_process_id_is_not_stopped(folder, recipe, refuses, monkeypatch):
    monkeypatch.setattr(manager, "STOP_TIMEOUT", 0.1)
    (folder / "odd").mkdir(parents=True)
    (folder / "odd" / PROCESS).write_text("-1")
    lock = lock_file(folder / "odd" / LOCK)
    with refuses("The process id of 'odd' is unknown"):
        manager.stop(folder, "odd")
    lock.close()
    (folder / "odd" / PROCESS).unlink()


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "x" * 61, "a\nb", "/etc"])
def test_no_name_leads_out_of_the_folder(folder, recipe, refuses, name):
    with refuses("run's name"):
        manager.start(folder, name, recipe)
    with refuses("There is no run"):
        manager.delete(folder, name)
    assert not folder.exists()


def test_a_run_that_another_run_needs_is_neither_deleted_nor_renamed(folder, finished, refuses, monkeypatch):
    monkeypatch.setenv("GANOPT_RUNS", str(folder))
    path = finished("teacher")
    student = methods.recipe("distill", teacher="run:teacher", alpha=0.0, steps=1, **TINY)
    assert len(list(loop.train(student, folder / "student"))) == 1
    (folder / "student" / LOCK).touch()
    for act in (lambda: manager.delete(folder, "teacher"), lambda: manager.rename(folder, "teacher", "other")):
        with refuses("'student' needs 'teacher' to be resumed"):
            act()
    manager.delete(folder, "student")
    manager.delete(folder, "teacher")
    assert not path.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"start": "run:needed"},
        {"teacher": "run:needed"},
        {"teacher": "FOLDER/needed"},
        {"start": "FOLDER/needed/generator.safetensors"},
        {"data": "sample:run:needed"},
        {"data": "FOLDER/needed/uploaded pictures"},
    ],
)
def test_each_setting_that_names_a_run_keeps_it(settings, folder, refuses):
    for name in ("needed", "needed too", "user"):
        (folder / name).mkdir(parents=True)
        (folder / name / LOCK).touch()
    settings = {name: value.replace("FOLDER", str(folder)) for name, value in settings.items()}
    write_recipe(folder / "user", methods.recipe("distill", **{"teacher": "cats-teacher", "steps": 1, **settings}))
    write_recipe(folder / "needed", methods.recipe("r1", data=str(folder / "needed" / manager.PICTURES), steps=1))
    with refuses("'user' needs 'needed' to be resumed"):
        manager.delete(folder, "needed")
    manager.delete(folder, "needed too")
    (folder / "user" / STATE).touch()
    if "start" in settings:
        manager.rename(folder, "needed", "free")  # the saved weights have taken its place
        return
    with refuses("'user' needs 'needed' to be resumed"):
        manager.delete(folder, "needed")
    manager.delete(folder, "user")
    manager.delete(folder, "needed")


def test_a_saved_transfer_goes_on_without_its_source(source, folder, pictures, refuses):
    shutil.copytree(source, folder / "needed")
    recipe = methods.recipe("transfer", source=str(folder / "needed"), steps=1, freeze_d=1, batch=4, device="cpu")
    write_recipe(folder / "user", resolved(recipe))
    for name in ("needed", "user"):
        (folder / name / LOCK).touch()
    with refuses("'user' needs 'needed' to be resumed"):
        manager.delete(folder, "needed")
    assert len(list(loop.resume(folder / "user", pictures))) == 1
    manager.delete(folder, "needed")
    assert len(list(loop.resume(folder / "user", pictures, {"steps": 2}))) == 1


def test_a_run_that_the_page_trains_is_not_resumed_elsewhere_and_the_reverse(
    folder, finished, pictures, refuses, asleep
):
    path, more = finished("first"), {"steps": 9}
    manager.resume(folder, "first")
    until_asleep(path)
    with refuses("already training or waiting"):
        loop.resume(path, pictures, more)
    manager.stop(folder, "first")
    until(lambda: status(folder, "first") == "stopped")
    steps = loop.resume(path, pictures, more)
    next(steps)
    assert status(folder, "first") == "training"
    for act in (lambda: manager.resume(folder, "first"), lambda: manager.delete(folder, "first")):
        with refuses("training or waiting"):
            act()
    steps.close()
    manager.delete(folder, "first")


def test_missing_inactive_and_damaged_runs_are_one_sentence(folder, finished, refuses):
    for act in (
        lambda: manager.stop(folder, "no"),
        lambda: manager.resume(folder, "no", 5),
        lambda: manager.delete(folder, "no"),
    ):
        with refuses("There is no run 'no'"):
            act()
    path = finished("short")
    with refuses("nothing to stop"):
        manager.stop(folder, "short")
    (path / "state.safetensors").write_bytes(b"damaged")
    with refuses("no readable saved state"):
        manager.resume(folder, "short", 5)
    (path / "config.json").unlink()
    with refuses("no readable run"):
        manager.resume(folder, "short", 5)
    manager.rename(folder, "short", "odd")
    assert not path.exists() and (folder / "odd" / "metrics.jsonl").exists()


@pytest.mark.parametrize(("label", "mirrored"), [("7", False), ("cat", True)])
def test_uploaded_digits_are_not_mirrored(label, mirrored, folder, recipe, tmp_path, asleep):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in (tmp_path / "pictures").iterdir():
            archive.write(file, f"{label}/{file.name}")
    path = manager.start(folder, "mine", dataclasses.replace(recipe, data="", steps=1), [tmp_path / "set.zip"])
    assert read_recipe(path).flip == mirrored
