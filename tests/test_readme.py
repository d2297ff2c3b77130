"""What README.md says is so."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ganopt.cli.parser import _parser
from ganopt.models.catalogue import catalogue
from ganopt.models.networks import build_critic, build_generator, count_parameters, parse_architecture
from ganopt.thesis import table_text, tables

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m (ganopt .*)$", README, re.MULTILINE)
PRINTED = re.findall(r"^\$ python -m (ganopt .*)\n((?:(?![$`]).*\n)+)", README, re.MULTILINE)
FIGURE = re.compile(r"\d+\.\d+")
ROWS = re.findall(r"^\| `([^`]+)` \|[^|]+\| ([\d,]+) \|$", README, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_understood(command):
    assert _parser().parse_args(shlex.split(command, comments=True)[1:]).command


@pytest.mark.parametrize(("command", "printed"), PRINTED)
def test_its_commands_print_what_it_shows(command, printed, tmp_path):
    words, environment = [sys.executable, "-m", *shlex.split(command)], os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert FIGURE.sub("", found) == FIGURE.sub("", printed)
    assert [*map(float, FIGURE.findall(found))] == pytest.approx([*map(float, FIGURE.findall(printed))], rel=0.02)


@pytest.mark.parametrize(("name", "count"), ROWS)
def test_its_parameters_are_counted(name, count):
    is_generator = parse_architecture(name).role == "generator"
    network = build_generator(name) if is_generator else build_critic(name)
    assert f"{count_parameters(network):,}" == count


@pytest.mark.parametrize("name", catalogue())
def test_its_fid_of_each_model_is_that_of_the_results(name):
    records = tables.read(ROOT / "checkpoints" / "results.json")
    score = records["fid", name]
    floor = records["fid", f"floor-{score['reference']}"]
    spread = f"{min(score['fids']):.2f} to {max(score['fids']):.2f}"
    assert f"* `{name}`: fid500 {score['fid']:.2f} ({spread}), floor {floor['fid']:.2f}." in README
    assert score["reference_hash"] == floor["reference_hash"] and score["count"] == floor["count"] == 500
    assert score["seeds"] == ["0-499", "500-999", "1000-1499"]


def test_its_tables_are_those_of_the_results():
    measured = tables.read(ROOT / "checkpoints" / "results.json")
    assert table_text.insert(README, tables.tables(measured)) == README


def test_it_has_commands_and_counts():
    assert len(COMMANDS) >= 8 and len(PRINTED) == 3 and len(ROWS) == 14
