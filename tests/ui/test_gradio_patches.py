"""Each patch of Gradio on a real server, compared with plain Gradio.

If a test fails because plain Gradio no longer has the problem, remove the patch and the test.
"""

import contextlib
import errno
import inspect
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio.queueing import Queue
from packaging.requirements import Requirement

from ganopt.errors import UserError
from ganopt.ui import gradio_patches
from ganopt.ui.gradio_patches import POLLS, REFUSALS, PatchedBlocks, limit_files

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def served(blocks: type[gr.Blocks], function: Callable = lambda value: value, **launch) -> Iterator[SimpleNamespace]:
    """A server with one endpoint `echo` that takes a slider: its blocks, its address, and a function to call it."""
    with blocks(analytics_enabled=False) as demo:
        gr.Button().click(function, gr.Slider(0, 5), gr.File() if function is a_file else gr.Number(), api_name="echo")
    demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **launch)
    address = f"{demo.local_url}gradio_api/call/echo"

    def call(*values, **more) -> str:
        answer = httpx.post(address, json={"data": values} | more, timeout=60)
        if answer.is_error:
            return f"status: {answer.status_code}"
        return httpx.get(f"{address}/{answer.json()['event_id']}", timeout=60).text

    try:
        yield SimpleNamespace(demo=demo, address=address, call=call)
    finally:
        demo.close(verbose=False)


@pytest.fixture(scope="module")
def plain():
    with served(gr.Blocks) as page:
        yield page


