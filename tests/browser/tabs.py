"""The page with content on every tab, for the tests of its look and accessibility."""

from collections.abc import Callable
from pathlib import Path

import torch

from ganopt.models import zoo
from ganopt.models.latents import latents
from ganopt.models.sampling import draw
from ganopt.runs.queue import EXIT, LOCK
from ganopt.thesis.experiments import AUGMENTED, R1_TUNED
from ganopt.training import loop, methods

MODELS = ("cats-teacher", "cats-student", "dogs-transfer")
RUN = "cats-to-dogs"
FEW = "100"  # pictures of each model, to measure FID quickly
# all transitions have finished: half transparent elements look different, and lack contrast
DRAWN = "typeof isBusy !== 'undefined' && !isStale && !isBusy"  # the face on the page of a model
STILL = "document.getAnimations().every(each => !(each instanceof CSSTransition) || each.playState === 'finished')"


def are_shipped() -> bool:
    """Whether checkpoints/ contains the models that the tests need."""
    return set(MODELS) <= set(zoo.catalogue())


def settings(folder: Path) -> dict[str, str]:
    """The environment of a private page with the shipped models and one finished run, in `folder`."""
    _make_run(folder / "runs" / RUN)
    return {"GANOPT_PRIVATE": "1", "GANOPT_RUNS": str(folder / "runs"), "GANOPT_CACHE": str(folder / "cache")}


def _make_run(folder: Path) -> None:
    """A short transfer to dogs drawn by a model, with the files that its process would leave."""
    pictures = draw(zoo.load("dogs-transfer"), latents(range(64)))
    slow = {"lr_g": 2e-5, "lr_d": 2e-5}  # so that rounding, which depends on the threads, does not show
    settings = R1_TUNED | AUGMENTED | slow | {"freeze_g": 1, "freeze_d": 2, "batch": 4}
    recipe = methods.recipe(
        "transfer", source="cats-teacher", data="dogs", steps=12, preview_every=2, device="cpu", **settings
    )
    torch.manual_seed(0)
    for _ in loop.train(recipe, folder, pictures):
        pass
    (folder / LOCK).touch()
    (folder / EXIT).write_text("0")


def show(page, name: str) -> None:
    """Open a tab of the page, use it, and wait until everything is visible."""
    page.get_by_role("tab", name=name, exact=True).click()
    FILL[name](page)
    settle(page)


def settle(page) -> None:
    """Wait until nothing on the page loads or moves."""
    page.evaluate("for (const image of document.images) image.loading = 'eager'")  # also outside of the view
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth)")
    page.wait_for_function("!document.querySelector('.generating, .pending, .progress-text, .toast-body')")
    page.wait_for_function(STILL)


def _generate(page) -> None:
    page.locator("#faces img").nth(15).wait_for()
    page.locator("#facts", has_text="16 faces").wait_for()


def _live(page) -> None:
    page.locator("#live-facts", has_text="ms a face").wait_for()
    page.locator("#live iframe").element_handle().content_frame().wait_for_function(DRAWN)


def _compare(page) -> None:
    page.locator("#compared img").nth(15).wait_for()
    page.locator("#distances", has_text="Cosine").wait_for()


def _train(page) -> None:
    page.locator("#run-status", has_text=RUN).wait_for()
    page.locator("#run-curves svg").first.wait_for()


def _fid(page) -> None:
    if page.locator("#fid-curve svg").count():  # measured already
        return
    count = page.locator("#fid-count input[type=number]")
    count.fill(FEW)
    count.press("Tab")
    page.locator("#measure").click()
    page.locator("#fid-status", has_text="Done after").wait_for(timeout=240_000)
    page.locator("#fid-curve svg").first.wait_for()


def _lab(page) -> None:
    if page.locator("#open-q-learning").is_visible():
        page.locator("#open-q-learning").click()
    page.locator("#lab-curves svg").first.wait_for()


def _about(page) -> None:
    page.locator("#flaws img").nth(5).wait_for()


FILL: dict[str, Callable] = {
    "Generate": _generate,
    "Live": _live,
    "Compare": _compare,
    "Train": _train,
    "FID": _fid,
    "Lab": _lab,
    "About": _about,
}
