"""The contract of the Lab, held by every experiment, and the command that runs them."""

import csv
import dataclasses
import inspect
import itertools
import json
from dataclasses import dataclass

import pytest
import torch
from PIL import Image

from ganopt.cli.parser import main
from ganopt.lab import export
from ganopt.lab.contract import GROUPS, Config, Figure, setting
from ganopt.lab.registry import all_experiments, find_experiment
from ganopt.viz.drawings import Area
from tests.bench.lab import SETTINGS

EXPERIMENTS = all_experiments()
FEW = {"pretraining": {"objects": 96}, "diffusion-2d": {"batch": 64, "times": 20, "sampler_steps": 10}}


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
class TestEachExperiment:
    def test_it_says_what_is_to_be_seen(self, experiment):
        assert experiment.group in GROUPS and experiment.formula and experiment.sources
        assert experiment.summary.endswith(".") and experiment.look_for.endswith(".")
        assert dataclasses.is_dataclass(experiment.config) and issubclass(experiment.config, Config)
        assert inspect.isgeneratorfunction(experiment.run) and experiment.name == experiment.name.lower()
        assert all(isinstance(experiment.configure(values), Config) for values in experiment.presets.values())

    def test_its_settings_are_a_text_and_back(self, experiment):
        for values in experiment.presets.values():
            config = experiment.configure(dict(values) | {"seed": 7})
            assert experiment.parse(experiment.format(config)) == config
        assert experiment.format(experiment.config()) == ""

    def test_a_seed_repeats_its_first_frames_whatever_else_runs(self, experiment):
        def first(seed: int) -> list[dict]:
            torch.rand(seed + 3)  # a global generator in another state
            run = experiment.run(experiment.configure({"seed": seed, **FEW.get(experiment.name, {})}))
            frames = [export.plain(frame) for frame in itertools.islice(filter(None, run), 2)]
            run.close()
            return frames

        assert first(5) == first(5)
        assert first(5) != first(6)

    def test_its_first_frame_has_a_picture_and_progress_0(self, experiment):
        run = experiment.run(experiment.config())
        frame = next(run)
        run.close()
        assert frame.progress == 0 and frame.said.endswith(".") and frame.pictures
        marks = [mark for each in frame.pictures.values() for panel in each.panels for mark in panel.marks]
        assert bool(experiment.picks) == any(isinstance(mark, Area) and mark.choice for mark in marks)
        for drawing in frame.pictures.values():
            assert drawing.svg().startswith("<svg viewBox=") and drawing.image(1).getextrema() != ((255, 255),) * 3


@dataclass(frozen=True, kw_only=True)
class Sample(Config):
    rate: float = setting(0.5, "a rate", low=0, high=1)
    count: int = setting(3, "a count", low=1)
    kind: str = setting("one", "a kind", choices=("one", "two"))
    flag: bool = setting(False, "a flag")


@pytest.fixture
def sample():
    return dataclasses.replace(find_experiment("q-learning"), config=Sample)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("nothing=1", "Unknown setting 'nothing'"),
        ("rate=2", "--rate is 2; it must be from 0 to 1"),
        ("rate=x", "--rate is 'x'; it must be a number"),
        ("rate=nan", "--rate is"),
        ("count=0", "--count is 0; it must be at least 1"),
        ("count=1.5", "--count is '1.5'; it must be a whole number"),
        ("kind=three", "--kind is 'three'; use one of one, two"),
        ("flag=perhaps", "--flag is 'perhaps'; it must be true or false"),
    ],
)
def test_a_wrong_setting_is_a_sentence(sample, refuses, text, fragment):
    with refuses(fragment):
        sample.parse(text)


def test_settings_from_an_address_and_from_a_form(sample):
    assert sample.parse("rate=1,flag=true,kind=two") == Sample(rate=1.0, flag=True, kind="two")
    assert sample.configure({"rate": 1, "count": 4.0}) == Sample(rate=1.0, count=4)


@pytest.mark.parametrize(
    ("figure", "right", "is_right"),
    [
        (Figure(0.7), "", None),
        (Figure(0.7, exact=0.74), "0.74", None),
        (Figure(0.7, exact=0.74, tolerance=0.05), "0.74 ± 0.05", True),
        (Figure(0.6, exact=0.74, tolerance=0.05), "0.74 ± 0.05", False),
        (Figure(6, exact=6, tolerance=0), "6", True),
        (Figure(2, high=1.05), "at most 1.05", False),
        (Figure(2, low=1.05), "at least 1.05", True),
        (Figure(2, low=1, high=2), "1 to 2", True),
    ],
)
def test_the_right_answer_stands_beside_the_measured_one(figure, right, is_right):
    assert (figure.right, figure.is_right) == (right, is_right)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_of_the_bench_are_understood(name):
    experiment, text, seeds = SETTINGS[name]
    assert find_experiment(experiment).parse(text) and seeds >= 1


class TestCommand:
    def test_it_lists_the_experiments(self, capsys):
        main(["lab"])
        printed = capsys.readouterr().out
        assert all(name in printed and each.title in printed for name, each in EXPERIMENTS.items())

    def test_a_dry_run_prints_the_settings_and_writes_nothing(self, capsys, tmp_path):
        main(["lab", "q-learning", "--episodes", "300", "--slippery", "--out", str(tmp_path / "out"), "--dry-run"])
        printed = json.loads(capsys.readouterr().out)
        assert printed["experiment"] == "q-learning" and printed["episodes"] == 300 and printed["slippery"] is True
        assert not (tmp_path / "out").exists()

    def test_it_leaves_pictures_curves_figures_and_settings(self, capsys, tmp_path):
        main(["lab", "q-learning", "--episodes", "300", "--out", str(tmp_path)])
        assert "map-and-table.png are in" in capsys.readouterr().out
        config = json.loads((tmp_path / "config.json").read_text())
        assert config["experiment"] == "q-learning" and config["episodes"] == 300 and config["seed"] == 0
        rows = list(csv.DictReader(open(tmp_path / "series.csv")))
        assert {row["curve"] for row in rows} == {"won while learning", "greedy policy", "best policy"}
        assert rows[-1]["x"] == "300"
        assert (tmp_path / "figures.csv").read_text().startswith("figure,measured,right,is right\n")
        with Image.open(tmp_path / "map-and-table.png") as image:
            assert image.format == "PNG" and image.width > 600

    def test_help_has_the_options_of_the_named_experiment(self, capsys):
        with pytest.raises(SystemExit):
            main(["lab", "q-learning", "--help"])
        printed = capsys.readouterr().out
        assert "--slippery" in printed and "(default: 0.99)" in printed and "Values spread" in printed

    def test_a_wrong_setting_is_a_sentence(self, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["lab", "q-learning", "--episodes", "0"])
        assert "--episodes is 0; it must be from 1 to 100000." in str(caught.value)
