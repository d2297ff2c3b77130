"""The address holds the open tab and what it shows; Back and Forward walk through both."""

import shutil

import pytest

from ganopt.runs.queue import EXIT, LOCK
from tests.browser.conftest import draw_first_faces


@pytest.fixture(scope="module")
def runs(tmp_path_factory, source):
    """The folder of two runs."""
    runs = tmp_path_factory.mktemp("history") / "runs"
    for name in ("one", "two"):
        shutil.copytree(source, runs / name)
        (runs / name / EXIT).write_text("0")
        (runs / name / LOCK).touch()
    return runs


def open_tab(tab, name: str) -> None:
    tab.get_by_role("tab", name=name, exact=True).click()


def wait_for(tab, /, **parameters: str) -> None:
    """Wait until the address has these parameters."""
    tab.wait_for_function(
        "wanted => { const found = new URLSearchParams(location.search);"
        " return Object.entries(wanted).every(([name, value]) => found.get(name) === value) }",
        arg=parameters,
    )


def draw(tab, seeds: str) -> None:
    field = tab.locator("#seeds input, #seeds textarea")
    field.fill(seeds)
    field.press("Enter")
    wait_for(tab, tab="generate", seeds=seeds)


def shows(tab, *captions: str) -> None:
    tab.wait_for_function(
        "wanted => [...document.querySelectorAll('#faces .caption-label')]"
        ".map(each => each.innerText.trim()).join() === wanted",
        arg=",".join(captions),
    )


def test_back_and_forward_walk_through_draws_and_tabs(tab):
    draw(tab, "3")
    draw(tab, "5-6")
    open_tab(tab, "Train")
    wait_for(tab, tab="train")
    open_tab(tab, "Generate")
    wait_for(tab, tab="generate", seeds="5-6")
    tab.go_back()
    assert tab.get_by_role("tab", name="Train").get_attribute("aria-selected") == "true"
    tab.go_back()
    tab.go_back()
    shows(tab, "seed 3")
    assert tab.locator("#seeds input, #seeds textarea").input_value() == "3"
    tab.go_forward()
    shows(tab, "seed 5", "seed 6")
    wait_for(tab, tab="generate", seeds="5-6")


def test_the_link_of_a_comparison_holds_its_pair(tiny_page, visit):
    with visit(
        f"{tiny_page.local_url}?compare=cats-teacher,cats-student&compare_seeds=2-4&pair=cats-student&pair_seed=3"
    ) as tab:
        tab.locator("#pair-title", has_text="Seed 3:").wait_for()
        assert not tab.locator("#compared .selected").count()
        tab.locator("#compared button").nth(5).click()
        tab.locator("#pair-title", has_text="Seed 4:").wait_for()
        wait_for(tab, tab="compare", compare="cats-teacher,cats-student", compare_seeds="2-4", pair_seed="4")
        tab.locator("#compare-seeds input, #compare-seeds textarea").fill("7-8")
        tab.locator("#compare").click()
        tab.locator("#pair-title", has_text="Seed 7:").wait_for()
        assert not tab.locator("#compared .selected").count()  # the outline was that of the old pair


def test_the_link_of_a_measurement_and_of_a_run(tiny_page, visit):
    with visit(f"{tiny_page.local_url}?tab=fid&fid=cats-student&fid_n=150") as tab:
        tab.locator("#fid-models input:checked").wait_for()
        assert tab.locator("#fid-models").get_by_label("Cats, Student").is_checked()
        assert tab.locator("#fid-count input[type=number]").input_value() == "150"
        tab.locator("#measure").click()
        wait_for(tab, tab="fid", fid="cats-student", fid_n="150")
        open_tab(tab, "Train")
        other = tab.locator("#runs label:not(:has(input:checked))").first
        name = other.inner_text().split()[0]
        other.click()
        wait_for(tab, tab="train", train=name)


def test_the_link_is_copied(tiny_page, browser, tab):
    browser.grant_permissions(["clipboard-read", "clipboard-write"], origin=tiny_page.local_url.rstrip("/"))
    draw(tab, "9")
    tab.locator("#copy-link").click()
    tab.get_by_role("button", name="Link copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.url


def test_an_explored_face_names_its_model(tab):
    draw_first_faces(tab)
    tab.locator("#faces button").nth(6).click()
    tab.get_by_role("heading", name="Around seed 6 of Cats, <teacher>").wait_for()
