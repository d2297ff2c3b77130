"""The page: one builder a tab. Nothing here computes."""

import os
import tempfile
from pathlib import Path

import gradio as gr

from ganopt import __version__
from ganopt.errors import UserError
from ganopt.models.devices import pick_device
from ganopt.ui.about import build_about
from ganopt.ui.common import Scratch
from ganopt.ui.compare import build_compare
from ganopt.ui.fid import build_fid
from ganopt.ui.generate import build_generate
from ganopt.ui.gradio_patches import REFUSALS, PatchedBlocks
from ganopt.ui.theme import STYLES, THEME
from ganopt.ui.train import build_train

TITLE = "ganopt"
TABS = {
    "Generate": build_generate,
    "Compare": build_compare,
    "Train": build_train,
    "FID": build_fid,
    "About": build_about,
}
MOST_UPLOAD = "1gb"
MOST_SESSIONS = 300  # whose state is kept, 0.4 MB each; those that were idle longest are forgotten
HEADER = """# ganopt
Animal faces drawn by GANs that were made cheaper. Every face comes from a seed: the same seed is the same face on
every machine.
"""


def build_app(device: str = "auto") -> gr.Blocks:
    """The whole page, not yet launched. Raises UserError for a device that is not there."""
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # at each call, Gradio sums up as many
    scratch = tempfile.TemporaryDirectory(prefix="ganopt-")
    with PatchedBlocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 24 * 3600)) as demo:
        gr.Markdown(HEADER, elem_id="header")
        with gr.Tabs():
            for name, build in TABS.items():
                with gr.Tab(name, id=name.lower()) as tab:
                    try:
                        build(demo, tab, pick_device(device), Scratch(Path(scratch.name, name)))
                    except UserError as error:  # no model to draw with: the page says so
                        gr.Markdown(str(error), elem_id="error")
        gr.Markdown(f"ganopt {__version__}", elem_id="footer")
    demo.scratch = scratch  # lives, and is removed, with the page
    return demo


def launch(demo: gr.Blocks) -> None:
    """Serve the page on 127.0.0.1:7860, or where GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say."""
    demo.launch(
        theme=THEME,
        css_paths=STYLES,
        ssr_mode=False,
        footer_links=[],
        show_error=False,
        max_file_size=MOST_UPLOAD,
        state_session_capacity=MOST_SESSIONS,
        app_kwargs={"exception_handlers": REFUSALS},
    )
