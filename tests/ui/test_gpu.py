"""The page on ZeroGPU, with a stand-in for the module `spaces` that pickles arguments and results."""

import functools
import importlib
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ganopt.ui import gpu


class Spaces:
    """What takes the place of the module, and what has been called and asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.asked: list[int] = []
        self.left = 120  # seconds

    def GPU(self, task: Callable, duration: int | Callable[..., int]) -> Callable:  # noqa: N802
        @functools.wraps(task)
        def plain(*arguments: Any) -> Any:
            return copied(self._called(task, duration, arguments))

        @functools.wraps(task)
        def stream(*arguments: Any) -> Iterator[Any]:
            yield from map(copied, self._called(task, duration, arguments))

        return stream if inspect.isgeneratorfunction(task) else plain

    def _called(self, task: Callable, duration: int | Callable[..., int], arguments: tuple) -> Any:
        seconds = duration(*arguments) if callable(duration) else duration
        self.calls.append(task.__name__)
        self.asked.append(seconds)
        if seconds > self.left:
            raise gr.Error(f"You have exceeded your GPU quota ({seconds}s requested vs. {self.left}s left).")
        try:
            return task(*copied(arguments))
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error("worker error") from error


def copied(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.fixture
def spaces() -> Iterator[Spaces]:
    """The stand-in, with which the page computes until the end of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "spaces", stand_in := Spaces())
        importlib.reload(gpu)
        yield stand_in
    importlib.reload(gpu)


def test_all_computations_run_on_a_gpu_and_their_errors_are_shown(spaces, launch_page, three_models, thin_inception):
    page = launch_page(GANOPT_CHECKPOINTS=three_models, GANOPT_INCEPTION=thin_inception)
    client = Client(page.local_url, verbose=False)
    for name in ("generate", "map", "walk", "compare", "pair"):
        client.predict(api_name=f"/{name}")
    with pytest.raises(AppError, match=r"^test_gpu.py is damaged or not a zip file; make or download it again\.$"):
        client.predict(upload=handle_file(__file__), upload_as_reference=True, api_name="/fid")
    spaces.left = 3
    with pytest.raises(AppError, match=r"^You have exceeded your GPU quota \(20s requested vs\. 3s left\)\.$"):
        client.predict(api_name="/generate")
    assert set(spaces.calls) == {"faces", "face_map", "walk", "compare", "cosines", "latencies", "_evaluate"}
    assert all(0 < each <= 120 for each in spaces.asked)  # more is refused by the Space
