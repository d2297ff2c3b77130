"""My pets: from opening the page to the faces of one's own pet, in six clicks at most."""

import pytest

from ganopt.runs import manager
from ganopt.runs.status import read
from tests.browser.conftest import end_runs, follow

pytest.importorskip("fcntl", reason="needs file locks")
pytestmark = pytest.mark.timeout(900)  # on a busy machine, training takes its time

STARTS_FROM = "name => document.querySelector('#origin input').value.startsWith(name)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pets") / "runs"
    yield folder
    end_runs(folder)


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"GANOPT_PRIVATE": "1"}


def test_a_newcomer_sees_their_own_pet(visit, tiny_page, runs, draw_faces, tmp_path):
    pictures = draw_faces(tmp_path / "pets", 18, (200, 160), ".heic")
    (tmp_path / "pets" / "notes.txt").write_text("hi")
    with visit(tiny_page.local_url) as page:
        page.get_by_role("tab", name="Train").click()  # 1
        page.get_by_role("button", name="My pets, starting from the cats").click()  # 2
        files = [*pictures, tmp_path / "pets" / "notes.txt"]
        page.locator("#train-files input[type=file]").set_input_files(files)  # 3 and 4
        page.locator("#pets-pictures img").nth(17).wait_for()
        assert page.locator("#pets-pictures img").count() == 18
        said = page.locator("#pets-said").inner_text()
        assert "18 pictures as they will be cropped" in said and "40 or more" in said
        assert "Left out: notes.txt (it is not a picture)." in said
        before = page.locator("#pets-pictures img").nth(2).get_attribute("src")
        page.locator("#pets-pictures button").nth(2).click()  # by hand; not needed
        page.locator("#pets-shown img").wait_for()
        page.locator("#pets-zoom input[type=range]").press("End")
        page.wait_for_function("old => document.querySelectorAll('#pets-pictures img')[2].src !== old", arg=before)
        page.locator("#train-start").click()  # 5
        page.locator("#run-status b", has_text="transfer-1").wait_for()
        page.locator("#train-said", has_text="It uses 18 pictures. Left out: 1 .txt.").wait_for()
        page.locator("#run-faces figcaption", has_text="before training").wait_for()
        page.locator("#run-faces figcaption", has_text="after step").wait_for()
        folder = runs / "transfer-1"
        assert sorted(path.suffix for path in (folder / manager.PICTURES).iterdir()) == [".heic"] * 17 + [".png"]
        page.locator("#run-stop").click()
        page.locator("#run-status", has_text="was stopped").wait_for()
        page.locator("#run-links a").first.click()  # 6
        page.wait_for_function("document.querySelector('#model input').value.startsWith('transfer-1')")
        page.locator("#facts", has_text="16 faces").wait_for()
        links_open_the_presets(page)
    assert read(folder).step >= 5


def links_open_the_presets(page) -> None:
    """Each choice of the model to start from has a link, which Back follows too."""
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="My pets, starting from the dogs").click()
    page.wait_for_function(STARTS_FROM, arg="Dogs")
    dogs = page.evaluate("location.search")
    page.get_by_role("button", name="My pets, starting from the cats").click()
    page.wait_for_function(STARTS_FROM, arg="Cats")
    page.go_back()
    page.wait_for_function(STARTS_FROM, arg="Dogs")
    assert page.evaluate("location.search") == dogs
    follow(page, "tab=train&preset=My+fish")
    page.get_by_text("The preset 'My fish' in the link does not exist.").wait_for()
