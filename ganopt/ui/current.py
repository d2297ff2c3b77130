"""Answers to what is chosen now: a slow one that arrives after another choice is not shown."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ganopt.ui.common import Event
from ganopt.ui.messages import beside

SETTINGS: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}


def show_current(
    triggers: Any,
    handler: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    problem: gr.HTML,
    **settings: Any,
) -> Event:
    """Call a handler after some events, the last of those during a call too, and show what it answers.

    An answer for inputs that have changed meanwhile is dropped. UserErrors are shown as by `beside`, in `problem`.
    """
    targets = [*outputs, problem]
    answer = gr.State(((), ()))  # the inputs and the values for the targets

    @functools.wraps(handler)
    def call(*values: Any) -> tuple:
        return values[: len(inputs)], beside(handler, outputs)(*values)

    def show(answer: tuple, *now: Any) -> tuple:
        asked, values = answer
        return values if asked == now else (gr.skip(),) * len(targets)

    show.__name__ = f"show_{handler.__name__.lstrip('_')}"  # Gradio's name of the second step
    answered = gr.on(triggers, call, [*inputs], answer, show_progress_on=[*outputs], **SETTINGS | settings)
    return answered.success(show, [answer, *inputs], targets, queue=False, show_progress="hidden", **SETTINGS)


class Turns:
    """The task of each session whose answers its page shows; another one, or another choice, takes its place."""

    def __init__(self) -> None:
        self._tasks: dict[str | None, object] = {}

    @contextmanager
    def take(self, session: str | None) -> Iterator[Callable[[], bool]]:
        """Make the block the task of a session; yields a function that tells whether it still is."""
        task = self._tasks[session] = object()
        try:
            yield lambda: self._tasks.get(session) is task
        finally:
            if self._tasks.get(session) is task:
                self.end(session)

    def end(self, session: str | None) -> None:
        """Show no more answers of the task of a session, if there is one."""
        self._tasks.pop(session, None)
