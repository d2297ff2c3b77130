"""Patches of Gradio's internals, for a page that anybody may call and that runs for weeks.

Gradio has no setting for these things. Each patch says what happens without it, as measured with Gradio 6.31.0.
tests/ui/test_gradio_patches.py fails when Gradio changes what a patch relies on, and when it no longer has the fault,
so that the patch can go.
"""

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.blocks import BlockFunction
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event, Queue
from gradio.route_utils import FnIndexInferError
from gradio.state_holder import StateHolder

from ganopt.ui.common import ERROR

POLLS = 50  # a second, of the idle queue
MOST_WAITING = 1000  # calls; the next one is told that the queue is full
MOST_BYTES = 4_000_000_000  # of files that were made for visitors, or uploaded by them
PAUSE = 60  # seconds from one look at these files to the next
FULL = "The disk of this page is full; try again when there is room on it."
UNREADABLE = (
    "What was sent cannot be read here; files must be uploaded first, and /gradio_api/info lists what is taken."
)


def refuse_body(request: Request, error: Exception) -> JSONResponse:
    """Answer with a sentence to a body that Gradio cannot read.

    Without it: status 500 without a reason, and a trace of 60 lines in the log, for an unknown function, a parameter
    that does not exist, or NaN.
    """
    if request.method != "POST":
        raise error
    return JSONResponse({"detail": UNREADABLE}, 422)


REFUSALS = dict.fromkeys((RequestValidationError, LookupError, TypeError, ValueError, FnIndexInferError), refuse_body)


def poll_less(queue: Queue) -> None:
    """Let an idle queue look for calls `POLLS` times a second.

    Without it: 1000 times, and 3.7% of a core instead of 1.2%. For it, a call waits up to 20 ms.
    """
    queue.sleep_when_free = 1 / POLLS


def name_sessions(queue: Queue) -> None:
    """Treat an empty session name as none, for which Gradio makes one up.

    Without it: status 500, as the messages are put under "" and sought under the name that was made up; the call still
    runs, for nobody.
    """
    push = queue.push

    async def push_named(body: PredictBodyInternal, *rest: Any, **named: Any) -> Any:
        body.session_hash = body.session_hash or None
        return await push(body, *rest, **named)

    queue.push = push_named  # type: ignore[method-assign]


def drop_messages_to_nobody(queue: Queue) -> None:
    """Drop messages to a session that is gone.

    Without it: one waiting call of such a session ends the queue for good, so that no call of anybody is answered until
    the page is started again.
    """
    send = queue.send_message

    def send_to_somebody(event: Event, event_message: Any) -> None:
        if event.session_hash in queue.pending_messages_per_session:
            send(event, event_message)

    queue.send_message = send_to_somebody  # type: ignore[method-assign]


def check_count(block_fn: BlockFunction, values: list) -> None:
    """Refuse a call of a public function with more or fewer values than it takes.

    Without it: surplus values are ignored, and missing ones are answered with the error null.
    """
    taken = len(block_fn.inputs)
    if block_fn.api_visibility == "public" and len(values) != taken:
        message = f"'{block_fn.api_name}' takes {taken} values, not {len(values)}; see /gradio_api/info."
        raise gr.Error(message, title=ERROR, print_exception=False)


def readable(error: Exception) -> gr.Error:
    """What to raise for a value that a component cannot read.

    Without it: the answer is the error null or, where the component says what is wrong, comes with a trace in the log.
    """
    message = error.message if isinstance(error, gr.Error) else UNREADABLE
    return gr.Error(message, title=ERROR, print_exception=False)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, says that there is no room on the disk.

    Gradio copies what a function returns after the function has returned, so no handler can catch that. Without it: the
    answer is the error null.
    """
    while error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            return True
        error = error.__cause__
    return False


def forget_caller(states: StateHolder, session: str | None, call: str | None) -> None:
    """Forget the state of a session that Gradio made up for one call, under the call's name.

    Without it: each call from a program takes 0.4 MB of this page's memory, until the capacity for sessions is reached.
    """
    if session and session == call:
        states.session_data.pop(session, None)
        states.time_last_used.pop(session, None)


def make_room(blocks: gr.Blocks, most: int = MOST_BYTES) -> None:
    """Delete the oldest files that were made for visitors, or uploaded, until the others take `most` bytes.

    Without it: Gradio deletes files by their age alone, so one visitor can fill the disk in an hour.
    """
    kept = set().union(*(block.keep_in_cache for block in blocks.blocks.values()))
    found = []
    for files in blocks.temp_file_sets:
        for name in files - kept:  # a copy: others add to it meanwhile
            with contextlib.suppress(FileNotFoundError):
                state = os.stat(name)
                found.append((state.st_mtime, state.st_size, name, files))
    total = sum(size for _, size, _, _ in found)
    for _, size, name, files in sorted(found, key=lambda each: each[0]):
        if total <= most:
            return
        Path(name).unlink(missing_ok=True)
        files.discard(name)
        total -= size


class PatchedBlocks(gr.Blocks):
    """Gradio's blocks with the patches above; `REFUSALS` go to `launch`, as app_kwargs' exception_handlers."""

    looked = 0.0  # when files were last looked at

    def queue(self, *arguments: Any, **named: Any) -> "PatchedBlocks":
        # with its limit now, as `Blocks` calls this itself, and to call it again takes 0.35 s of the page's start
        super().queue(*arguments, **{"max_size": MOST_WAITING} | named)
        for patch in (poll_less, name_sessions, drop_messages_to_nobody):
            patch(self._queue)
        return self

    async def preprocess_data(self, block_fn: BlockFunction, inputs: list, *rest: Any, **named: Any) -> list:
        check_count(block_fn, inputs)
        try:
            return await super().preprocess_data(block_fn, inputs, *rest, **named)
        except Exception as error:  # whatever a value made of it
            raise readable(error) from error

    async def process_api(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return await super().process_api(*arguments, **named)
        except Exception as error:
            if is_disk_full(error):
                raise gr.Error(FULL, title=ERROR, print_exception=False) from error
            raise
        finally:
            forget_caller(self.state_holder, named.get("session_hash"), named.get("event_id"))
            if time.monotonic() - self.looked > PAUSE:
                self.looked = time.monotonic()
                await anyio.to_thread.run_sync(make_room, self)
