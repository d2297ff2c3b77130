"""Tables of results on the page."""

from collections.abc import Sequence

import gradio as gr

from ganopt.thesis import table_text
from ganopt.thesis.table_text import Table
from ganopt.ui.figures import html_table


def build_tables(results: Sequence[Table], folded: bool) -> None:
    """Build the tables that are not empty, either folded in accordions or with their titles as captions."""
    for table in map(table_text.shown, results):
        if table.rows and folded:
            with gr.Accordion(table.title, open=False):
                gr.HTML(html_table(table), elem_classes="bare")
        elif table.rows:
            gr.HTML(html_table(table, table.title), elem_classes="bare")
