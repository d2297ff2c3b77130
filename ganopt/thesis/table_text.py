"""Tables of texts, and writing them as Markdown and CSV."""

import csv
import io
from dataclasses import dataclass, replace

from ganopt.errors import UserError

THEIRS = "thesis: "  # prefix of the columns with published results
START, END = "<!-- tables of python -m ganopt report -->", "<!-- end of the tables -->"


@dataclass(frozen=True)
class Table:
    """A table of texts, empty if unknown. `notes` states the protocol, and what was left out."""

    name: str
    title: str
    heads: list[str]
    rows: list[list[str]]
    notes: str = ""


def shown(table: Table) -> Table:
    """A table without rows that have only published results, and without empty columns."""
    ours = [index for index, head in enumerate(table.heads) if index and not head.startswith(THEIRS)]
    rows = [row for row in table.rows if any(row[index] for index in ours)]
    kept = [index for index in range(len(table.heads)) if any(row[index] for row in rows)]
    heads, *rows = ([line[index] for index in kept] for line in [table.heads, *rows])
    return replace(table, heads=heads, rows=rows)


def markdown(table: Table) -> str:
    """The shown part of a table as Markdown, with title and notes; empty if it has no rows."""
    table = shown(table)
    lines = [table.heads, ["---"] * len(table.heads), *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{table.title}**\n\n{body}\n" + (f"\n{table.notes}\n" if table.notes else "") if table.rows else ""


def page(built: list[Table]) -> str:
    """Tables as Markdown, without those that have no rows."""
    return "\n".join(filter(None, map(markdown, built))) or "Nothing has been measured yet.\n"


def insert(text: str, inserted: list[Table]) -> str:
    """Replace the tables between the markers of a Markdown text. Raises UserError if it has no markers."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise UserError(f"The marker {START} with {END} after it is missing; put both where the tables belong.")
    return before + start + "\n" + page(inserted) + end + after


def as_csv(table: Table) -> str:
    """A table as CSV, with all rows and columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.heads, *table.rows])
    return text.getvalue()
