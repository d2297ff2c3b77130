"""The page without a browser: the server and a real client."""

import os
import subprocess
import sys
from pathlib import Path

import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from ganopt.models import model_cache
from ganopt.models.devices import pick_device
from ganopt.thesis.comparison import RAMP
from ganopt.thesis.release import ship
from ganopt.ui import build_app
from ganopt.ui.common import store_png

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, source, thin_inception):
    """A running page with a single tiny model, shipped from a real run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(tmp_path_factory.mktemp("checkpoints")))
        patch.setenv("GANOPT_INCEPTION", str(thin_inception))
        ship(source, "tiny", "Tiny faces", "teacher", "drawn faces", "none")
        demo = build_app("cpu")
        assert isinstance(demo, gr.Blocks)
        demo.launch(prevent_thread_lock=True, quiet=True, server_port=None, ssr_mode=False)
        yield demo
        demo.close()


@pytest.fixture(scope="module")
def client(demo):
    return Client(demo.local_url, verbose=False)


def test_generate_returns_exactly_the_faces(client):
    gallery, *_ = client.predict("tiny", "2, 5", 1.0, api_name="/generate")
    expected = model_cache.faces("tiny", pick_device("cpu"), [2, 5], 1.0).pictures.permute(0, 2, 3, 1).numpy()
    for item, face in zip(gallery, expected, strict=True):
        with Image.open(item["image"]) as image:
            assert image.format == "PNG" and np.array_equal(np.asarray(image), face)


@pytest.mark.parametrize("seeds", ["5-2", "a", "-1", "0-9999", "", "1" * 4000])
def test_bad_seeds_are_one_sentence(client, seeds):
    with pytest.raises(AppError) as caught:
        client.predict("tiny", seeds, 1.0, api_name="/generate")
    assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value)


def test_a_pair_returns_both_pictures_their_difference_map_and_a_summary(client):
    (*both, difference), text = client.predict("tiny", "tiny", 7, api_name="/pair")
    expected = model_cache.faces("tiny", pick_device("cpu"), [7], 1.0).pictures[0].permute(1, 2, 0).numpy()
    for each in both:
        with Image.open(each["image"]) as image:
            assert image.format == "PNG" and np.array_equal(np.asarray(image), expected)
    with Image.open(difference["image"]) as image:
        assert image.format == "PNG" and (np.asarray(image) == RAMP[0]).all()
    assert "L1 0.000" in text and "Cosine 1.000" in text


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("/compare", ([], "0")),
        ("/compare", (["tiny"] * 6, "0")),
        ("/compare", (["tiny"], "0-16")),
        ("/compare", (["tiny"], "a")),
        ("/compare", (["nobody"], "0")),
        ("/compare", (5, "0")),
        ("/compare", ([["tiny"]], "0")),
        ("/pair", ("tiny", "nobody", 0)),
        ("/pair", ("../../etc/passwd", "tiny", 0)),
        ("/pair", ("", "", 0)),
    ],
)
def test_an_invalid_comparison_is_one_sentence(client, name, values):
    with pytest.raises(AppError) as caught:
        client.predict(*values, api_name=name)
    assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value)


def test_an_invalid_value_from_the_page_is_one_sentence_without_a_trace(client, capfd):
    [draw] = [each for each in client.config["dependencies"] if each["targets"][:1] == [_button(client, "Draw")]]
    body = {"data": ["nobody", "0", 1.0], "fn_index": draw["id"], "session_hash": "somebody"}
    address = f"{client.src}gradio_api/queue"
    assert httpx.post(f"{address}/join", json=body).status_code == 200
    answer = httpx.get(f"{address}/data", params={"session_hash": "somebody"}, timeout=60).text
    assert "is not in the list of choices" in answer and "Traceback" not in "".join(capfd.readouterr())


def _button(client: Client, text: str) -> list:
    [button] = [each["id"] for each in client.config["components"] if each["props"].get("value") == text]
    return [button, "click"]


@pytest.mark.parametrize("catalogue", [None, "{damaged", '{"models": []}'])
def test_a_page_without_models_says_so_and_the_log_says_where(catalogue, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    if catalogue:
        (tmp_path / "catalogue.json").write_text(catalogue)
    texts = [block.value for block in build_app("cpu").blocks.values() if isinstance(block, gr.HTML)]
    assert any("restore it" in str(text) for text in texts) and not any(str(tmp_path) in str(text) for text in texts)
    assert str(tmp_path) in capsys.readouterr().err


def test_importing_the_package_does_no_work():
    code = "import sys, ganopt, ganopt.data.decode; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_options_of_app_py_are_refused():
    process = subprocess.run([sys.executable, "app.py", "--port", "80"], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 1 and process.stderr.startswith("ganopt: app.py has no options;")


def test_a_full_queue_is_a_sentence(demo, monkeypatch):
    assert demo._queue.max_size
    monkeypatch.setattr(demo._queue, "max_size", 0)
    answer = httpx.post(f"{demo.local_url}gradio_api/call/generate", json={"data": ["tiny", "0", 1.0]})
    assert answer.status_code == 503 and "Queue is full" in answer.json()["detail"]


def test_a_page_without_training_says_so_and_has_no_form(demo, monkeypatch):
    def is_visible(block) -> bool:
        return block.visible and (block.parent is None or is_visible(block.parent))

    for minutes, trains in (("3", True), ("0", False)):
        monkeypatch.setenv("GANOPT_TRAIN_MINUTES", minutes)
        blocks = {block.elem_id: block for block in build_app("cpu").blocks.values()}
        assert is_visible(blocks["train-start"]) == trains
        assert ("switched off" in blocks["limits"].value) != trains and is_visible(blocks["limits"])


COMPILER = """
import sys
from pathlib import Path
import ganopt
faces, run, model = sys.argv[1:]
tiny = {"generator": "big/64@32", "critic": "plain-critic/64", "batch": 4, "critic_chunk": 2, "device": "cpu"}
list(ganopt.train(ganopt.recipe("r1", data=faces, steps=2, **tiny), Path(run)))
print("sympy" in sys.modules)
ganopt.load(model)
print("sympy" in sys.modules)
from torch import nn
nn.Linear(1, 1, device="meta")
print("sympy" in sys.modules)
"""


def test_neither_training_nor_loading_a_model_imports_the_compiler_of_torch(tmp_path, source, draw_faces):
    draw_faces(tmp_path / "faces", 20, (32, 32))
    command = [sys.executable, "-c", COMPILER, tmp_path / "faces", tmp_path / "run", source]
    printed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    after_training, after_loading, after_meta = (line == "True" for line in printed)
    assert not after_training and (tmp_path / "run" / "generator.safetensors").exists()
    if after_meta:
        pytest.skip("this version of torch imports it for networks on the device meta")
    assert not after_loading


def test_a_stored_picture_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    picture = torch.arange(192, dtype=torch.uint8).reshape(3, 8, 8)
    first = os.stat(store_png(picture))
    assert os.path.samestat(first, os.stat(store_png(picture.clone())))
    assert not os.path.samestat(first, os.stat(store_png(255 - picture)))
    with Image.open(store_png(picture)) as image:
        assert np.array_equal(np.asarray(image), picture.permute(1, 2, 0).numpy())


def test_a_temporary_folder_that_cannot_be_written_is_one_sentence(monkeypatch, refuses):
    monkeypatch.setenv("GRADIO_TEMP_DIR", f"{__file__}/made")
    with refuses("GRADIO_TEMP_DIR", "is not a folder that you may write to"):
        build_app()
