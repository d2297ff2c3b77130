"""The package as a library, and as it is installed without its repository, with a stand-in Hub for its checkpoints."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
import torch
import yaml
from gradio_client import Client
from safetensors.torch import save_file

import ganopt
from ganopt.cli.parser import main
from ganopt.metrics import inception_weights, references
from ganopt.metrics.inception_weights import SHIPPED
from ganopt.models import checkpoint_files
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
    """Runs the installed program, with nothing of the repository at hand, the stand-in being the Hub."""

    def start(arguments: list[str]) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GANOPT_", "HF_"))}
        environment |= {"PYTHONPATH": str(installed), "GANOPT_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": hub.url}
        environment |= {"HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, str(installed / "bin" / "ganopt"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return start


@pytest.fixture
def alone(hub, tmp_path, monkeypatch) -> None:
    """In this process too, nothing of the repository is at hand, and the stand-in is the Hub."""
    hub.connect(monkeypatch, tmp_path)
    for name in [each for each in os.environ if each.startswith("GANOPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GANOPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checkpoint_files, "__file__", str(tmp_path / "elsewhere/ganopt/models/checkpoint_files.py"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def call(alone, capsys) -> Callable[..., subprocess.CompletedProcess]:
    """Runs a command in this process, which takes less time than in one of its own, as if it were a new one."""

    def start(arguments: list[str], **settings: str) -> subprocess.CompletedProcess:
        checkpoint_files._commit.cache_clear()
        capsys.readouterr()
        ended: str | int | None = 0
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            try:
                main(arguments)
            except SystemExit as error:
                ended = error.code
        out, err = capsys.readouterr()
        if isinstance(ended, str):  # as Python does
            ended, err = 1, f"{err}{ended}\n"
        return subprocess.CompletedProcess(arguments, ended or 0, out, err)

    yield start
    checkpoint_files._commit.cache_clear()


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

    def test_it_draws_with_a_model_of_the_hub(self, run, call, hub, mirror, three_models, tmp_path):
        hub.add(HUB, mirror)
        done = run([*GENERATE, "first"])
        assert done.returncode == 0, done.stderr
        assert "Downloading cats-student.safetensors (" in done.stderr and f" of {HUB} from {hub.url}." in done.stderr
        assert hub.downloads() == 1
        call([*GENERATE, "ours"], GANOPT_CHECKPOINTS=str(three_models))
        face = (tmp_path / "ours/seed-0000.png").read_bytes()
        assert (tmp_path / "first/seed-0000.png").read_bytes() == face

        hub.requests.clear()
        assert "Downloading" not in call([*GENERATE, "again"]).stderr
        assert set(asked_for(hub)) == {"catalogue.json"}
        hub.stop()
        assert call([*GENERATE, "offline"]).returncode == 0
        assert (tmp_path / "offline/seed-0000.png").read_bytes() == face

    def test_results_references_and_inception_come_from_there_too(self, call, hub, mirror, tmp_path, monkeypatch):
        rows = {"reference": torch.rand(3, 2048), "others": torch.rand(2, 2048)}
        save_file(rows, tmp_path / "made")
        more = {"reference-cats.safetensors": (tmp_path / "made").read_bytes(), SHIPPED: b"\0weights"}
        commit = hub.add("cat/mirror", mirror | more)
        hub.add("cat/mirror", {"catalogue.json": b"{"})
        monkeypatch.setenv("GANOPT_HUB", f"cat/mirror@{commit}")
        assert "| dogs-transfer |" in call(["report"]).stdout
        assert [sample.count for sample in references.load("cats")] == [3, 2]
        assert inception_weights.locate("").read_bytes() == b"\0weights"
        listed = json.loads(call(["models", "--json"]).stdout)
        assert list(listed) == ["cats-teacher", "dogs-transfer", "cats-student"]
        assert "catalogue.json is damaged" in refusal(call(["models"], GANOPT_HUB="cat/mirror"))

    def test_without_a_command_it_serves_the_page_despite_proxies_and_a_strange_temporary_folder(
        self, installed, three_models, tmp_path
    ):
        (tmp_path / "gradio").write_text("of another user")  # the folder that Gradio would use
        environment = os.environ | {"PYTHONPATH": str(installed), "GANOPT_CHECKPOINTS": str(three_models)}
        environment |= {"TMPDIR": str(tmp_path), "GRADIO_TEMP_DIR": "", "GRADIO_ANALYTICS_ENABLED": "False"}
        environment |= {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "socks9://x", "NO_PROXY": "", "no_proxy": ""}
        program, out = [sys.executable, "-u", str(installed / "bin" / "ganopt")], subprocess.PIPE
        with (
            open(tmp_path / "log", "w") as log,
            subprocess.Popen(program, cwd=tmp_path, env=environment, stdout=out, stderr=log, text=True) as process,
        ):
            lines = iter(process.stdout.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http://[\d.]+:\d+", line)))
            try:
                assert httpx.get(f"{address}/config").json()["title"] == "ganopt"
                faces, *_ = Client(address, verbose=False).predict(seeds="0-1", api_name="/generate")
            finally:
                process.terminate()
        ignored = "ALL_PROXY is 'socks9://x', not the address of a proxy that can be used here, so it is ignored.\n"
        said = (tmp_path / "log").read_text()
        assert len(faces) == 2 and ignored in said and "HTTP_PROXY" not in said

    def test_a_file_that_is_not_the_catalogues_is_refused(self, call, hub, mirror):
        hub.add(HUB, mirror | {"cats-student.safetensors": mirror["cats-teacher.safetensors"]})
        sentence = refusal(call([*GENERATE, "out"]))
        assert "cats-student is not the file that the catalogue describes; try again" in sentence

    def test_without_the_hub_it_says_what_to_do(self, call, hub):
        sentence = refusal(call([*GENERATE, "out"]))
        for text in (f"{HUB} on the Hub cannot be downloaded", f"({hub.url} has no model {HUB} that you may read)"):
            assert text in sentence
        assert sentence.endswith("or set GANOPT_CHECKPOINTS to a folder with its checkpoints.")
        hub.stop()
        assert f"({hub.url} cannot be reached for catalogue.json of {HUB})" in refusal(call(["models"]))
        assert "GANOPT_HUB is '../x', not a repository name" in refusal(call(["models"], GANOPT_HUB="../x"))

    def test_what_is_on_this_machine_needs_no_hub(self, call, hub, three_models, tmp_path):
        shutil.copy(three_models / "cats-teacher.safetensors", tmp_path / "mine")
        assert call(["generate", "--model", "mine", "--seeds", "0"]).returncode == 0
        hub.requests.clear()
        assert call(["generate", "--model", str(tmp_path / "mine"), "--seeds", "0"]).returncode == 0
        assert call([*GENERATE, "named"], GANOPT_CHECKPOINTS=str(three_models)).returncode == 0
        assert not asked_for(hub)
        assert "Unknown model './yours'" in refusal(call(["generate", "--model", "./yours"]))

    def test_a_checkout_asks_no_hub(self, hub, tmp_path, monkeypatch, capsys):
        hub.connect(monkeypatch, tmp_path)
        main(["models"])
        assert "cats-teacher" in capsys.readouterr().out
        assert not asked_for(hub)
