"""The page by keyboard and with a screen reader, and at widths between those of a phone and of a desk."""

from tests.browser.conftest import check_accessible, follow, resized


def count(tab, faces: int) -> None:
    tab.wait_for_function("count => document.querySelectorAll('#faces img').length === count", arg=faces)


def test_a_face_is_announced_by_its_caption_and_enter_leads_to_what_it_opens(tab):
    tab.get_by_role("button", name="seed 6", exact=True).focus()
    tab.keyboard.press("Enter")
    tab.locator("#map img").nth(24).wait_for()
    tab.wait_for_function("document.activeElement.id === 'explore'")
    assert not tab.get_by_role("button", name="Thumbnail").filter(has_text="seed").count()
    check_accessible(tab)


def test_sliders_draw_after_a_key_and_enter(tab):
    slider = tab.locator("#count input[type=range]")
    slider.focus()
    slider.press("ArrowLeft")
    count(tab, 15)
    tab.locator("#count input[type=number]").fill("3")
    tab.locator("#count input[type=number]").press("Enter")
    count(tab, 3)
    scale = tab.locator("#scale input[type=range]")
    scale.focus()
    scale.press("Home")
    tab.wait_for_function("new URLSearchParams(location.search).get('scale') === '0'")
    tab.locator("#scale input[type=number]").fill("0.5")
    tab.locator("#scale input[type=number]").press("Enter")
    tab.wait_for_function("new URLSearchParams(location.search).get('scale') === '0.5'")


def test_the_before_and_after_slider_moves_by_keys(tab):
    tab.get_by_role("tab", name="Compare").click()
    tab.locator("#distances", has_text="Cosine").wait_for()
    handle = tab.get_by_role("slider", name="Share of the first model's face, in %")
    handle.focus()
    before = handle.bounding_box()["x"]
    handle.press("ArrowRight")
    tab.wait_for_function(
        "x => document.querySelector('#wipe [role=slider]').getBoundingClientRect().x > x + 5", arg=before
    )
    handle.press("Home")
    tab.wait_for_function(
        "x => document.querySelector('#wipe [role=slider]').getBoundingClientRect().x < x - 50", arg=before
    )
    assert handle.get_attribute("aria-valuenow") == "0"


def test_the_status_of_a_run_is_a_live_region(tab):
    tab.get_by_role("tab", name="Train").click()
    tab.locator("#train-said[role=status]").wait_for(state="attached")
    tab.locator("#train-estimate[role=status]").wait_for(state="attached")


def test_faces_of_five_models_have_96_pixels_and_captions_are_whole(tab):
    models = "cats-teacher,cats-student,dogs-transfer,cats-teacher,cats-student"
    follow(tab, f"compare={models}&compare_seeds=4294967295")
    tab.locator("#pair-title", has_text="Seed 4294967295").wait_for()
    for width in (390, 641, 820, 1000, 1280):
        with resized(tab, width):
            if width > 640:
                assert all(face.bounding_box()["width"] >= 96 for face in tab.locator("#compared img").all()), width
            hidden = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).length"
            assert not tab.locator("#compared .caption-label").evaluate_all(hidden), width
            assert tab.evaluate("document.documentElement.scrollWidth") == width
