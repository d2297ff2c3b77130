"""The tab Lab in use: pictures that can be clicked, and links between the tabs."""

import numpy as np
import pytest

from ganopt.lab.encoders.objects import FIRST_SEED
from ganopt.lab.experiments.spot_the_fake import order
from ganopt.models import model_cache, zoo
from ganopt.models.devices import pick_device
from tests.browser.conftest import follow
from tests.browser.test_generate import captions, pixels

pytestmark = pytest.mark.skipif(not zoo.catalogue(), reason="checkpoints/ contains no models")


@pytest.fixture(scope="module")
def lab(visit, server):
    """Opens an experiment by its link, first in a new tab, then in the same one."""
    with visit("about:blank") as tab:

        def open_experiment(experiment: str):
            query = f"tab=lab&lab={experiment}"
            if tab.url == "about:blank":
                tab.goto(f"{server}/?{query}")
            else:
                follow(tab, query)
            return tab

        yield open_experiment


def test_a_node_of_the_atlas_opens_its_face_in_generate_and_back_returns(lab):
    page = lab("kohonen&lab_settings=data=cats,objects=48,side=3,epochs=2")
    page.locator("#kohonen-start").click()
    page.locator("#lab-status", has_text="Done").wait_for()
    nodes = page.locator("#lab-pictures a.area")
    assert nodes.count() == 9
    name = nodes.nth(4).get_attribute("aria-label")
    seed = int(name.split()[1])
    assert FIRST_SEED <= seed < FIRST_SEED + 48 and name.endswith("of cats-fast")
    nodes.nth(4).click()
    page.locator("#faces .caption-label", has_text=f"seed {seed}").wait_for()
    assert captions(page) == [f"seed {seed}"] and f"model=cats-fast&seeds={seed}" in page.url
    [expected] = model_cache.faces("cats-fast", pick_device("cpu"), [seed], 1.0).pictures.permute(0, 2, 3, 1)
    assert np.abs(pixels(page, "#faces", 0).astype(int) - expected.numpy()).max() <= 1
    page.go_back()
    nodes.nth(4).wait_for()
    assert page.locator("#lab-status").inner_text().startswith("Done")


def test_fakes_are_chosen_by_clicking_them_and_by_keyboard(lab):
    fakes = np.flatnonzero(order(3)).tolist()
    page = lab("spot-the-fake&lab_settings=seed=3")
    page.locator("#spot-the-fake-start").click()
    page.locator("#lab-status", has_text="Done").wait_for()
    faces, chosen = page.get_by_role("checkbox", name="face "), page.get_by_label("Chosen")
    assert faces.count() == 12
    first, *others = fakes
    for index in (*others, others[0], others[0]):  # chosen, not chosen, and chosen again
        faces.nth(index).click()
    faces.nth(first).press("Enter")
    assert chosen.input_value() == " ".join(str(index + 1) for index in fakes)
    assert [faces.nth(index).is_checked() for index in range(12)] == order(3).tolist()
    page.locator("#spot-the-fake-start").click()
    page.locator("#lab-status", has_text="12 of 12 faces are judged right").wait_for()
    assert faces.count() == 0


def test_another_setting_forgets_the_choice_of_faces(lab):
    page = lab("spot-the-fake")
    faces, chosen = page.get_by_role("checkbox", name="face "), page.get_by_label("Chosen")
    faces.nth(2).click()
    assert chosen.input_value() == "3"
    page.get_by_label("Seed", exact=True).fill("8")
    page.wait_for_function("!document.querySelector('[data-choice]')")
    page.wait_for_function("!document.querySelector('.choices :is(input, textarea)').value")


def test_links_lead_from_the_game_to_the_gallery_and_from_there_to_the_lab(lab):
    page = lab("spot-the-fake")
    page.get_by_role("link", name="gallery of faults").first.click()
    page.locator("#flaws img").nth(5).wait_for()
    page.wait_for_function("document.activeElement.id === 'flaws'")
    assert page.get_by_role("tab", name="About").get_attribute("aria-selected") == "true"
    page.get_by_role("link", name="Pre-training").click()
    page.get_by_role("heading", name="Pre-training").wait_for()
    assert "tab=lab&lab=pretraining" in page.url
