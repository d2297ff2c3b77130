"""Plots and tables as HTML, each with small buttons that download it; page_downloads.js makes the files."""

import html
from collections.abc import Iterable

from ganopt.thesis.table_text import Table


def plots(drawings: Iterable[str], texts: Iterable[str] = ()) -> str:
    """SVG charts side by side as HTML, perhaps each with a text below it; "" without any."""
    drawings = list(drawings)
    texts = list(texts) or [""] * len(drawings)
    parts = (plot(svg, text) for svg, text in zip(drawings, texts, strict=True))
    return f'<div class="plots">{"".join(parts)}</div>' if drawings else ""


def plot(svg: str, text: str = "") -> str:
    """An SVG chart as HTML, with a text below it."""
    words = f"<p>{html.escape(text)}</p>" if text else ""
    return f'<div class="plot">{svg}{words}{picture_files()}</div>'


def picture_files() -> str:
    """The buttons that download the SVG chart in the same element."""
    return _buttons("picture", "SVG", "PNG")


def html_table(table: Table, title: str = "") -> str:
    """A table that can be scrolled sideways, also by keyboard, with an optional title above it, and its notes below."""
    label = html.escape(table.title, quote=True)
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.heads)
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in table.rows)
    body = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    notes = f'<p class="notes">{html.escape(table.notes)}</p>' if table.notes else ""
    shown = f'<div class="prose measured" role="region" tabindex="0" aria-label="{label}">{body}</div>'
    return f'<div class="with-files">{shown}{notes}{_buttons("table", "CSV", "Markdown")}</div>'


def _buttons(what: str, *kinds: str) -> str:
    buttons = (
        f'<button type="button" data-save="{kind.lower()}" aria-label="{kind}: download this {what}">{kind}</button>'
        for kind in kinds
    )
    return f'<div class="files">{"".join(buttons)}</div>'
