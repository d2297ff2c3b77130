"""The tab Lab without a browser: its endpoint, the limits of a public page, and finished runs."""

import json
import time
from xml.etree import ElementTree

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from ganopt.lab.registry import all_experiments, find_experiment
from ganopt.lab.release import FINISHED, finished
from ganopt.ui import build_app, lab_view

EXPERIMENTS = all_experiments()


@pytest.fixture(scope="module")
def demo(three_models, tmp_path_factory, launch_page):
    return launch_page(GANOPT_CHECKPOINTS=three_models, GANOPT_RUNS=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def client(demo):
    return Client(demo.local_url, verbose=False)


MAX_BYTES = {"spot-the-fake": 320_000, "distil-vit": 140_000}  # twelve and eight faces as PNG


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_finished_run_comes_with_the_project(name):
    shown = finished(name)
    assert shown["figures"] and shown["said"].endswith(".") and shown["settings"] == ""
    assert not [figure for figure in shown["figures"] if figure[3] is False]
    for svg in shown["pictures"].values():
        ElementTree.fromstring(svg)
    with Image.open(FINISHED / f"{name}.png") as image:
        assert image.width <= 400
    assert sum(path.stat().st_size for path in FINISHED.glob(f"{name}.*")) < MAX_BYTES.get(name, 120_000)


def test_the_endpoint_streams_a_run_and_leaves_files(client):
    job = client.submit("q-learning", {"episodes": 300}, api_name="/lab")
    result = job.result(timeout=120)
    assert result["status"].startswith("Done, after") and result["figures"][0][0] == "value of the start"
    assert [*result["series"]] == ["Share of episodes that reach the goal"]
    with Image.open(result["picture"]) as image:
        assert image.format == "PNG"
    with open(result["csv"]) as file:
        assert file.readline() == "chart,curve,x,y\n"


@pytest.mark.parametrize(
    ("name", "settings", "fragment"),
    [
        ("alchemy", {}, "Unknown experiment 'alchemy'"),
        ("q-learning", {"spell": 1}, "Unknown setting 'spell'"),
        ("q-learning", {"episodes": 0}, "--episodes is 0"),
        ("q-learning", {"episodes": "many"}, "it must be a whole number"),
        ("kohonen", {"csv": "/etc/passwd"}, "for the command line only"),
        ("distil-vit", {"teacher": "cat/model"}, "for the command line only"),
    ],
)
def test_a_wrong_call_is_a_sentence(client, name, settings, fragment):
    with pytest.raises(AppError) as caught:
        client.predict(name, settings, api_name="/lab")
    assert fragment in str(caught.value) and str(caught.value).endswith(".")


def test_a_run_stops_at_the_limit_of_a_public_page(monkeypatch):
    monkeypatch.setattr(lab_view, "PUBLIC_SECONDS", 0.3)
    experiment = find_experiment("gan-1d")
    config = experiment.parse("iterations=50000,critic_steps=1")
    start = time.monotonic()
    *_, (frame, said) = lab_view.run(experiment, config, True, lambda: False)
    assert time.monotonic() - start < 10 and frame.progress < 1
    assert said.startswith("Stopped: the limit of this public page") and said.endswith(".")


def test_stop_closes_the_run_and_keeps_its_last_frame():
    experiment, seen = find_experiment("q-learning"), []
    config = experiment.parse("episodes=100000,slippery=true")
    *_, (frame, said) = lab_view.run(experiment, config, False, lambda: seen.append(0) or len(seen) > 200)
    assert said.startswith("Stopped, after") and 0 <= frame.progress < 1


def test_one_slot_serves_all_visitors_and_is_free_after_one_leaves(demo):
    slots = {function.concurrency_id for function in demo.fns.values() if function.name in ("start", "lab")}
    assert "lab" in slots
    [number] = [number for number, function in demo.fns.items() if function.api_name == "lab"]
    address = f"{demo.local_url}gradio_api/queue"
    body = {"data": ["gan-1d", {"iterations": 50_000}], "fn_index": number, "session_hash": "leaves"}
    assert httpx.post(f"{address}/join", json=body).status_code == 200
    with httpx.stream("GET", f"{address}/data", params={"session_hash": "leaves"}, timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if "Iteration" in str(message.get("output")):
                break
    start = time.monotonic()
    Client(demo.local_url, verbose=False).predict("q-learning", {"episodes": 10}, api_name="/lab")
    assert time.monotonic() - start < 30


def test_no_control_of_the_page_reads_files():
    labels = {block.label for block in build_app("cpu").blocks.values() if isinstance(block, gr.Textbox)}
    assert "Csv" not in labels
