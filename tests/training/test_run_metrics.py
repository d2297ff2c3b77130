"""The metrics of a run: written at once on a CPU, and where a GPU computes, when nobody has to wait for it."""

import json

import pytest
import torch

from ganopt.errors import UserError
from ganopt.training import run_metrics
from ganopt.training.run_metrics import Losses, open_metrics

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_losses_are_numbers_by_name():
    losses = Losses({"critic": torch.tensor(1.5), "real": torch.tensor(-2.0)})
    assert dict(losses) == {"critic": 1.5, "real": -2.0} and len(losses) == 2 and "fake" not in losses


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_losses_that_are_not_finite_are_refused_when_they_are_looked_at(value):
    losses = Losses({"critic": torch.tensor(value)})
    with pytest.raises(UserError, match="The run diverged: its loss 'critic' is"):
        losses["critic"]


def test_on_a_cpu_a_line_is_written_at_once(tmp_path):
    with open_metrics(tmp_path, CPU) as metrics:
        metrics.add({"step": 1}, Losses({"critic": torch.tensor(1.0)}))
        assert lines(tmp_path) == [{"step": 1, "critic": 1.0}]


def test_a_gpu_is_waited_for_now_and_then(tmp_path, monkeypatch):
    with open_metrics(tmp_path, GPU) as metrics:
        for step in (1, 2):
            metrics.add({"step": step}, Losses({"critic": torch.tensor(1.0)}))
        assert lines(tmp_path) == []
        monkeypatch.setattr(run_metrics, "DELAY", -1)
        metrics.add({"step": 3}, Losses({"critic": torch.tensor(1.0)}))
        assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3]
        monkeypatch.setattr(run_metrics, "DELAY", 60)
        metrics.add({"step": 4}, Losses({"critic": torch.tensor(1.0)}))
        metrics.flush()
        assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]
