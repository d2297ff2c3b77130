"""The web page, with one builder per tab. Computations are in the other packages."""

import atexit
import contextlib
import functools
import html
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import gradio as gr
import gradio.routes

from ganopt import __version__, environment
from ganopt.errors import UserError
from ganopt.files import runs_folder
from ganopt.models.devices import pick_device
from ganopt.runs import manager
from ganopt.subprocesses import end_all
from ganopt.temporary import temporary_folder
from ganopt.ui import access, live, private_link
from ganopt.ui.about import build_about
from ganopt.ui.address import COPY, build_address
from ganopt.ui.common import Scratch
from ganopt.ui.compare import build_compare
from ganopt.ui.fid import build_fid
from ganopt.ui.generate import build_generate
from ganopt.ui.gradio_patches import REFUSALS, PatchedBlocks
from ganopt.ui.lab import build_lab
from ganopt.ui.theme import STYLES, THEME
from ganopt.ui.train import build_train

TITLE = "ganopt"
TABS = {
    "Generate": build_generate,
    "Live": live.build_live,
    "Compare": build_compare,
    "Train": build_train,
    "FID": build_fid,
    "Lab": build_lab,
    "About": build_about,
}
MAX_UPLOAD = "1gb"
MAX_SESSIONS = 300  # kept in memory, 0.4 MB each; the least recently used ones are dropped
HEADER = """# ganopt
Compact GANs for animal faces. Every face is drawn from a seed; a seed gives the same face on every machine.
"""


def build_app(device: str = "auto") -> PatchedBlocks:
    """Build the page without launching it. Raises UserError if the device does not exist or a setting is wrong."""
    if environment.has_several_processes():
        raise UserError("The page is for one process; start it without torchrun.")
    environment.check()
    manager.remove_unstarted(runs_folder())
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # each call sums over that many
    if not os.environ.get("GRADIO_TEMP_DIR"):  # for the uploads of visitors, among others
        os.environ["GRADIO_TEMP_DIR"] = str(_temporary() / "gradio")
    environment.check_writable("GRADIO_TEMP_DIR")
    gradio.routes.DEFAULT_TEMP_DIR = os.environ["GRADIO_TEMP_DIR"]  # the one that it imports may be another user's
    scratch = Path(tempfile.mkdtemp(dir=_temporary()))
    with PatchedBlocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 24 * 3600)) as demo:
        with gr.Row(elem_id="top"):
            gr.Markdown(HEADER, elem_id="header")
            copy = gr.Button("Copy link", size="sm", min_width=100, elem_id="copy-link")
            copy.click(None, None, copy, js=COPY, api_visibility="private")
        tabs = gr.Tabs()
        address = build_address(demo, tabs)
        with tabs:
            for name, build in TABS.items():
                with gr.Tab(name, id=name.lower()) as tab:
                    try:
                        build(address, tab, pick_device(device), Scratch(scratch / name))
                    except UserError as error:  # for example, there are no models
                        print(error, file=sys.stderr)
                        gr.HTML(f"<p>{html.escape(access.without_folders(str(error)))}</p>", elem_id="error")
        gr.Markdown(f"ganopt {__version__}", elem_id="footer")
    return demo


@functools.cache
def _temporary() -> Path:
    """The folder of all temporary files of this process's pages, removed at its end."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(temporary_folder())


def _end(number: int, frame: FrameType | None) -> None:
    """End the program after a signal as after Ctrl+C, so that it cleans up, undisturbed by further ones."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


@contextlib.contextmanager
def _no_proxy() -> Iterator[None]:
    """Let no request go through a proxy: Gradio asks the page that it launches whether it answers."""
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        os.environ.pop("no_proxy")
        if before is not None:
            os.environ["no_proxy"] = before


def launch(demo: PatchedBlocks, **settings: Any) -> None:
    """Serve the page on 127.0.0.1:7860, or on GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, until it is closed.

    Prints a link that makes a browser private, unless GANOPT_PRIVATE decides who is. `settings` are those of Gradio.
    """
    block = not settings.pop("prevent_thread_lock", False)
    if environment.is_private() is None:
        demo.token = secrets.token_urlsafe(32)
    with _no_proxy():
        demo.launch(
            theme=THEME,
            css_paths=STYLES,
            ssr_mode=False,
            footer_links=[],
            show_error=False,
            max_file_size=MAX_UPLOAD,
            state_session_capacity=MAX_SESSIONS,
            app_kwargs={"exception_handlers": REFUSALS, "routes": [private_link.ROUTE, live.ROUTE]},
            prevent_thread_lock=True,
            _frontend=False,  # or Gradio would give up if the page did not answer it within 3 s, on a busy machine
            **settings,
        )
    if demo.token:
        print(f"* Private link, for yourself: {demo.local_url}{private_link.PATH}#{demo.token}", flush=True)
    if block:
        signal.signal(signal.SIGTERM, _end)
        try:
            demo.block_thread()
        finally:
            end_all()
            demo.close(verbose=False)
