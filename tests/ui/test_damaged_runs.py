"""Damaged runs: the page shows them as failed, with a reason, and all other runs as usual."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError
from safetensors.torch import load_file, save_file

from ganopt.models import zoo
from ganopt.models.sampling import save_png, strip
from ganopt.runs import manager, monitor, timelapse
from ganopt.runs.queue import EXIT, LOCK, LOG
from ganopt.runs.status import find, read
from ganopt.ui import build_app, common, run_view
from ganopt.ui.common import Scratch

GENERATOR, STATE = "generator.safetensors", "state.safetensors"
LINE = {"step": 9, "images": 36, "seconds": 1.0, "memory": 1e9, "progress": 0.5, "real": 1.0, "fake": 0.0}


def written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes(data)


def cut(name: str, end: int) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:end])


def with_metadata(name: str, metadata: dict[str, str] | None) -> Callable[[Path], object]:
    """Replaces the metadata of a file of tensors."""
    return lambda run: save_file(load_file(run / name), run / name, metadata)


def with_counters(counters: object) -> Callable[[Path], object]:
    return with_metadata(STATE, {"counters": counters if isinstance(counters, str) else json.dumps(counters)})


def with_settings(**values: object) -> Callable[[Path], object]:
    """Changes settings of the recipe."""

    def act(run: Path) -> None:
        recipe = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(recipe | values))

    return act


FAULTS: dict[str, Callable[[Path], object]] = {
    "config is a list": written("config.json", b"[1, 2]"),
    "config is not JSON": written("config.json", b'{"recipe": "r1"'),
    "config is not UTF-8": written("config.json", b'{"recipe": "\xff\xfe"}'),
    "config is nested": written("config.json", b"[" * 100_000),
    "config is missing": lambda run: (run / "config.json").unlink(),
    "config of another type": with_settings(batch="many"),
    "config with a huge number": with_settings(steps=10**400),
    "weights are cut": cut(GENERATOR, 5000),
    "weights are empty": cut(GENERATOR, 0),
    "weights are noise": written(GENERATOR, bytes(range(256)) * 40),
    "weights are a folder": lambda run: ((run / GENERATOR).unlink(), (run / GENERATOR).mkdir()),
    "weights without metadata": with_metadata(GENERATOR, None),
    "weights without our keys": with_metadata(GENERATOR, {"format": "pt"}),
    "weights of an unknown network": with_metadata(GENERATOR, {"format": "ganopt", "architecture": "tree/4"}),
    "weights of a critic": lambda run: shutil.copy(run / "critic.safetensors", run / GENERATOR),
    "recipe is not JSON": with_metadata(
        GENERATOR, {"format": "ganopt", "architecture": "big/32@32", "recipe": "{damaged"}
    ),
    "recipe is a list": with_metadata(GENERATOR, {"format": "ganopt", "architecture": "big/32@32", "recipe": "[1]"}),
    "state is cut": cut(STATE, 3000),
    "counters are a list": with_counters([1, 2]),
    "counters are not JSON": with_counters("{damaged"),
    "counters of other types": with_counters({"step": "4", "images": [], "seconds": None}),
    "counters are infinite": with_counters('{"step": Infinity, "images": NaN, "seconds": 1}'),
}
# damage in other files: the run is shown, without them
MINOR_FAULTS: dict[str, Callable[[Path], object]] = {
    "metrics with half a line": written("metrics.jsonl", json.dumps(LINE).encode() + b'\n{"step": 10, "ima'),
    "metrics with odd lines": written(
        "metrics.jsonl",
        b'nonsense\n[1]\n\xff\xfe\n{"step": 1}\n{"step": [2], "images": 1}\n{}\n'
        + json.dumps(LINE | {"real": 10**400}).encode()
        + b"\n"
        + json.dumps(LINE | {"fid": "low"}).encode()
        + b"\n"
        + b"[" * 100_000
        + b"\n"
        + json.dumps(LINE).encode()
        + b"\n",
    ),
    "metrics are a folder": lambda run: ((run / "metrics.jsonl").unlink(), (run / "metrics.jsonl").mkdir()),
    "exit is not a number": written(EXIT, b"\xff\xfe"),
    "log is not UTF-8": written(LOG, b"\xff\xfe\x00"),
    "previews are not PNG": lambda run: [
        (run / "previews" / name).write_bytes(b"<script>") for name in ("0000009.png", "notes.png")
    ],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, source) -> Path:
    """Two intact runs, and one for each fault."""
    runs = tmp_path_factory.mktemp("runs")
    for name in ("good", *FAULTS, *MINOR_FAULTS, "good too"):
        run = shutil.copytree(source, runs / name)
        save_png(strip(torch.zeros(6, 3, 32, 32, dtype=torch.uint8)), run / "previews" / "0000004.png")
        for file, text in ((LOCK, ""), (EXIT, "0"), (LOG, "Done.\n")):
            (run / file).write_text(text)
        (FAULTS | MINOR_FAULTS).get(name, lambda run: None)(run)
    shutil.copytree(runs / "good", runs / os.fsdecode(b"\xff\xfe"))  # a name that cannot be shown on a page
    return runs


@pytest.fixture(autouse=True)
def environment(runs, three_models, monkeypatch) -> None:
    monkeypatch.setenv("GANOPT_RUNS", str(runs))
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))


def test_every_run_is_listed_and_damaged_ones_have_failed(runs):
    found = {run.name: run for run in find(runs)}
    assert set(found) == {"good", "good too", *FAULTS, *MINOR_FAULTS}
    assert {name for name, run in found.items() if run.fault} == set(FAULTS)
    for name in FAULTS:
        assert found[name].status == "failed" and found[name].fault.endswith(".") and str(runs) not in found[name].fault
    assert {found[name].status for name in ("good", "good too")} == {"finished"}
    assert (found["good"].step, found["good"].images) == (4, 16)


def test_a_repaired_run_has_no_fault(runs, tmp_path):
    run = shutil.copytree(runs / "weights are cut", tmp_path / "run")
    assert "generator.safetensors is missing or cannot be read" in read(run).fault
    shutil.copy(runs / "good" / GENERATOR, run / GENERATOR)
    assert read(run).fault == "" and read(run).status == "finished"


def test_all_intact_models_are_offered(runs):
    offered = common.model_names()
    usable = {name for name, fault in FAULTS.items() if not name.startswith(("weights", "recipe"))}
    assert {name.removeprefix(zoo.RUN) for name in offered if name.startswith(zoo.RUN)} == {
        "good",
        "good too",
        *usable,
        *MINOR_FAULTS,
    }


@pytest.mark.parametrize("name", [*FAULTS, *MINOR_FAULTS, "good"])
def test_each_run_is_shown(name, runs, tmp_path):
    parts = run_view._parts((name, ""), 100, "", Scratch(tmp_path), gr.Request())
    values = {part: make() for part, (_, make) in parts.items()}
    assert f"<b>{name}</b>" in values["status"]
    if name in FAULTS:
        assert f"<b>{name}</b> failed: its " in values["status"] and values["status"].endswith(".")
        assert values["links"] == "" and not values["weights"].visible
    elif name == "exit is not a number":
        assert f"<b>{name}</b> failed: step 4" in values["status"]
    else:
        assert "has finished" in values["status"] and "Draw faces" in values["links"]
    if name == "previews are not PNG":
        assert values["faces"] == "The preview 0000009.png is damaged; delete that file."
    elif name == "good":
        assert "data:image/png" in values["faces"]


def test_invalid_lines_are_skipped(runs):
    watch = monitor.Watch(runs / "metrics with odd lines").refresh()
    assert [point["step"] for point in watch.points] == [9]


def test_a_film_of_a_damaged_preview_is_one_sentence(runs, refuses, tmp_path):
    with refuses("0000009.png is damaged"):
        timelapse.save_film(runs / "previews are not PNG", tmp_path / "film.webp")


@pytest.mark.parametrize("name", FAULTS)
def test_no_damaged_run_is_resumed_and_each_can_be_renamed_and_deleted(name, runs, refuses, tmp_path):
    run = shutil.copytree(runs / name, tmp_path / "bad")
    if not name.startswith(("weights", "recipe")):  # these are written again
        with refuses("readable") if "config of" not in name else refuses("batch"):
            manager.resume(tmp_path, "bad")
    manager.rename(tmp_path, "bad", "renamed")
    assert not run.exists()
    manager.delete(tmp_path, "renamed")
    assert not (tmp_path / "renamed").exists()


def test_the_page_starts_and_draws_with_the_intact_ones(runs):
    demo = build_app("cpu")
    assert not [block for block in demo.blocks.values() if getattr(block, "elem_id", None) == "error"]
    demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    try:
        client = Client(demo.local_url, verbose=False)
        assert len(client.predict("run:good", "1-2", 1.0, api_name="/generate")[0]) == 2
        for name in ("weights are cut", "weights without metadata", "recipe is not JSON", "weights are a folder"):
            with pytest.raises(AppError) as caught:
                client.predict(f"run:{name}", "1", 1.0, api_name="/generate")
            assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value)
    finally:
        demo.close()
