"""Tables of results as HTML, which can be scrolled sideways, also by keyboard."""

import html
from collections.abc import Sequence

import gradio as gr

from ganopt.thesis import table_text
from ganopt.thesis.table_text import Table


def build_tables(results: Sequence[Table], folded: bool) -> None:
    """Build the tables that are not empty, either folded in accordions or with their titles as captions."""
    for table in map(table_text.shown, results):
        if table.rows and folded:
            with gr.Accordion(table.title, open=False):
                gr.HTML(html_table(table), elem_classes="bare")
        elif table.rows:
            gr.HTML(html_table(table, table.title), elem_classes="bare")


def html_table(table: Table, title: str = "") -> str:
    """A table as HTML, with an optional title above it, and its notes below."""
    label = html.escape(table.title, quote=True)
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.heads)
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in table.rows)
    body = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    notes = f'<p class="notes">{html.escape(table.notes)}</p>' if table.notes else ""
    return f'<div class="prose measured" role="region" tabindex="0" aria-label="{label}">{body}</div>{notes}'
