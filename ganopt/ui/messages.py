"""Sentences for the visitor, beside the control that they are about. Text from outside is never markup."""

import functools
import html
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from ganopt.errors import UserError
from ganopt.ui import access
from ganopt.ui.common import Event


def sentence_place(name: str = "") -> gr.HTML:
    """An empty place for the sentences about the control above it; `name` is the element id."""
    return gr.HTML(elem_id=name or None, elem_classes=["bare", "sentence"], padding=False)


def answer(
    event: Any,
    handler: Callable[..., Any],
    inputs: Any,
    outputs: Sequence[Any],
    problem: gr.HTML,
    mode: str | None = None,
    idle: Mapping[Any, Any] = MappingProxyType({}),
    **settings: Any,
) -> Event:
    """Call a handler after an event, or any of a list of events, with `problem` as the place for its UserErrors.

    `mode` is Gradio's trigger mode. The call is no endpoint; see `beside` for the outputs and `idle`.
    """
    settings = {"api_visibility": "private", "trigger_mode": mode} | settings
    listen = functools.partial(gr.on, event) if isinstance(event, list) else event
    return listen(beside(handler, outputs, idle), inputs, [*outputs, problem], **settings)


def beside(
    handler: Callable[..., Any], outputs: Sequence[Any], idle: Mapping[Any, Any] = MappingProxyType({})
) -> Callable[..., Any]:
    """A handler, also a generator function, for `outputs` and one more, a `sentence_place`, for its UserErrors.

    The outputs keep their last good values, but those that have told some progress get their values in `idle`. The
    sentence stays until the next try.
    """

    def with_sentence(values: Any, sentence: str) -> Any:
        return (*values, sentence) if outputs else sentence

    def added(values: Any) -> Any:
        return with_sentence(values if isinstance(values, (tuple, list)) and len(outputs) > 1 else (values,), "")

    def failed(error: Exception, has_begun: bool = False) -> Any:
        text = error.message if isinstance(error, gr.Error) else str(error)
        reset = idle if has_begun else {}
        return with_sentence((reset.get(output, gr.skip()) for output in outputs), alert(text))

    @functools.wraps(handler)
    def call(*arguments: Any, **keywords: Any) -> Any:
        try:
            return added(handler(*arguments, **keywords))
        except (UserError, gr.Error) as error:
            return failed(error)

    @functools.wraps(handler)
    def iterate(*arguments: Any, **keywords: Any) -> Iterator:
        has_begun = False
        try:
            for values in handler(*arguments, **keywords):
                has_begun = True
                yield added(values)
        except (UserError, gr.Error) as error:
            yield failed(error, has_begun)

    return iterate if inspect.isgeneratorfunction(handler) else call


def alert(text: str) -> str:
    """A sentence as HTML that a screen reader reads at once, as the sender of the current request may see it."""
    request = _request_of_call()
    text = access.visible(text, request) if request else access.without_folders(text)
    return f'<p role="alert">{html.escape(text)}</p>'


def session_of_call() -> str | None:
    """The session of the current call; None outside of a call."""
    request = _request_of_call()
    return request.session_hash if request else None


def _request_of_call() -> gr.Request | None:
    request = LocalContext.request.get(None)
    return request if isinstance(request, gr.Request) else None
