"""The tab About."""

import pytest

from ganopt import zoo
from ganopt.ui.about import FLAWS, MODEL

pytestmark = pytest.mark.skipif(MODEL not in zoo.catalogue(), reason=f"checkpoints/ holds no {MODEL}")


def test_it_explains_shows_faces_with_faults_and_names_its_sources(page):
    page.get_by_role("tab", name="About").click()
    page.get_by_role("heading", name="How it works").wait_for()
    page.locator("#flaws img").nth(len(FLAWS) - 1).wait_for()
    captions = page.locator("#flaws .caption-label").all_inner_texts()
    assert captions == [f"seed {seed}: {text}" for seed, text in FLAWS.items()]
    assert page.locator(".measured table").first.is_visible()
    page.get_by_role("heading", name="Sources").wait_for()
