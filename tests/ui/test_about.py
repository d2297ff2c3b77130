"""The tab About: its section on the Lab has the figures of the finished runs, and its sources have links."""

import re

import pytest

from ganopt.lab.registry import all_experiments
from ganopt.lab.release import finished, with_figures
from ganopt.ui.about import HERE

TEXT = (HERE / "lab.md").read_text()
SOURCES = (HERE / "sources.md").read_text()


def test_figures_are_those_of_the_finished_runs():
    figures = {name: (measured, right) for name, measured, right, _ in finished("pretraining")["figures"]}
    name = "accuracy with 100 labels a class, from scratch"
    text = f"{{pretraining; {name}}}, {{pretraining;\n  {name}; right}}"
    assert with_figures(text) == ", ".join(figures[name])
    with pytest.raises(KeyError):
        with_figures("{pretraining; nothing}")


def test_each_experiment_has_its_place_and_its_figures():
    shown = with_figures(TEXT)
    assert "{" not in shown and shown.count("0.") > 10
    assert set(re.findall(r"\(\?tab=lab&lab=([\w-]+)\)", TEXT)) == set(all_experiments())


def test_the_authors_that_it_names_are_among_the_sources():
    years = re.findall(r"(\w+)(?:,[\w, ]+| et al\.)? (?:19|20)\d\d", TEXT)
    names = [name for name in years if name not in ("of", "Goodfellow")]
    assert len(names) > 20 and not [name for name in names if name not in SOURCES]


def test_sources_are_links_each_to_a_place_of_its_own_and_the_thesis_is_named():
    links = re.findall(r"\]\((https://[^)\s]+)\)", SOURCES)
    assert len(links) > 40 and len(set(links)) == len(links) == SOURCES.count("](")
    assert "E. V. Mitrofanov" in SOURCES
