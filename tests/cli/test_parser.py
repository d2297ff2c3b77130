"""How the command line looks before a command runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ganopt.cli.parser import main

ROOT = Path(__file__).resolve().parents[2]
SLOW = ["torch", "torchvision", "gradio", "huggingface_hub", "httpx", "tqdm", "numpy", "PIL"]


def run(arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("arguments", [["--help"], ["fid", "--help"], ["data", "--help"]])
def test_help_imports_nothing_slow(arguments):
    code = "import sys; from ganopt.cli.parser import main\ntry: main(sys.argv[1:])\n"
    code += "except SystemExit: print(*sys.modules, file=sys.stderr)"
    done = run(["-c", code, *arguments])
    assert "--help" in done.stdout
    assert not set(SLOW) & set(done.stderr.split())


def test_help_says_what_each_command_does_and_how_it_was_called():
    printed = run(["-m", "ganopt", "--help"]).stdout
    assert printed.startswith("usage: python -m ganopt ") and "Compact GANs for animal faces." in printed
    for text in (
        "Start or resume a run and show its progress.",
        "Train a student to imitate a frozen teacher",
        "Fine-tune a trained model on other pictures",
        "Upload a model to the Hub, or the project's",
    ):
        assert text in printed
    printed = run(["-m", "ganopt", "film", "--help"]).stdout
    assert "example: python -m ganopt film runs/r1-1 --sheet history.png" in printed


def test_a_command_knows_its_late_options(capsys):
    def help_of(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert not ended.value.code
        return capsys.readouterr().out

    printed = help_of("distill")
    assert "--teacher" in printed and "model to imitate" in printed and "(default: 0.05)" in printed
    printed = help_of("train")
    assert "--resume" in printed and "--teacher" not in printed
    printed = help_of("data", "fetch")
    assert "afhq" in printed and "--most" in printed
    main(["distill", "--teacher", "cats-teacher", "--generator", "kd/16", "--alpha", "0", "--steps", "5", "--dry-run"])
    assert json.loads(capsys.readouterr().out)["method"] == "distill"
