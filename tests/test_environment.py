"""Settings from the environment that cannot be right are one true sentence at the start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganopt import environment
from ganopt.cli.parser import main

ROOT = Path(__file__).parents[1]
WRONG = {
    "GANOPT_CHECKPOINTS": {
        "/no/such/folder": "not a folder",
        "~/models": "~ is not replaced",
        __file__: "not a folder",
    },
    "GANOPT_RUNS": {"~/runs": "write the whole path", f"{__file__}/runs": "is not a folder that you may write to"},
    "GANOPT_CACHE": {"~": "~ is not replaced"},
    "GANOPT_INCEPTION": {"/no/such/file": "not a file"},
    "GANOPT_HUB": {"cats": "not a repository name", "https://hub.example/me/cats": "user/name", "../x": "user/name"},
    "GANOPT_TRAIN_MINUTES": {
        "5min": "without a unit",
        "-1": "not a number",
        "nan": "not a number",
        "5,5": "not a number",
    },
    "GANOPT_PRIVATE": {"yes": "set it to 1 for a private page or 0 for a public page"},
}
RIGHT = {"GANOPT_RUNS": "new/runs", "GANOPT_HUB": "me/cats@v1.0", "GANOPT_TRAIN_MINUTES": "inf", "GANOPT_PRIVATE": "0"}


@pytest.mark.parametrize(
    ("name", "value", "fragment"), [(name, *pair) for name, values in WRONG.items() for pair in values.items()]
)
def test_a_wrong_setting_is_one_sentence(name, value, fragment, monkeypatch, refuses):
    monkeypatch.setenv(name, value)
    with refuses(f"{name} is '{value}', ", fragment):
        environment.check()


def test_right_settings_and_empty_ones_are_taken(monkeypatch, tmp_path):
    for settings in (dict.fromkeys(WRONG, ""), RIGHT, {"GANOPT_CHECKPOINTS": str(tmp_path)}):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        environment.check()


def test_an_unwritable_folder_is_refused_only_where_runs_are_to_be_written(monkeypatch, tmp_path, refuses, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.delenv("GANOPT_RUNS", raising=False)
    for cache in (tmp_path, __file__):  # `files.write_cache` warns of it
        monkeypatch.setenv("GANOPT_CACHE", str(cache))
        environment.check()
    main(["models"])
    assert "cats-teacher" in capsys.readouterr().out
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path))
    with refuses(f"GANOPT_RUNS is '{tmp_path}', but", "is not a folder that you may write to"):
        environment.check()


@pytest.mark.parametrize("command", [["app.py"], ["-m", "ganopt", "models"]])
def test_programs_check_them_before_they_start(command):
    settings = os.environ | {"GANOPT_TRAIN_MINUTES": "5min"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=settings, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout and done.stderr.startswith("ganopt: GANOPT_TRAIN_MINUTES is '5min'")
    assert len(done.stderr.splitlines()) == 1