@pytest.fixture(scope="module")
def patched():
    with served(PatchedBlocks, app_kwargs={"exception_handlers": REFUSALS}) as page:
        yield page


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A server whose function returns a file."""
    with pytest.MonkeyPatch.context() as patch, served(PatchedBlocks, a_file) as page:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("made")))
        yield page


def a_file(value: float) -> str:
    return __file__


def full_disk(value: float) -> None:
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise RuntimeError("cannot write") from error


def test_only_the_tested_versions_of_gradio_are_allowed():
    line = next(each for each in (ROOT / "requirements.txt").read_text().splitlines() if each.startswith("gradio"))
    allowed = Requirement(line).specifier
    [space] = re.findall(r"^sdk_version: (\S+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    [checked] = re.findall(r"Gradio ([\d.]+[\d])", gradio_patches.__doc__)
    assert gr.__version__ in allowed and space in allowed and checked in allowed
    major, minor, *_ = map(int, checked.split("."))
    assert f"{major}.{minor + 1}.0" not in allowed


BODIES = [
    ("call/v2/echo", b'{"surplus": 1}'),
    ("call/echo", b'{"data": NaN}'),
    ("call/v2/nothing", b"{}"),
    ("call/nothing", b'{"data": []}'),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_a_body_that_gradio_cannot_read_is_refused_with_a_sentence(path, body, patched, plain):
    def answer(page: SimpleNamespace) -> httpx.Response:
        address = f"{page.demo.local_url}gradio_api/{path}"
        return httpx.post(address, content=body, headers={"Content-Type": "application/json"})

    assert answer(patched).status_code == 422 and answer(patched).json()["detail"].endswith(".")
    assert answer(plain).status_code == 500


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, UserError])
def test_an_error_of_the_server_is_logged_and_not_called_one_of_the_body(error, patched, monkeypatch, caplog):
    def fail(**values) -> None:
        raise error("own fault")

    monkeypatch.setattr(patched.demo._queue, "push", fail)
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])
    answer = httpx.post(patched.address, json={"data": [1]})
    assert answer.status_code == 500 and "files" not in answer.text and "own fault" not in answer.text
    end = time.monotonic() + 10
    while "own fault" not in caplog.text and time.monotonic() < end:
        time.sleep(0.02)  # the server logs it after it has answered
    assert "own fault" in caplog.text


def test_an_idle_queue_polls_less(patched, plain, monkeypatch):
    def count_polls(page: SimpleNamespace) -> int:
        """How often the queue polls in a second: it reads its sleeping time each time."""
        queue, polls = page.demo._queue, []
        value = queue.sleep_when_free
        counted = property(lambda self: (self is queue and polls.append(0)) or value, lambda self, value: None)
        monkeypatch.setattr(Queue, "sleep_when_free", counted, raising=False)
        time.sleep(1)
        monkeypatch.undo()
        return len(polls)

    assert POLLS / 5 < count_polls(patched) <= POLLS < count_polls(plain)


def test_an_empty_session_is_answered(patched, plain):
    assert "event: complete" in patched.call(1, session_hash="")
    assert plain.call(1, session_hash="") == "status: 500"


@pytest.mark.parametrize("blocks", [PatchedBlocks, gr.Blocks])
def test_a_waiting_call_whose_session_is_gone_does_not_end_the_queue(blocks):
    go_on = threading.Event()
    with served(blocks, lambda value: go_on.wait(60)) as page:
        queue = page.demo._queue
        for session in ("first", "second", "gone"):
            httpx.post(page.address, json={"data": [1], "session_hash": session})
        del queue.pending_messages_per_session["gone"]
        go_on.set()
        wait_until(lambda: queue.stopped or not queue.event_ids_to_events)
        assert queue.stopped == (blocks is gr.Blocks)
        assert blocks is gr.Blocks or "event: complete" in page.call(1)


@contextlib.contextmanager
def counting(blocks: type[gr.Blocks], seconds: float) -> Iterator[tuple[SimpleNamespace, threading.Event]]:
    """A server whose endpoint counts for some seconds, and an event that is set when a call ends, for any reason."""
    ended = threading.Event()

    def count(value: float) -> Iterator[float]:
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                time.sleep(0.02)
                yield value
        finally:
            ended.set()

    with served(blocks, count) as page:
        yield page, ended


@pytest.mark.parametrize("blocks", [PatchedBlocks, gr.Blocks])
def test_a_call_that_nobody_listens_to_is_ended(blocks, monkeypatch):
    monkeypatch.setattr(gradio_patches, "PATIENCE", 0.3)
    with counting(blocks, seconds=6) as (page, ended):
        event = httpx.post(page.address, json={"data": [1]}).json()["event_id"]
        assert ended.wait(3) == (blocks is PatchedBlocks)
        if blocks is PatchedBlocks:
            assert "Nobody has read the progress" in httpx.get(f"{page.address}/{event}", timeout=60).text


def test_a_call_that_somebody_listens_to_is_not_ended(monkeypatch):
    monkeypatch.setattr(gradio_patches, "PATIENCE", 0.3)
    with counting(PatchedBlocks, seconds=1.5) as (page, _):
        assert "event: complete" in page.call(1)


@pytest.mark.parametrize("values", [[], [1, 2]])
def test_a_wrong_number_of_values_is_refused(values, patched, plain):
    assert f"'echo' takes 1 values, not {len(values)}" in patched.call(*values)
    assert "takes 1 values" not in plain.call(*values)


@pytest.mark.parametrize(("value", "message"), [("wild", "cannot be read"), (9, "greater than maximum value 5")])
def test_a_value_that_a_component_refuses_is_a_sentence_without_a_trace(value, message, patched, plain, capfd):
    assert message in patched.call(value)
    assert "Traceback" not in "".join(capfd.readouterr())
    plain.call(value)
    assert "Traceback" in "".join(capfd.readouterr())


@pytest.mark.parametrize("blocks", [PatchedBlocks, gr.Blocks])
def test_a_full_disk_is_a_sentence(blocks):
    with served(blocks, full_disk) as page:
        assert ("server's disk is full" in page.call(1)) == (blocks is PatchedBlocks)


def test_a_generated_session_is_dropped(patched, plain):
    for page, kept in ((patched, 0), (plain, 1)):
        states = page.demo.state_holder
        before = len(states.session_data)
        assert "event: complete" in page.call(1)
        assert len(states.session_data) == before + kept == len(states.time_last_used)


def test_a_named_session_is_kept(patched):
    assert "event: complete" in patched.call(1, session_hash="named")
    assert "named" in patched.demo.state_holder.session_data


def test_gradio_lists_its_files_and_those_to_keep(files):
    assert "event: complete" in files.call(1)
    [made] = set().union(*files.demo.temp_file_sets)
    [block] = [each for each in files.demo.blocks.values() if isinstance(each, gr.File)]
    block.keep_in_cache.add(made)
    limit_files(files.demo, 0)
    assert Path(made).exists()
    block.keep_in_cache.discard(made)
    limit_files(files.demo, 0)
    assert not Path(made).exists() and not set().union(*files.demo.temp_file_sets)


def test_files_are_limited_at_a_call(files, monkeypatch):
    monkeypatch.setattr(limit_files, "__defaults__", (0,))
    monkeypatch.setattr(files.demo, "checked", 0.0)
    assert "event: complete" in files.call(1)
    assert not set().union(*files.demo.temp_file_sets)


def test_the_oldest_files_are_deleted(tmp_path):
    paths = [tmp_path / str(number) for number in range(4)]
    for age, path in enumerate(reversed(paths)):
        path.write_bytes(bytes(100))
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    blocks = gr.Blocks()
    made = {str(path) for path in paths[::2]}
    blocks.temp_file_sets.append(made)
    blocks.upload_file_set.update(map(str, paths[1::2]))
    limit_files(blocks, 250)
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert made == {str(paths[2])} and blocks.upload_file_set == {str(paths[3])}


def test_gradio_uses_the_parameter_names_that_the_patches_rely_on():
    parameters = inspect.signature(gr.Blocks.process_api).parameters
    assert {"session_hash", "event_id"} <= parameters.keys()
    assert [*inspect.signature(gr.Blocks.preprocess_data).parameters][:3] == ["self", "block_fn", "inputs"]
    assert [*inspect.signature(Queue.push).parameters][:2] == ["self", "body"]
    assert [*inspect.signature(Queue.send_message).parameters] == ["self", "event", "event_message"]
    assert "max_size" in inspect.signature(gr.Blocks.queue).parameters


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
