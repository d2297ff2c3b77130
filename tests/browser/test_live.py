"""Faces drawn by the visitor's browser: those of Python, also without a network, on the tab Live and from a file."""

import base64

import numpy as np
import pytest
import torch

from ganopt.cli.parser import main
from ganopt.models import weights, zoo
from ganopt.models.latents import latent, latents
from ganopt.models.sampling import draw, inference_copy
from ganopt.portable.page import page as page_of
from tests.browser.conftest import check_accessible, follow, resized
from tests.browser.tabs import DRAWN
from tests.portable import generators

FAST = "cats-fast"
PIXELS = """async z => {
  const { pixels } = await draw(new Float32Array(z));
  let text = "";
  for (const value of pixels) text += String.fromCharCode(value);
  return btoa(text);
}"""


def drawn_by(page, z: torch.Tensor) -> np.ndarray:
    """The faces of latents (N, 100, 1, 1) as a page draws them, (N, 3, side, side)."""
    texts = [page.evaluate(PIXELS, each.flatten().tolist()) for each in z]
    pixels = np.stack([np.frombuffer(base64.b64decode(text), np.uint8) for text in texts])
    side = int((pixels.shape[1] / 4) ** 0.5)
    return pixels.reshape(-1, side, side, 4)[..., :3].transpose(0, 3, 1, 2)


def drawn_by_python(generator, z: torch.Tensor) -> np.ndarray:
    return draw(inference_copy(generator, torch.device("cpu")), z).numpy()


def canvas(frame) -> np.ndarray:
    """The face on the canvas, (side, side, 3)."""
    values = frame.evaluate("() => [...context.getImageData(0, 0, canvas.width, canvas.height).data]")
    side = int((len(values) / 4) ** 0.5)
    return np.array(values, int).reshape(side, side, 4)[..., :3]


@pytest.mark.parametrize("architecture", generators.KINDS)
@pytest.mark.parametrize("storage", [torch.float32, torch.int8], ids=str)
def test_javascript_draws_the_faces_of_python(visit, tmp_path, architecture, storage):
    weights.save(generators.lively(architecture), tmp_path / "model.safetensors", dtype=storage)
    generator, z = weights.load(tmp_path / "model.safetensors"), latents(range(6))
    (tmp_path / "page.html").write_text(page_of(generator, "tiny", "Tiny", range(4)))
    with visit((tmp_path / "page.html").as_uri()) as page:
        drawn = drawn_by(page, z)
    expected = drawn_by_python(generator, z)
    assert expected.std() > 5 and np.abs(drawn.astype(int) - expected).max() <= 1


@pytest.mark.skipif(FAST not in zoo.catalogue(), reason=f"checkpoints/ does not contain {FAST}")
def test_one_file_draws_a_hundred_faces_of_the_student_without_a_network(visit, tmp_path):
    main(["export", FAST, "--html", str(tmp_path / "cats.html")])
    z = latents(range(100))
    with visit((tmp_path / "cats.html").as_uri()) as page:
        page.context.set_offline(True)
        try:
            drawn = drawn_by(page, z)
        finally:
            page.context.set_offline(False)
    expected = drawn_by_python(zoo.load(FAST), z)
    assert np.abs(drawn.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("width", [1280, 390])
def test_the_live_tab_walks_under_the_pointer_by_keys_and_without_a_network(tab, width):
    tab.emulate_media(reduced_motion="reduce")
    tab.get_by_role("tab", name="Live", exact=True).click()
    tab.locator("#live-facts", has_text="ms a face").wait_for()
    tab.locator("#live iframe").wait_for()
    frame = tab.locator("#live iframe").element_handle().content_frame()
    with resized(tab, width):
        frame.wait_for_function(DRAWN)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.context.set_offline(True)
        try:
            name = tab.locator("#live-model input").input_value()
            model = next(each for each in zoo.catalogue().values() if name.startswith(each.title))
            for button, seed in (("seed 0", 0), ("seed 3", 3)):
                frame.get_by_role("button", name=button, exact=True).click()
                frame.wait_for_function(DRAWN)
                expected = drawn_by_python(zoo.load(model.name), latent(seed)[None])[0].transpose(1, 2, 0)
                assert np.abs(canvas(frame) - expected).max() <= 1
            before = canvas(frame)
            area = frame.get_by_role("slider")
            area.hover(position={"x": 40, "y": 40})
            frame.wait_for_function(DRAWN)
            assert (canvas(frame) != before).any()
            area.focus()
            tab.keyboard.press("Home")
            tab.keyboard.press("ArrowRight")
            assert area.get_attribute("aria-valuenow") == "2"
            frame.get_by_role("button", name="Walk by itself").click()
            frame.locator("#said", has_text="faces a second").wait_for()
            frame.get_by_role("button", name="Pause").click()
        finally:
            tab.context.set_offline(False)


def test_a_link_opens_the_live_tab_with_its_model_and_a_wrong_one_is_a_sentence(tiny_page, tab, browser):
    tab.get_by_role("tab", name="Generate").click()
    follow(tab, "live=dogs-transfer")
    tab.locator("#live iframe[src*='dogs-transfer']").wait_for()
    assert tab.get_by_role("tab", name="Live", exact=True).get_attribute("aria-selected") == "true"
    with browser.new_page() as page:
        answer = page.goto(f"{tiny_page.local_url}live?model=../../etc/passwd")
        assert answer.status == 404 and "Unknown model" in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_page_of_a_model(tiny_page, browser, scheme):
    with browser.new_page() as page:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # else it walks, and is never done
        page.goto(f"{tiny_page.local_url}live?model=cats-student")
        page.wait_for_function(DRAWN)
        check_accessible(page)
