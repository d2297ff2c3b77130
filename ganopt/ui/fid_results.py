"""The results of a measurement of FID as the page shows them: progress, table and curve."""

import html

from ganopt.metrics.evaluation import FLOOR
from ganopt.metrics.scores import Score
from ganopt.thesis.table_text import Table
from ganopt.ui.figures import plots
from ganopt.viz import charts

OTHERS = ("KID x 1000", "Precision", "Recall", "SWD x 1000", "Diversity", "FID to teacher")


def heads(measured: list[Score]) -> list[str]:
    """The names of the columns: that of FID contains n, unless some rows, which have their own floor, differ in it."""
    counts = {score.count for score in measured}
    fid = f"fid{counts.pop()}" if len(counts) == 1 and 0 not in counts else "FID of n pictures"
    return ["Pictures of", "n", fid, "Spread", *OTHERS]


def curve_html(points: list[dict]) -> str:
    """A chart of FID against n with a curve per model; empty if there is only one n."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        curves.setdefault(point["model"], []).append((point["n"], point["FID"]))
    if not any(len(curve) > 1 for curve in curves.values()):
        return ""
    return plots([charts.lines("FID against n", curves, "pictures, n")])


def progress_html(done: int, total: int, seconds: float) -> str:
    """A progress bar and the estimated remaining time, as HTML."""
    left = f"about {seconds / done * (total - done):.0f} s left" if done else "starting"
    text = f"{done} of {total} pictures, {left}"
    return f'<progress max="{total}" value="{done}" aria-label="{html.escape(text)}"></progress> {text}'


def table_of(measured: list[Score]) -> Table:
    """The table of scores, with notes on what is absent and why."""
    notes = [f"{score.name}: {note}." for score in measured for note in score.notes]
    return Table("fid", "Results", heads(measured), list(map(_row, measured)), " ".join(notes))


def _row(score: Score) -> list[str]:
    spread = f"{min(score.fids):.2f} to {max(score.fids):.2f}" if len(score.fids) > 1 else ""
    name = f"{score.reference}: {FLOOR}" if score.name == FLOOR else score.name
    kid = None if score.kid is None else 1000 * score.kid
    figures = (kid, score.precision, score.recall, score.swd, score.diversity, score.fid_to_model)
    return [
        name,
        str(score.count or ""),
        f"{score.fid:.2f}",
        spread,
        *("" if value is None else f"{value:.2f}" for value in figures),
    ]
