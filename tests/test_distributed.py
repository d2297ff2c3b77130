"""Two processes of torchrun train and measure as one process does, and speak as one."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ganopt import distributed
from ganopt.cli import parser
from ganopt.cli.parser import main
from ganopt.models.devices import pick_device
from ganopt.training.run_folder import read_counters
from ganopt.ui import build_app

ROOT = Path(__file__).resolve().parents[1]
TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TINY = ["--data", "faces", "--batch", "4", "--seed", "3", "--device", "cpu", "--preview-every", "2"]
R1 = ["train", "--generator", "big/64@32", "--critic", "plain-critic/16", "--penalty-every", "2", "--steps", "5"]
R1 += ["--augment", "color,translation,cutout", *TINY]
TRANSFER = ["transfer", "--source", "SOURCE", "--freeze-d", "1", "--n-critic", "2", "--steps", "2", *TINY]
STUDENT = ["distill", "--teacher", "SOURCE", "--generator", "kd-res/64@32", "--alpha", "0.5", "--steps", "1", *TINY]
RUNS = {  # each has a generator with BatchNorm
    "r1": R1,
    "chunks": [*TRANSFER, "--critic-chunk", "1"],  # a penalty with random numbers, drawn chunk by chunk
    "projected": [*STUDENT, "--critic", "projected/16"],  # BatchNorm in the critic
    "stopped": R1,  # after the first step
}
LARGEST = 1e-5  # difference between weights, of which a step moves each by about 5e-4


def commands(processes: int, source: Path, inception: Path) -> list[list[str]]:
    """The commands of the runs, and one of a measurement."""
    made = [[*words, "--out", f"{processes}-{name}"] for name, words in RUNS.items()]
    measured = ["fid", "faces", "--model", "SOURCE", "--reference", "others", "--n", "50", "--repeats", "1"]
    made.append([*measured, "--inception", str(inception), "--results", f"{processes}.json", "--device", "cpu"])
    return [[str(source) if word == "SOURCE" else word for word in words] for words in made]


@pytest.fixture(scope="module")
def both(tmp_path_factory, draw_faces, source, thin_inception) -> Path:
    """A folder with the runs and the results of one process, `1-...`, and of two, `2-...`, and what the two said."""
    folder = tmp_path_factory.mktemp("both")
    draw_faces(folder / "faces", 61, size=(40, 40))
    draw_faces(folder / "others", 53, size=(64, 64))
    for processes in (1, 2):
        (folder / f"{processes}-stopped").mkdir()
        (folder / f"{processes}-stopped" / "stop").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GANOPT_CACHE", str(folder / "cache of one"))
        for command in commands(1, source, thin_inception):
            with contextlib.suppress(SystemExit):  # of the run that is stopped
                main(command)
    more = [["train", "--resume", "1-stopped"], [*R1, "--minutes", "0.002", "--out", "2-minutes"]]
    more.append([*R1, "--out", "2-r1"])  # refused by the first process, as only that one looks at the folder
    given = json.dumps(commands(2, source, thin_inception) + more)
    command = [sys.executable, "-m", *TORCHRUN, "-m", "tests.two_processes", given]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GANOPT_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode
    (folder / "out").write_text(done.stdout)
    (folder / "errors").write_text(done.stderr)
    return folder


@pytest.fixture
def third(monkeypatch) -> None:
    """This process is the third of three."""
    monkeypatch.setattr(distributed, "_processes", 3)
    monkeypatch.setattr(distributed, "_rank", 2)
    monkeypatch.setenv("LOCAL_RANK", "2")


def state(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "state.safetensors")


def assert_close(first: Path, second: Path) -> None:
    """The same random numbers and order of pictures, and the same weights but for rounding.

    Biases before a norm are left out: their gradient is 0 but for rounding, which Adam enlarges to whole steps.
    """
    one, other = state(first), state(second)
    assert one.keys() == other.keys()
    assert torch.equal(one["random"], other["random"]) and torch.equal(one["order"], other["order"])
    weights = [name for name in one if name.endswith(("weight", "original", "running_var", "_u", "step"))]
    assert len(weights) > 20
    for name in weights:
        torch.testing.assert_close(one[name], other[name], atol=LARGEST, rtol=1e-5, msg=name)
    losses = [[json.loads(line) for line in open(folder / "metrics.jsonl")] for folder in (first, second)]
    for line, expected in zip(*losses, strict=True):
        measured = ("seconds", "memory")
        expected = {name: pytest.approx(value, rel=1e-4, abs=1e-4) for name, value in expected.items()}
        assert {**line, **dict.fromkeys(measured)} == {**expected, **dict.fromkeys(measured)}


@pytest.mark.parametrize("name", ["r1", "chunks", "projected"])
def test_two_processes_train_as_one(name, both):
    assert_close(both / f"1-{name}", both / f"2-{name}")
    files = [sorted(path.name for path in (both / f"{number}-{name}").rglob("*")) for number in (1, 2)]
    assert files[0] == files[1]


def test_all_processes_have_the_same_weights_and_stop_at_the_same_step(both):
    saved = sorted(both.glob("*-of-0.safetensors"))
    assert len(saved) == len(RUNS) + 2  # with the two that are resumed and stopped by the clock
    for path in saved:
        first, second = load_file(path), load_file(str(path).replace("-of-0", "-of-1"))
        assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_runs_are_resumed_by_another_number_of_processes(both, monkeypatch):
    monkeypatch.chdir(both)
    assert read_counters(both / "2-stopped")["step"] == 1
    main(["train", "--resume", "2-stopped"])
    for name in ("1-stopped", "2-stopped"):
        assert_close(both / "1-r1", both / name)


def test_two_processes_measure_as_one(both):
    one, two = (json.loads((both / f"{number}.json").read_text())["records"] for number in (1, 2))
    assert len(one) == len(two) == 2
    for first, second in zip(one, two, strict=True):
        assert second == {**first, "fid": pytest.approx(first["fid"], rel=1e-9), "fids": pytest.approx(first["fids"])}
    caches = [{path.name for path in (both / name / "features").iterdir()} for name in ("cache", "cache of one")]
    assert caches[0] == caches[1]


def test_only_the_first_process_prints(both):
    said = [line for line in (both / "out").read_text().splitlines() if line]
    assert len(said) == len(set(said)) == len(RUNS) + 5  # the end of each run and two more, a hint, two scores


def test_an_error_of_one_process_ends_all_with_its_sentence(both):
    errors = (both / "errors").read_text()
    assert "ganopt: 2-r1 already contains a run; resume it or choose another folder." in errors.splitlines()
    of_torchrun = errors.index("torch/distributed/elastic")
    assert errors.count("ganopt: ") == 1 and "Traceback" not in errors[:of_torchrun]


def test_the_page_is_for_one_process(monkeypatch, refuses):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with refuses("The page is for one process; start it without torchrun."):
        build_app("cpu")


def test_a_batch_is_a_multiple_of_the_processes(third, refuses, both, monkeypatch):
    monkeypatch.chdir(both)
    for command in (["train", "--resume", "1-r1", "--steps", "9", "--dry-run"], [*R1, "--dry-run"]):
        with pytest.raises(SystemExit, match="^ganopt: A batch of 4 pictures cannot be divided among 3 processes; "):
            main(command)


@pytest.mark.parametrize("name", ["cuda:1", "mps"])
def test_processes_do_not_share_a_gpu(name, third, refuses):
    with refuses(f"Several processes cannot share the device '{name}'"):
        pick_device(name)


def test_each_process_has_a_gpu(third, refuses, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with refuses("There are more processes than GPUs, of which there are 2"):
        pick_device("cuda")
    assert pick_device("cpu").type == "cpu"


def test_other_commands_are_for_one_process(monkeypatch):
    monkeypatch.setattr(parser, "_joined", lambda: contextlib.nullcontext(True))
    with pytest.raises(SystemExit, match="^ganopt: This command is for one process; start it without torchrun.$"):
        main(["models"])
