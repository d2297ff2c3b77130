"""An experiment of the Lab on the page: its outputs, and a run of it within the limits of the page."""

import contextlib
import html
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from ganopt.lab import export
from ganopt.lab.contract import Config, Experiment, Frame
from ganopt.lab.release import table
from ganopt.thesis.table_text import Table
from ganopt.ui.common import Scratch
from ganopt.ui.figures import html_table, picture_files, plots
from ganopt.viz import charts

PUBLIC_SECONDS = 60  # of a run on a public page
PAUSE = 0.25  # seconds between frames on the page, and between looks at whether the visitor is still there
LIMIT = f"the limit of this public page is {PUBLIC_SECONDS} s; run ganopt on your own machine for longer runs"
LATEX: Any = [{"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}]


def build_outputs() -> list[Component]:
    """The outputs in the order of `show`."""
    status = gr.HTML(elem_id="lab-status", elem_classes="bare")
    pictures = gr.HTML(elem_id="lab-pictures", elem_classes="bare")
    figures = gr.HTML(elem_id="lab-figures", elem_classes="bare")
    curves = gr.HTML(elem_id="lab-curves", elem_classes="bare")
    with gr.Row():
        picture = gr.DownloadButton("Picture (PNG)", visible=False, size="sm", elem_id="lab-png")
        table = gr.DownloadButton("Curves (CSV)", visible=False, size="sm", elem_id="lab-csv")
    return [status, pictures, figures, curves, picture, table]


def words(experiment: Experiment) -> str:
    """Formula, what to look for, a table that was measured before, and sources, as Markdown."""
    sources = "\n".join(f"* {source}" for source in experiment.sources)
    notes = "".join(f"\n\n{text}" for text in (experiment.notes, table(experiment.name)) if text)
    return f"$${experiment.formula}$$\n\n**What to look for.** {experiment.look_for}{notes}\n\n**Sources**\n\n{sources}"


def show(shown: Mapping[str, Any] | None, said: str) -> tuple:
    """The values of the outputs for a status, HTML, and a frame as plain values, if there is one."""
    hidden = (gr.DownloadButton(visible=False),) * 2
    if shown is None:
        return said, "", "", "", *hidden
    pictures = "".join(_picture(title, svg) for title, svg in shown["pictures"].items())
    curves = plots(charts.lines(title, curves, shown["axis"]) for title, curves in shown["series"].items())
    return said, pictures, _figures(shown["figures"]), curves, *hidden


def keep(said: str = "") -> tuple:
    """The values with which the outputs stay as they are, perhaps with another status."""
    return said or gr.skip(), *(gr.skip(),) * 5


def _picture(title: str, svg: str) -> str:
    width = float(svg.partition("viewBox='0 0 ")[2].partition(" ")[0])
    look = f'style="--wide: {width:.0f}px" role="region" tabindex="0" aria-label="{html.escape(title, quote=True)}"'
    return f'<div class="with-files"><div class="plots lab-picture" {look}>{svg}</div>{picture_files()}</div>'


def _figures(figures: list[list]) -> str:
    """A table of the figures with their right answers."""
    if not figures:
        return ""
    marks = {True: "✓", False: "✗ not met", None: ""}
    rows = [[name, measured, right, marks[met]] for name, measured, right, met in figures]
    return html_table(Table("figures", "Figures", ["Figure", "Measured", "Right answer", ""], rows))


def run(
    experiment: Experiment, config: Config, public: bool, is_stopped: Callable[[], bool]
) -> Iterator[tuple[Frame, str] | None]:
    """Run within the page's limit; yields frames with a status, None as a sign of life, and at last the end."""
    start, shown = time.monotonic(), -math.inf  # the first frame is shown at once
    frame, end = None, "Done"
    with contextlib.closing(experiment.run(config)) as run:  # type: ignore[type-var]
        for each in run:
            now = time.monotonic()
            frame = each or frame
            if is_stopped():
                end = "Stopped"
                break
            if public and now > start + PUBLIC_SECONDS:
                end = f"Stopped: {LIMIT}"
                break
            if now > shown + PAUSE:
                shown = now
                yield (each, each.said) if each else None
    assert frame is not None
    yield frame, f"{end}, after {time.monotonic() - start:.0f} s. {frame.said}"


def show_frame(frame: Frame, said: str) -> tuple:
    """The values of the outputs for a frame of a run that goes on."""
    label = html.escape(said, quote=True)
    bar = f'<progress max="1" value="{frame.progress:.3f}" aria-label="{label}"></progress> '
    return show(export.plain(frame), bar + html.escape(said))


def show_end(frame: Frame, said: str, experiment: Experiment, scratch: Scratch) -> tuple:
    """The values of the outputs for the last frame, with files for download."""
    files = (
        gr.DownloadButton(value=path, visible=True) if path else gr.skip() for path in write(frame, experiment, scratch)
    )
    return *show(export.plain(frame), html.escape(said))[:4], *files


def write(frame: Frame, experiment: Experiment, scratch: Scratch) -> tuple[str, str]:
    """Write the first picture and the curves; returns their paths, "" without curves."""
    picture, table = (scratch.path(f"{experiment.name}.{kind}") for kind in ("png", "csv"))
    picture.parent.mkdir(parents=True, exist_ok=True)
    next(iter(frame.pictures.values())).image().save(picture, format="PNG")
    table.write_text(export.series_csv(frame.series), encoding="utf-8")
    return str(picture), str(table) if frame.series else ""
