"""The package as a library, and as it is installed without its repository, with a stand-in Hub for its checkpoints."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

import ganopt
from ganopt.cli.parser import main
from ganopt.metrics.inception_weights import SHIPPED
from ganopt.models.catalogue import catalogue
from ganopt.models.checkpoint_files import HUB
from tests.hub import Hub

ROOT = Path(__file__).resolve().parents[1]
NAMES = ["CriticSettings", "draw", "latents", "load", "recipe", "resume", "to_image", "train"]


class TestNames:
    def test_all_of_them_work(self):
        assert sorted(ganopt.__all__) == NAMES
        assert all(callable(getattr(ganopt, name)) for name in NAMES)
        assert ganopt.recipe("r1", steps=1).method == "r1"
        assert ganopt.latents([0]).shape[0] == 1

    def test_dir_lists_them_and_others_are_refused(self):
        assert set(NAMES) | {"__version__"} <= set(dir(ganopt))
        with pytest.raises(AttributeError, match="module 'ganopt' has no attribute 'dog'"):
            _ = ganopt.dog

    def test_importing_the_package_imports_nothing_slow(self):
        code = "import sys, ganopt; dir(ganopt); print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert not {"torch", "gradio", "numpy", "huggingface_hub"} & set(done.stdout.split())


class TestRelease:
    def test_its_version_and_licences_are_said_alike_everywhere(self):
        changes = (ROOT / "CHANGELOG.md").read_text()
        assert re.search(r"^## (.+)$", changes, re.MULTILINE)[1] == ganopt.__version__
        front = yaml.safe_load((ROOT / "README.md").read_text().split("---")[1])
        of_weights = {entry.licence for entry in catalogue().values()}
        assert of_weights == {front["license"]} == {"cc-by-nc-4.0"}  # a Space holds them
        assert "CC BY-NC 4.0" in (ROOT / "checkpoints/LICENSE").read_text()
        citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
        assert citation["license"] == "MIT" and '\nlicense = "MIT"' in (ROOT / "pyproject.toml").read_text()
        assert (ROOT / "LICENSE").read_text().startswith("MIT License")

    def test_every_shipped_file_has_a_licence(self):
        text = (ROOT / "checkpoints/LICENSE").read_text()
        named = re.findall(r"^  ([\w-]+(?:\*|\b))(?:, ([\w-]+\*))?", text, re.MULTILINE)
        patterns = [name for names in named for name in names if name]
        models = [path for path in (ROOT / "checkpoints").iterdir() if path.suffix in (".safetensors", ".png")]
        assert models and not [path.name for path in models if not any(fnmatch(path.stem, each) for each in patterns)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package as pip installs it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "ganopt", source / "ganopt", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return target


@pytest.fixture
def hub():
    with Hub() as running:
        yield running


@pytest.fixture
def run(installed, hub, tmp_path):
    """Runs the installed program, or Python, with nothing of the repository at hand, the stand-in being the Hub."""

    def start(arguments: list[str], python: bool = False, **settings: str) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GANOPT_", "HF_"))}
        environment |= {"PYTHONPATH": str(installed), "GANOPT_CACHE": str(tmp_path / "cache")}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", **settings}
        command = [sys.executable, *([] if python else [str(installed / "bin" / "ganopt")]), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return start


@pytest.fixture
def mirror(three_models) -> dict[str, bytes]:
    """The files of a repository that holds three tiny models, as checkpoints/ does."""
    return {path.name: path.read_bytes() for path in three_models.iterdir()}


GENERATE = ["generate", "--model", "cats-student", "--seeds", "0", "--device", "cpu", "--out"]


def refusal(done: subprocess.CompletedProcess) -> str:
    """The sentence that a program ended with, its status being 1."""
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("ganopt: ") and sentence.endswith(".") and ". " not in sentence, sentence
    return sentence


def asked_for(hub: Hub) -> list[str]:
    """The files that the Hub was asked for."""
    return [request.path.rpartition("/")[2] for request in hub.requests if "/resolve/" in request.path]


class TestInstalled:
    def test_it_is_whole(self, run, installed):
        assert run(["--version"]).stdout == f"{ganopt.__version__}\n"
        assert run(["--help"]).stdout.startswith("usage: ganopt ")
        assert "example: ganopt film runs/r1-1" in run(["film", "--help"]).stdout
        for path in (ROOT / "ganopt").rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert (installed / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
        assert not (installed / "tests").exists()

    def test_it_draws_with_a_model_of_the_hub(self, run, hub, mirror, three_models, tmp_path, monkeypatch):
        hub.add(HUB, mirror)
        done = run([*GENERATE, "first"])
        assert done.returncode == 0, done.stderr
        assert "Downloading cats-student.safetensors (" in done.stderr and f" of {HUB} from {hub.url}." in done.stderr
        assert hub.downloads() == 1
        monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
        main([*GENERATE, str(tmp_path / "ours")])
        face = (tmp_path / "ours/seed-0000.png").read_bytes()
        assert (tmp_path / "first/seed-0000.png").read_bytes() == face

        hub.requests.clear()
        assert "Downloading" not in run([*GENERATE, "again"]).stderr
        assert set(asked_for(hub)) == {"catalogue.json"}
        hub.stop()
        assert run([*GENERATE, "offline"]).returncode == 0
        assert (tmp_path / "offline/seed-0000.png").read_bytes() == face

    def test_results_references_and_inception_come_from_there_too(self, run, hub, mirror, tmp_path):
        rows = {"reference": torch.rand(3, 2048), "others": torch.rand(2, 2048)}
        save_file(rows, tmp_path / "made")
        more = {"reference-cats.safetensors": (tmp_path / "made").read_bytes(), SHIPPED: b"\0weights"}
        commit = hub.add("cat/mirror", mirror | more)
        hub.add("cat/mirror", {"catalogue.json": b"{"})
        setting = {"GANOPT_HUB": f"cat/mirror@{commit}"}
        assert "| dogs-transfer |" in run(["report"], **setting).stdout
        code = "from ganopt.metrics import inception_weights, references\n"
        code += "sample, others = references.load('cats')\n"
        code += "print(sample.count, others.count, inception_weights.locate('').read_bytes())"
        assert run(["-c", code], python=True, **setting).stdout == "3 2 b'\\x00weights'\n"
        listed = json.loads(run(["models", "--json"], **setting).stdout)
        assert list(listed) == ["cats-teacher", "dogs-transfer", "cats-student"]
        assert "catalogue.json is damaged" in refusal(run(["models"], GANOPT_HUB="cat/mirror"))

    def test_without_a_command_it_serves_the_page(self, installed, three_models, tmp_path):
        environment = os.environ | {"PYTHONPATH": str(installed), "GANOPT_CHECKPOINTS": str(three_models)}
        program, out = [sys.executable, str(installed / "bin" / "ganopt")], subprocess.PIPE
        environment |= {"GRADIO_ANALYTICS_ENABLED": "False", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(program, cwd=tmp_path, env=environment, stdout=out, text=True) as process:
            lines = iter(process.stdout.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http://[\d.]+:\d+", line)))
            try:
                assert json.load(urllib.request.urlopen(f"{address}/config"))["title"] == "ganopt"
            finally:
                process.terminate()

    def test_a_file_that_is_not_the_catalogues_is_refused(self, run, hub, mirror):
        hub.add(HUB, mirror | {"cats-student.safetensors": mirror["cats-teacher.safetensors"]})
        sentence = refusal(run([*GENERATE, "out"]))
        assert "cats-student is not the file that the catalogue describes; try again" in sentence

    def test_without_the_hub_it_says_what_to_do(self, run, hub):
        sentence = refusal(run([*GENERATE, "out"]))
        for text in (f"{HUB} on the Hub cannot be downloaded", f"({hub.url} has no model {HUB} that you may read)"):
            assert text in sentence
        assert sentence.endswith("or set GANOPT_CHECKPOINTS to a folder with its checkpoints.")
        hub.stop()
        assert f"({hub.url} cannot be reached for catalogue.json of {HUB})" in refusal(run(["models"]))
        assert "GANOPT_HUB is '../x', not a repository name" in refusal(run(["models"], GANOPT_HUB="../x"))

    def test_what_is_on_this_machine_needs_no_hub(self, run, hub, three_models, tmp_path):
        shutil.copy(three_models / "cats-teacher.safetensors", tmp_path / "mine")
        assert run(["generate", "--model", "mine", "--seeds", "0"]).returncode == 0
        hub.requests.clear()
        assert run(["generate", "--model", str(tmp_path / "mine"), "--seeds", "0"]).returncode == 0
        assert run([*GENERATE, "named"], GANOPT_CHECKPOINTS=str(three_models)).returncode == 0
        assert not asked_for(hub)
        assert "Unknown model './yours'" in refusal(run(["generate", "--model", "./yours"]))

    def test_a_checkout_asks_no_hub(self, run, hub):
        assert "cats-teacher" in run(["models"], PYTHONPATH=str(ROOT)).stdout
        assert not asked_for(hub)
