"""Patches of Gradio's internals for problems that no setting of Gradio solves, on a public page that runs for weeks.

Each docstring says what happens without the patch, as measured with Gradio 6.31.0. tests/ui/test_gradio_patches.py
fails when Gradio changes the code that a patch relies on, or no longer needs the patch.
"""

import contextlib
import errno
import html
import os
import time
import traceback
import weakref
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
from gradio.server_messages import LogMessage, ProcessCompletedMessage, ProcessGeneratingMessage
from gradio.state_holder import StateHolder

from ganopt.ui import access
from ganopt.ui.common import ERROR

POLLS = 50  # per second, by the idle queue
MAX_WAITING = 1000  # calls; further ones get the error that the queue is full
MAX_BYTES = 4_000_000_000  # of files made for visitors or uploaded by them
PAUSE = 60  # seconds between checks of these files
PATIENCE = 60  # seconds for which a running call goes on without anybody who reads its progress
UNHEARD = f"Nobody has read the progress of this call for {PATIENCE} s, so it was ended; read it from the start."
DISK_FULL = "The server's disk is full; try again later."
READERS = ("_", "get_fn", "construct_args")  # Gradio's functions that read a body
UNREADABLE = (
    "The request cannot be read; files must be uploaded first, and /gradio_api/info lists the endpoints and parameters."
)


def refuse_body(request: Request, error: Exception) -> JSONResponse:
    """Answer a request body that Gradio cannot read with an error message.

    Without it, an unknown function, an unknown parameter or NaN gives status 500 without a reason, and a stack trace of
    60 lines in the log.
    """
    reader = traceback.extract_tb(error.__traceback__)[-1]
    of_body = isinstance(error, (RequestValidationError, FnIndexInferError)) or reader.name in READERS
    if request.method != "POST" or not of_body:  # a fault of this program, which the server logs
        raise error
    return JSONResponse({"detail": UNREADABLE}, 422)


REFUSALS = dict.fromkeys((RequestValidationError, LookupError, TypeError, ValueError, FnIndexInferError), refuse_body)


def poll_less(queue: Queue) -> None:
    """Let an idle queue poll for calls only `POLLS` times a second.

    Without it, the queue polls 1000 times a second and takes 3.7% of a core instead of 1.2%. With it, a call waits
    up to 20 ms.
    """
    queue.sleep_when_free = 1 / POLLS


def name_sessions(queue: Queue) -> None:
    """Treat an empty session name as a missing one, for which Gradio generates a name.

    Without it, the answer is status 500, because messages are stored under "" but looked up under the generated name.
    The call still runs, but nobody gets its result.
    """
    push = queue.push

    async def push_named(body: PredictBodyInternal, *rest: Any, **named: Any) -> Any:
        body.session_hash = body.session_hash or None
        return await push(body, *rest, **named)

    queue.push = push_named  # type: ignore[method-assign]


def drop_orphaned_messages(queue: Queue) -> None:
    """Drop messages to sessions that no longer exist.

    Without it, a single waiting call of such a session stops the queue: no call is answered until the page is
    restarted.
    """
    send = queue.send_message

    def send_to_session(event: Event, event_message: Any) -> None:
        if event.session_hash in queue.pending_messages_per_session:
            send(event, event_message)

    queue.send_message = send_to_session  # type: ignore[method-assign]


def message_for(text: str, request: gr.Request, block_fn: BlockFunction) -> str:
    """A message as the page or a program may show it to the sender of a request.

    Without it, visitors see the server's folders, and markup in a message, such as an <img> from the link that somebody
    follows, becomes a part of the page.
    """
    text = access.visible(text, request)
    return text if block_fn.api_visibility == "public" else html.escape(text, quote=False)


def clean_warnings(queue: Queue) -> None:
    """Send warnings and information as `message_for` returns them."""
    send = queue.send_message

    def send_clean(event: Event, event_message: Any) -> None:
        if isinstance(event_message, LogMessage):
            event_message.log = message_for(event_message.log, gr.Request(event.request), event.fn)
        send(event, event_message)

    queue.send_message = send_clean  # type: ignore[method-assign]


