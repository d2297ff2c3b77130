"""The curves of a run, alone or with those of another one in the same plots."""

from pathlib import Path

from ganopt.runs import monitor
from ganopt.runs.monitor import Watch
from ganopt.ui.figures import plots
from ganopt.viz import charts


def curves(watch: Watch, folder: Path, other: Path | None = None) -> str:
    """The plots of a run as HTML; those that another run has too, on the same axis, show the curves of both."""
    found, axis = _curves(watch, folder)
    others, other_axis = _curves(monitor.watch(other).refresh(), other) if other else ([], axis)
    theirs = {each.title: each.lines for each in others if other_axis == axis}
    drawn = []
    for each in found:
        lines = each.lines
        if other and each.title in theirs:
            lines = _named(lines, folder.name) | _named(theirs[each.title], other.name)
        drawn.append(charts.lines(each.title, lines, axis))
    return plots(drawn, [each.advice for each in found])


def _curves(watch: Watch, folder: Path) -> tuple[list[monitor.Curves], str]:
    recipe = monitor.recipe_of(folder)
    return monitor.curves(watch, recipe) if recipe else [], "pictures seen" if watch.last.get("images") else "steps"


def _named(lines: dict, run: str) -> dict:
    """Curves with the name of their run, and their own if there are several."""
    return {run if len(lines) == 1 else f"{run}: {name}": line for name, line in lines.items()}
