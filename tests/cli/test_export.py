"""The command `export`: a page or ONNX, the same bytes for the same model."""

import importlib.util

import numpy as np
import pytest
import torch

from ganopt.cli.parser import main
from ganopt.models import weights
from ganopt.models.latents import latents
from ganopt.models.networks import build_generator
from tests.portable import generators


@pytest.fixture
def model(tmp_path) -> str:
    weights.save(generators.lively("kd-res/16@64"), tmp_path / "tiny.safetensors")
    return str(tmp_path / "tiny.safetensors")


def refused(arguments: list[str], *fragments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    sentence = str(ended.value)
    assert sentence.startswith("ganopt: ") and sentence.endswith(".") and "\n" not in sentence, sentence
    assert all(fragment in sentence for fragment in fragments), sentence


def test_export_writes_one_page_the_same_each_time(model, tmp_path, capsys):
    main(["export", model, "--html", str(tmp_path / "dry.html"), "--dry-run"])
    assert '"seeds": "0-63"' in capsys.readouterr().out and not (tmp_path / "dry.html").exists()
    for name in ("a.html", "b.html"):
        main(["export", model, "--html", str(tmp_path / name), "--seeds", "3, 8-10"])
    assert "without a network" in capsys.readouterr().out
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert '"seeds": [3, 8, 9, 10]' in (tmp_path / "a.html").read_text()


def test_export_refuses_what_it_cannot_write(model, tmp_path, monkeypatch):
    refused(["export", model], "nothing to write")
    refused(["export", model, "--html", str(tmp_path / "a.html"), "--seeds", "1-3"], "at least four seeds")
    weights.save(build_generator("sle/64@32"), tmp_path / "sle.safetensors")
    refused(["export", str(tmp_path / "sle.safetensors"), "--html", str(tmp_path / "a.html")], "kind sle")
    assert not (tmp_path / "a.html").exists()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for more in ([], ["--dry-run"]):
        refused(["export", model, "--onnx", str(tmp_path / "a.onnx"), *more], "pip install onnx onnxruntime")


def test_onnxruntime_draws_our_faces(model, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    for name in ("a.onnx", "b.onnx"):
        main(["export", model, "--onnx", str(tmp_path / name)])
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    z = latents(range(5))
    [drawn] = runtime.InferenceSession(tmp_path / "a.onnx").run(None, {"latents": z.numpy()})
    with torch.no_grad():
        expected = weights.load(model)(z).numpy()
    assert drawn.shape == (5, 3, 64, 64) and np.abs(drawn - expected).max() < 1e-4