def end_unheard(queue: Queue) -> None:
    """End a running call that streams its progress if nobody has read any of it for `PATIENCE` seconds.

    Without it, a call whose answer is never fetched runs to its end, and others wait for it.
    """
    send, heard = queue.send_message, weakref.WeakKeyDictionary[Event, float]()

    def send_if_heard(event: Event, event_message: Any) -> None:
        messages = queue.pending_messages_per_session.get(event.session_hash)
        if isinstance(event_message, ProcessGeneratingMessage) and messages is not None:
            if messages.empty():  # all earlier ones have been read
                heard[event] = time.monotonic()
            elif time.monotonic() > heard.setdefault(event, time.monotonic()) + PATIENCE:
                error = {"error": UNHEARD, "title": ERROR}
                send(event, ProcessCompletedMessage(output=error, title=ERROR, success=False))
                event.alive = False
        send(event, event_message)

    queue.send_message = send_if_heard  # type: ignore[method-assign]


def check_count(block_fn: BlockFunction, values: list) -> None:
    """Refuse a call of an endpoint with the wrong number of values.

    Without it, surplus values are ignored, and missing values give the error null.
    """
    expected = len(block_fn.inputs)
    if block_fn.api_visibility == "public" and len(values) != expected:
        message = f"'{block_fn.api_name}' takes {expected} values, not {len(values)}; see /gradio_api/info."
        raise gr.Error(message, title=ERROR, print_exception=False)


def value_error(error: Exception) -> gr.Error:
    """The error to raise for a value that a component cannot read.

    Without it, the answer is the error null, or a message of the component together with a stack trace in the log.
    """
    message = error.message if isinstance(error, gr.Error) else UNREADABLE
    return gr.Error(message, title=ERROR, print_exception=False)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error or one of its causes is a full disk.

    Gradio copies the files that a function returns after the function has ended, where no handler can catch the error.
    Without this check, the answer is the error null.
    """
    while error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            return True
        error = error.__cause__
    return False


def drop_generated_session(states: StateHolder, session: str | None, call: str | None) -> None:
    """Drop the state of a session that Gradio generated for a single call, named after the call.

    Without it, each call from a program takes 0.4 MB of memory until the limit on sessions is reached.
    """
    if session and session == call:
        states.session_data.pop(session, None)
        states.time_last_used.pop(session, None)


def limit_files(blocks: gr.Blocks, most: int = MAX_BYTES) -> None:
    """Delete the oldest files that were made for visitors or uploaded, until the rest take at most `most` bytes.

    Without it, Gradio only deletes files by age, so a single visitor can fill the disk within an hour.
    """
    kept = set().union(*(block.keep_in_cache for block in blocks.blocks.values()))
    found = []
    for files in blocks.temp_file_sets:
        for name in files - kept:  # a copy, as other threads add files
            with contextlib.suppress(FileNotFoundError):
                stat = os.stat(name)
                found.append((stat.st_mtime, stat.st_size, name, files))
    total = sum(size for _, size, _, _ in found)
    for _, size, name, files in sorted(found, key=lambda each: each[0]):
        if total <= most:
            return
        Path(name).unlink(missing_ok=True)
        files.discard(name)
        total -= size


class PatchedBlocks(gr.Blocks):
    """gr.Blocks with these patches. `launch` also needs app_kwargs={"exception_handlers": REFUSALS}."""

    checked = 0.0  # time of the last check of the files
    token = ""  # makes a request private, see `access.has_token`

    def queue(self, *arguments: Any, **named: Any) -> "PatchedBlocks":
        # `Blocks` calls this itself; a second call to set the limit would slow the start by 0.35 s
        super().queue(*arguments, **{"max_size": MAX_WAITING} | named)
        for patch in (poll_less, name_sessions, end_unheard, drop_orphaned_messages, clean_warnings):
            patch(self._queue)
        return self

    async def preprocess_data(self, block_fn: BlockFunction, inputs: list, *rest: Any, **named: Any) -> list:
        check_count(block_fn, inputs)
        try:
            return await super().preprocess_data(block_fn, inputs, *rest, **named)
        except Exception as error:  # an invalid value may cause any exception
            raise value_error(error) from error

    async def process_api(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return await super().process_api(*arguments, **named)
        except Exception as error:
            if is_disk_full(error):
                raise gr.Error(DISK_FULL, title=ERROR, print_exception=False) from error
            if isinstance(error, gr.Error):
                error.message = message_for(error.message, named["request"], named["block_fn"])
            raise
        finally:
            drop_generated_session(self.state_holder, named.get("session_hash"), named.get("event_id"))
            if time.monotonic() - self.checked > PAUSE:
                self.checked = time.monotonic()
                await anyio.to_thread.run_sync(limit_files, self)
