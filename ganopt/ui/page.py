"""The page as a server that runs for weeks: it refuses in a sentence, forgets who is gone, and keeps its disk small."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.blocks import BlockFunction
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event
from gradio.route_utils import FnIndexInferError

from ganopt.ui.common import ERROR

MOST_BYTES = 4_000_000_000  # of files that were made for visitors, or uploaded by them
PAUSE = 60  # seconds from one look at them to the next
MOST_WAITING = 1000  # calls; the next one is told that the queue is full
LOOKS = 50  # a second, of the queue at whether anybody asks for something
FULL = "The disk of this page is full; try again when there is room on it."
UNREADABLE = (
    "What was sent cannot be read here; files must be uploaded first, and /gradio_api/info lists what is taken."
)


def refuse(request: Request, error: Exception) -> JSONResponse:
    """The answer to a body that Gradio stumbles over before it is anybody's turn."""
    if request.method != "POST":
        raise error
    return JSONResponse({"detail": UNREADABLE}, 422)


REFUSALS = dict.fromkeys((RequestValidationError, LookupError, TypeError, ValueError, FnIndexInferError), refuse)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    while error:
        yield error
        error = error.__cause__


class Page(gr.Blocks):
    """Gradio's blocks. Those alone print a trace for what they cannot read, and answer with nothing; they remember each
    caller, with 0.4 MB, for good; they keep files for a time, however many. Where nobody asks for anything, they look
    at their queue a thousand times a second, which takes up to a tenth of a core; and it ends for good at a message for
    a session that is gone, or whose name is empty.
    """

    trimmed = 0.0  # when files were last looked at

    def queue(self, *arguments: Any, **named: Any) -> "Page":
        super().queue(*arguments, **{"max_size": MOST_WAITING} | named)
        queue, push, send = self._queue, self._queue.push, self._queue.send_message
        queue.sleep_when_free = queue.progress_update_sleep_when_free = 1 / LOOKS

        async def push_named(body: PredictBodyInternal, *rest: Any, **more: Any) -> Any:
            body.session_hash = body.session_hash or None  # which Gradio gives a name
            return await push(body, *rest, **more)

        def send_if_there(event: Event, event_message: Any) -> None:
            if event.session_hash in queue.pending_messages_per_session:
                send(event, event_message)

        queue.push, queue.send_message = push_named, send_if_there  # type: ignore[method-assign]
        return self

    async def preprocess_data(self, block_fn: BlockFunction, inputs: list, *rest: Any, **named: Any) -> list:
        taken = len(block_fn.inputs)
        try:
            if block_fn.api_visibility == "public" and len(inputs) != taken:
                raise gr.Error(f"'{block_fn.api_name}' takes {taken} values, not {len(inputs)}; see /gradio_api/info.")
            return await super().preprocess_data(block_fn, inputs, *rest, **named)
        except Exception as error:  # whatever a value made of it
            said = error.message if isinstance(error, gr.Error) else UNREADABLE
            raise gr.Error(said, title=ERROR, print_exception=False) from error

    async def process_api(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return await super().process_api(*arguments, **named)
        except Exception as error:
            if errno.ENOSPC in (getattr(each, "errno", None) for each in _causes(error)):
                raise gr.Error(FULL, title=ERROR, print_exception=False) from error
            raise
        finally:
            session = named.get("session_hash")
            if session and session == named.get("event_id"):  # made for this call alone
                self.state_holder.session_data.pop(session, None)
                self.state_holder.time_last_used.pop(session, None)
            if time.monotonic() - self.trimmed > PAUSE:
                self.trimmed = time.monotonic()
                await anyio.to_thread.run_sync(self.make_room)

    def make_room(self, most: int = MOST_BYTES) -> None:
        """Delete the oldest files that were made for visitors, or uploaded, until the others take `most` bytes."""
        kept = set().union(*(block.keep_in_cache for block in self.blocks.values()))
        found = []
        for files in self.temp_file_sets:
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
