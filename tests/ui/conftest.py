"""The page, built but not served."""

import pytest

from ganopt.ui import build_app


@pytest.fixture(scope="module")
def page(three_models, tmp_path_factory):
    """The page of tiny models, without runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(three_models))
        patch.setenv("GANOPT_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield build_app("cpu")
