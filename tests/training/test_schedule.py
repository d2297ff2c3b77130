"""What counts as minutes of training, and what a larger budget means for learning rates and snapshots."""

import json
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganopt import recipe, resume, train
from ganopt.training import loop
from ganopt.training.run_folder import STATE, read_counters, read_recipe
from ganopt.training.run_metrics import Losses

TINY = {"generator": "big/64@32", "critic": "critic/32", "batch": 4, "device": "cpu", "flip": False}


def make(**settings):
    return recipe("dcgan", **TINY | {"lr_g": 1.0, "save_every": 1000} | settings)


def rate(progress: float, decay: float) -> float:
    return make(steps=1, lr_decay=decay).rate(progress)


@pytest.fixture
def few(pictures) -> torch.Tensor:
    return pictures[:12]


@pytest.fixture
def rates(monkeypatch) -> list[float]:
    """The learning rates of the generator in each step, which is not trained."""
    found = []

    def keep(state):
        found.append(state.optimiser.param_groups[0]["lr"])
        return {"critic": torch.tensor(0.0)}

    monkeypatch.setattr(loop, "train_step", keep)
    return found


class Queue:
    """A device that works for 0.05 s on each step while the program goes on."""

    def __init__(self):
        self.done_at = 0.0

    def step(self, state) -> dict[str, torch.Tensor]:
        self.done_at = max(time.perf_counter(), self.done_at) + 0.05
        return {"critic": torch.tensor(self.done_at)}

    def losses(self, tensors: dict[str, torch.Tensor]) -> Losses:
        until = self.done_at

        class Waiting(Losses):
            @property
            def numbers(self):
                time.sleep(max(until - time.perf_counter(), 0))
                return {"critic": 0.0}

        return Waiting(tensors)


@pytest.mark.parametrize("consumer_reads", [False, True])
def test_the_work_of_an_asynchronous_device_counts_as_minutes(consumer_reads, few, tmp_path, monkeypatch):
    queue, new_state = Queue(), loop.new_state

    def on_a_gpu(*arguments):
        state = new_state(*arguments)
        state.device = torch.device("cuda")
        return state

    monkeypatch.setattr(loop, "new_state", on_a_gpu)
    monkeypatch.setattr(loop, "train_step", queue.step)
    monkeypatch.setattr(loop, "Losses", queue.losses)
    monkeypatch.setattr(loop, "peak_memory", lambda device: 0)
    monkeypatch.setattr(loop.run_folder, "save_preview", lambda *_: None)  # its verdicts would need the device
    monkeypatch.setattr(loop, "draw", lambda *_: time.sleep(0.5) or torch.zeros(6, 3, 32, 32, dtype=torch.uint8))
    start = time.perf_counter()
    for step in loop.train(make(steps=40, preview_every=20, save_every=20), tmp_path, few):
        if consumer_reads:
            assert step.losses.numbers
    assert 1.95 < read_counters(tmp_path)["seconds"] < 2.4  # 40 steps of 0.05 s, without two previews of 0.5 s
    assert time.perf_counter() - start > 3


def test_previews_and_pauses_of_the_caller_do_not_count_as_minutes(few, tmp_path, monkeypatch, rates):
    monkeypatch.setattr(loop, "draw", lambda *_: time.sleep(0.2) or torch.zeros(6, 3, 32, 32, dtype=torch.uint8))
    for _ in train(make(steps=3, preview_every=1), tmp_path, few):
        time.sleep(0.2)
    assert read_counters(tmp_path)["seconds"] < 0.2


def test_rates_are_constant_and_then_fall_to_zero_by_a_cosine():
    expected = {0.0: 1, 0.5: 1, 0.625: 0.853553, 0.75: 0.5, 0.875: 0.146447, 1.0: 0, 1.2: 0}
    assert {progress: rate(progress, 0.5) for progress in expected} == pytest.approx(expected, abs=1e-6)
    assert rate(0.9, 0) == 1 and rate(0.5, 1) == pytest.approx(0.5)


def test_a_larger_budget_does_not_raise_learning_rates(few, tmp_path, rates):
    list(train(make(steps=4, lr_decay=0.5), tmp_path, few))
    assert rates == pytest.approx([1, 1, 1, 0.5])
    list(resume(tmp_path, few, {"steps": 12}))
    # constant until the new schedule is below what is left
    assert rates[4:] == pytest.approx([0.5] * 6 + [rate(10 / 12, 0.5), rate(11 / 12, 0.5)])
    assert rates == sorted(rates, reverse=True)


def test_new_rates_must_be_asked_for(few, tmp_path, rates):
    list(train(make(steps=4, lr_decay=0.5), tmp_path, few))
    list(resume(tmp_path, few, {"steps": 8, "lr_decay": 0.25}))
    assert rates[4:] == pytest.approx([1, 1, 1, 0.5]) and read_recipe(tmp_path).lr_decay == 0.25


def test_the_rates_of_a_run_of_version_0_1_do_not_rise_either(few, tmp_path, rates):
    list(train(make(steps=4, lr_decay=0.5), tmp_path, few))
    counters = {key: value for key, value in read_counters(tmp_path).items() if key != "rate"}
    save_file(load_file(tmp_path / STATE), tmp_path / STATE, {"counters": json.dumps(counters)})
    list(resume(tmp_path, few, {"steps": 8}))
    assert rates[4:] == [0.0] * 4  # its budget was spent


@pytest.mark.parametrize(("steps", "kept"), [(8, [4, 8]), (16, [8, 16])])
def test_there_are_never_more_snapshots_than_asked_for(steps, kept, few, tmp_path, rates):
    list(train(make(steps=4, snapshots=2), tmp_path, few))
    assert [int(path.stem) for path in sorted(tmp_path.glob("snapshots/*"))] == [2, 4]
    list(resume(tmp_path, few, {"steps": steps}))
    assert [int(path.stem) for path in sorted(tmp_path.glob("snapshots/*"))] == kept
