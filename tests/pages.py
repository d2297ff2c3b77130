"""The page in the process of the tests, which reads most of its settings only when it is used."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ganopt.models import model_cache


@contextlib.contextmanager
def page_settings(**settings: object) -> Iterator[None]:
    """Set environment variables of the page, and forget the models that it has loaded with others."""
    from ganopt.lab.encoders import objects
    from ganopt.thesis import comparison
    from ganopt.ui import live  # slow

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GANOPT_PRIVATE", raising=False)
        for name, value in settings.items():
            patch.setenv(name, str(value))
        patch.setattr("gradio.networking.url_ok", lambda url: False)  # as on a busy machine, which must not matter
        try:
            yield
        finally:  # models in other folders have the same names
            for cached in (model_cache._generator, objects._generator, objects.drawn, comparison.load_extractor):
                cached.cache_clear()
            live._page.cache_clear()


@contextlib.contextmanager
def shared_page(**settings: object) -> Iterator[Any]:
    """Start the page with some settings, which end with its start, for tests that set their own."""
    with contextlib.ExitStack() as stack:
        with page_settings(**settings):
            page = stack.enter_context(running_page())
        yield page


@contextlib.contextmanager
def running_page() -> Iterator[Any]:
    """Start the page with the current settings."""
    from ganopt import ui  # slow

    page = ui.build_app("cpu")
    try:
        ui.launch(page, prevent_thread_lock=True, quiet=True)
        yield page
    finally:
        page.close()
