"""What README.md and docs/ say is so."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganopt.cli.parser import _parser, main
from ganopt.models.catalogue import catalogue
from ganopt.models.networks import build_critic, build_generator, count_parameters, parse_architecture
from ganopt.models.weights import storage
from ganopt.thesis import table_text, tables

ROOT = Path(__file__).resolve().parents[1]
README, MEASUREMENTS = ROOT / "README.md", ROOT / "docs" / "measurements.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "tests" / "browser" / "README.md"]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
COMMANDS = re.findall(r"^python -m (ganopt .*)$", TEXT, re.MULTILINE)
COMMANDS += [" ".join(words.split()) for words in re.findall(r"`python -m (ganopt\s[^`]+)`", TEXT)]
COMMANDS = [*dict.fromkeys(line.partition("  #")[0].rstrip() for line in COMMANDS if not line.endswith("--help"))]
PRINTED = re.findall(r"^\$ python -m (ganopt .*)\n((?:(?![$`]).*\n)+)", TEXT, re.MULTILINE)
FIGURE = re.compile(r"\d+\.\d+")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| `([^`]+)` \|[^|]+\| ([\d,]+) \|$", TEXT, re.MULTILINE)
SHORT = re.findall(r"^\| `(.+)`" + r" \| (.+)" * 6 + r" \|$", README.read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_understood(command):
    assert _parser().parse_args(shlex.split(command, comments=True)[1:]).command


@pytest.mark.parametrize(("command", "printed"), PRINTED)
def test_its_commands_print_what_it_shows(command, printed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(shlex.split(command)[1:])
    found = capsys.readouterr().out
    assert FIGURE.sub("", found) == FIGURE.sub("", printed)
    assert [*map(float, FIGURE.findall(found))] == pytest.approx(
        [*map(float, FIGURE.findall(printed))], rel=0.05
    )  # other processors draw other patches


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
    assert f"* `{name}`: fid500 {score['fid']:.2f} ({spread}), floor {floor['fid']:.2f}." in TEXT
    assert score["reference_hash"] == floor["reference_hash"] and score["count"] == floor["count"] == 500
    assert score["seeds"] == ["0-499", "500-999", "1000-1499"]


def test_its_tables_are_those_of_the_results():
    measured = tables.read(ROOT / "checkpoints" / "results.json")
    text = MEASUREMENTS.read_text()
    assert table_text.insert(text, tables.tables(measured)) == text


@pytest.mark.parametrize("row", SHORT, ids=lambda row: row[0])
def test_its_short_table_is_that_of_the_results(row):
    built = tables.tables(tables.read(ROOT / "checkpoints" / "results.json"))
    lines = [(table.heads, line) for table in built if table.name.startswith("table-") for line in table.rows]
    found = {head: text for heads, line in lines if line[0] == row[0] for head, text in zip(heads, line, strict=True)}
    on_disk = f"{(ROOT / 'checkpoints' / f'{row[0]}.safetensors').stat().st_size / 1e6:.1f}"
    sizes = [found["as float16, MB"], on_disk]
    assert list(row[1:]) == [found["network"], *sizes, found["FID"], found["floor"], found["latency, ms"]]


@pytest.mark.parametrize("name", ["dogs-transfer"])
def test_its_model_that_is_stored_as_a_difference_is_one(name):
    assert f"that of `{name}` only what differs from `{catalogue()[name].source}`" in README.read_text()
    assert [each for each, entry in catalogue().items() if entry.source] == [name]
    assert {storage(ROOT / "checkpoints" / entry.file) for entry in catalogue().values()} == {"int8"}


def test_readme_is_short_and_narrow():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_links_and_pictures_exist(path):
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (link.startswith("https://") or (path.parent / link).exists())]


@pytest.mark.parametrize("path", DOCUMENTS[1:-1], ids=lambda path: path.name)
def test_readme_leads_to_every_document(path):
    assert f"](docs/{path.name})" in README.read_text(encoding="utf-8")


def test_its_programs_of_the_tests_exist():
    names = set(re.findall(r"python -m (tests[\w.]+|ganopt\.[\w.]+)", TEXT))
    assert len(names) > 15
    assert not [name for name in names if not (ROOT / (name.replace(".", "/") + ".py")).is_file()]


NOTEBOOK = """import asyncio, sys
async def cell():  # a notebook's program is not in a file, and runs in a loop of events
    exec(sys.stdin.read(), {"__name__": "__main__"})
asyncio.run(cell())"""


@pytest.fixture
def run_example(tmp_path, cache, draw_faces) -> Callable[..., subprocess.Popen]:
    """Start an example in a fresh process, with an empty cache, in a folder with 200 pictures."""
    draw_faces(tmp_path / "pictures" / "cats", 200)

    def start(*words: str, **pipes: Any) -> subprocess.Popen:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        pipes |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, *words], cwd=tmp_path, env=environment, **pipes)

    return start


@pytest.mark.parametrize("word", ["example.py", "-", NOTEBOOK], ids=["a-script", "typed", "in-a-notebook"])
def test_its_example_of_training_runs_as_printed(word, run_example, tmp_path):
    example = EXAMPLES[0]
    if word != "example.py":  # what differs is how pictures are read where the program is in no file
        example = example.replace("big/4", "big/64@32").replace("plain-critic/2", "plain-critic/64")
    (tmp_path / "example.py").write_text(example)
    with open(tmp_path / "example.py") as text:  # as a file, line by line as at the prompt, or as a cell
        process = run_example(*(["-c", word] if word == NOTEBOOK else [word]), stdin=text)
    try:
        line = process.stdout.readline()
    finally:
        process.kill()
        errors = process.communicate()[1]
    assert re.match(r"1 \{.*\} \d", line) and "Traceback" not in errors, errors


def test_its_example_of_a_program_runs_as_printed(run_example, launch_page):
    address = launch_page().local_url
    process = run_example("-c", EXAMPLES[1].replace("http://127.0.0.1:7860", address) + "print(len(faces), facts)")
    output, errors = process.communicate(timeout=250)
    assert output.splitlines()[-1].startswith("4 "), errors


def test_it_has_commands_examples_and_counts():
    assert len(COMMANDS) >= 20 and len(PRINTED) == 3 and len(EXAMPLES) == 2 and len(ROWS) == 15 and len(SHORT) == 4
