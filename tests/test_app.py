"""The page without a browser: its server answers a real client."""

import subprocess
import sys
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from ganopt import studio
from ganopt.compare import RAMP
from ganopt.shipping import ship
from ganopt.state import pick_device
from ganopt.ui import build_app

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def client(tmp_path_factory, source, thin_inception):
    """A client of a page whose one model is a tiny one, shipped from a real run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(tmp_path_factory.mktemp("checkpoints")))
        patch.setenv("GANOPT_INCEPTION", str(thin_inception))
        ship(source, "tiny", "Tiny faces", "teacher", "drawn faces", "none")
        demo = build_app("cpu")
        assert isinstance(demo, gr.Blocks)
        _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_port=None, ssr_mode=False)
        yield Client(address, verbose=False)
        demo.close()


def test_generate_answers_with_captioned_png_pictures(client):
    gallery, facts, archive = client.predict("tiny", "2, 5", 1.0, api_name="/generate")[:3]
    assert [item["caption"] for item in gallery] == ["seed 2", "seed 5"]
    expected = studio.faces("tiny", pick_device("cpu"), [2, 5], 1.0).pictures.permute(0, 2, 3, 1).numpy()
    for item, face in zip(gallery, expected, strict=True):
        with Image.open(item["image"]) as image:
            assert image.format == "PNG" and np.array_equal(np.asarray(image), face)
    assert "2 faces" in facts and Path(archive).suffix == ".zip"


@pytest.mark.parametrize("seeds", ["5-2", "a", "-1", "0-9999", "", "1" * 4000])
def test_bad_seeds_are_one_sentence(client, seeds):
    with pytest.raises(AppError) as caught:
        client.predict("tiny", seeds, 1.0, api_name="/generate")
    assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value)


@pytest.mark.parametrize(("model", "scale"), [("tiny", 99), ("../../etc/passwd", 1), ("nobody", 1)])
def test_values_that_the_page_does_not_offer_are_refused(client, model, scale):
    with pytest.raises(AppError):
        client.predict(model, "0", scale, api_name="/generate")


def test_compare_answers_with_a_sheet_heads_and_faces_row_by_row(client):
    facts, sheet, heads, gallery, *_ = client.predict(["tiny", "tiny"], "2, 5", api_name="/compare")
    assert [item["caption"] for item in gallery["value"]] == [
        "seed 2",
        "seed 2 · L1 0.000",
        "seed 5",
        "seed 5 · L1 0.000",
    ]
    assert "4 faces" in facts and heads.count("Tiny faces") == 2
    with Image.open(sheet) as image:
        assert image.format == "PNG"


def test_a_pair_answers_with_both_pictures_their_differences_and_distances(client):
    title, both, difference, sentence = client.predict("tiny", "tiny", "7", api_name="/pair")
    expected = studio.faces("tiny", pick_device("cpu"), [7], 1.0).pictures[0].permute(1, 2, 0).numpy()
    for path in both:
        with Image.open(path) as image:
            assert image.format == "PNG" and np.array_equal(np.asarray(image), expected)
    with Image.open(difference) as image:
        assert image.format == "PNG" and (np.asarray(image) == RAMP[0]).all()
    assert "Seed 7" in title and "L1 0.000" in sentence and "Cosine 1.000" in sentence


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("/compare", ([], "0")),
        ("/compare", (["tiny"] * 6, "0")),
        ("/compare", (["tiny"], "0-16")),
        ("/compare", (["tiny"], "a")),
        ("/pair", ("tiny", "nobody", "0")),
        ("/pair", ("../../etc/passwd", "tiny", "0")),
        ("/pair", ("tiny", "tiny", "0-1")),
        ("/pair", ("", "", "")),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(client, name, values):
    with pytest.raises(AppError) as caught:
        client.predict(*values, api_name=name)
    assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value)


@pytest.mark.parametrize("models", [["nobody"], "tiny/..", None, 5, [["tiny"]]])
def test_models_that_the_page_does_not_offer_are_refused(client, models):
    with pytest.raises(AppError) as caught:
        client.predict(models, "0", api_name="/compare")
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("catalogue", [None, "{damaged", '{"models": []}'])
def test_a_page_without_models_says_so(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    if catalogue:
        (tmp_path / "catalogue.json").write_text(catalogue)
    texts = [block.value for block in build_app("cpu").blocks.values() if isinstance(block, gr.Markdown)]
    assert any(str(tmp_path) in text and "restore it" in text for text in texts)


def test_importing_the_package_does_no_work():
    code = "import sys, ganopt.pictures; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_loading_a_model_does_not_import_the_compiler_of_torch(tmp_path, source, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    code = "import sys; from ganopt import zoo; zoo.load('tiny'); assert 'sympy' not in sys.modules"
    ship(source, "tiny", "Tiny faces", "teacher", "drawn faces", "none")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
