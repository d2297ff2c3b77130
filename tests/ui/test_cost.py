"""Estimates of the cost of a run do not block FID, and stop when the visitor leaves."""

import json
import os
import time
from pathlib import Path

import httpx
import pytest

HEAVY = {"method": "r1", "network": "big", "side": 128, "data": "sample:cats-teacher", "minutes": 1}


@pytest.fixture(scope="module")
def demo(three_models, tmp_path_factory, launch_page):
    return launch_page(GANOPT_CHECKPOINTS=three_models, GANOPT_RUNS=tmp_path_factory.mktemp("runs"))


def estimating() -> list[int]:
    """The running estimates that this process has started, by process id."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (path / "cmdline").read_bytes(), (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # has ended
            continue
        if b"ganopt.training.profiling" in command and state[0] != "Z" and int(state[1]) == os.getpid():
            found.append(int(path.name))
    return found


def until(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_estimates_and_fid_do_not_wait_for_each_other(demo):
    slots = {function.name: function.concurrency_id for function in demo.fns.values()}
    assert slots["show_cost"] == slots["cost"] == "cost" and slots["fid"] == "measure"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_an_estimate_stops_when_the_visitor_leaves(demo, monkeypatch):
    monkeypatch.setenv("GANOPT_PRIVATE", "1")
    [number] = [number for number, function in demo.fns.items() if function.api_name == "cost"]
    address = f"{demo.local_url}gradio_api/queue"
    values = [HEAVY[name] for name in ("method", "minutes", "data")] + ["cats-teacher", "big", 128, {"batch": 256}]
    body = {"data": values, "fn_index": number, "session_hash": "leaves"}
    assert httpx.post(f"{address}/join", json=body).status_code == 200
    with httpx.stream("GET", f"{address}/data", params={"session_hash": "leaves"}, timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            assert message.get("msg") != "process_completed", message
            if "Estimating" in str(message.get("output")):
                break
        until(estimating)
    until(lambda: not estimating())
