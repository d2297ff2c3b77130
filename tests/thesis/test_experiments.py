"""The experiments, at toy size: trained, stopped and resumed, measured, and in the tables."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganopt.metrics import evaluation, eyes, features
from ganopt.models.networks.projected import BACKBONE
from ganopt.thesis import measurements, release, table_text, tables
from ganopt.thesis.experiments import EXPERIMENTS, Setting, choose, planned, recipes, runs
from ganopt.thesis.measurements import measure
from ganopt.training import run_folder
from ganopt.training.methods import recipe
from ganopt.training.recipes.critics import format_critics

SECONDS = 0.3  # of training for each experiment
UNCHANGED = dict(EXPERIMENTS)
BOTH = "plain-critic/2,projected:0.5"
NAMED = {  # as they are trained on two cores
    "cats-teacher": ("big-res/4", BOTH),
    "cats-thin": ("big/4", BOTH),
    "cats-thesis": ("big/4", "critic/2"),
    "cats-small": ("kd/4", BOTH),
    "race-ours": ("big/4", BOTH),
    "race-plain": ("big/4", "plain-critic/2"),
    "race-features": ("big/4", "projected"),
    "race-thesis": ("big/4", "critic/2"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory, draw_faces) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for kind, size in (("cat", (40, 40)), ("dog", (48, 40))):
        draw_faces(folder / kind, 20, size)
    return folder


def setting_of(data: Path, folder: Path, **values) -> Setting:
    minutes = SECONDS / 60 * len(EXPERIMENTS)
    common = {"minutes": minutes, "side": 64, "batch": 4, "device": "cpu"}
    return Setting(data=data, folder=folder, **common | values)


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    """The experiments with networks of an eighth of the width, and frequent penalties."""
    with pytest.MonkeyPatch.context() as patch:
        for name, experiment in EXPERIMENTS.items():
            settings = dict(experiment.settings)
            if "penalty_every" in settings:
                settings["penalty_every"] = 2  # a step with a penalty is part of what is measured
            for role in {"generator", "critic"} & set(settings):
                settings[role] = re.sub(
                    r"(sle|big-res|big|kd|critic|sle-thin|shuffle)(/[0-9]+)?(?=,|$)", _narrower, settings[role]
                )
            patch.setitem(EXPERIMENTS, name, dataclasses.replace(experiment, settings=settings))
        yield


def _narrower(match: re.Match) -> str:
    return f"{match[1]}/{min(8 * int((match[2] or '/1')[1:]), 64)}"


def test_each_experiment_names_its_networks():
    for name, (generator, critic) in NAMED.items():
        plan = recipe(UNCHANGED[name].recipe, **UNCHANGED[name].settings, minutes=1)
        assert (plan.generator, format_critics(plan.critics)) == (generator, critic)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Setting:
    """All experiments, trained."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("experiments")
        patch.setenv("GANOPT_CACHE", str(folder / "cache"))
        setting = setting_of(data, folder / "runs")
        for _, steps in runs(setting):
            for _ in steps:
                pass
        return setting


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, draw_faces, thin_inception) -> Path:
    """Checkpoints with small references of drawn cats and dogs."""
    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CACHE", str(folder / "cache"))
        patch.setenv("GANOPT_CHECKPOINTS", str(folder / "checkpoints"))
        for name, size in (("cats", (32, 32)), ("dogs", (32, 30))):
            draw_faces(folder / name, 50, size)
            release.ship_reference(name, folder / name, folder / name, str(thin_inception))
        for file in (BACKBONE, eyes.file_name("cat"), eyes.file_name("dog")):
            (folder / "checkpoints" / file).symlink_to(Path(__file__).parents[2] / "checkpoints" / file)
    return folder / "checkpoints"


def test_every_experiment_trains_what_it_says(trained):
    plans = {experiment.name: plan for experiment, plan in recipes(trained, choose())}
    for name, experiment in EXPERIMENTS.items():
        trained_by = run_folder.read_recipe(trained.folder / name)
        assert trained_by.method == experiment.recipe and trained_by.classes == experiment.classes
        assert trained_by.minutes == pytest.approx(plans[name].minutes)
        own = {
            key: value for key, value in experiment.settings.items() if key in vars(trained_by) and key != "generator"
        }
        assert {key: getattr(trained_by, key) for key in own} == own
        assert run_folder.read_counters(trained.folder / name)["seconds"] >= 60 * trained_by.minutes
    assert sum(plan.minutes for plan in plans.values()) == pytest.approx(trained.minutes)
    ((_, alone),) = recipes(trained, choose(["race-ours"]))
    assert alone.minutes == trained.minutes and alone.generator == "big/32@64"
    assert format_critics(alone.critics) == "plain-critic/16@64,projected@64:0.5"


def test_what_is_done_is_passed_over_and_a_larger_budget_goes_on(trained, data):
    before = run_folder.read_counters(trained.folder / "cats-teacher")["step"]
    for _, steps in runs(trained):
        assert list(steps) == []
    more = setting_of(data, trained.folder, minutes=SECONDS / 60 * 1000)  # a step may be slow
    ((experiment, steps),) = runs(more, ["cats-teacher"])
    assert experiment.name == "cats-teacher"
    assert next(steps).step == before + 1
    steps.close()
    assert run_folder.read_counters(trained.folder / "cats-teacher")["step"] == before + 1


def test_an_unknown_experiment_and_an_untrained_source_are_one_sentence(data, tmp_path, refuses, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "empty"))
    setting = setting_of(data, tmp_path)
    with refuses("'birds'", "cats-teacher"):
        next(runs(setting, ["birds"]))
    with refuses("dogs-transfer", "cats-teacher"):
        next(runs(setting, ["dogs-transfer"]))


def test_a_dry_run_plans_sources_that_are_yet_to_be_trained(data, tmp_path, refuses):
    setting, names = setting_of(data, tmp_path / "runs"), ["cats-thin", "dogs-transfer-thesis"]
    made = {experiment.name: recipe for experiment, recipe in planned(setting, names)}
    assert made["cats-thin"].flip and made["dogs-transfer-thesis"].source == str(tmp_path / "runs/cats-thin")
    with refuses("dogs-transfer-thesis needs cats-thin"):
        list(planned(setting, names[::-1]))
    with refuses("There is no folder"):
        list(planned(setting_of(tmp_path / "absent", tmp_path / "runs"), names))
    assert list(planned(setting_of(tmp_path / "absent", tmp_path / "runs", minutes=0), names)) == []
    assert not (tmp_path / "runs").exists()


MEASURED = ("dogs-transfer", "cats-student")


def test_models_are_measured_and_stand_in_the_tables(trained, checkpoints, extractor, tmp_path, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(checkpoints))
    for module in (evaluation, features):
        monkeypatch.setattr(module, "MIN_PICTURES", 10)
    monkeypatch.setattr(measurements, "BEST_OF", (1, 2))
    results = tmp_path / "results.json"
    list(measure(trained, extractor, results, list(MEASURED), count=10))
    once = json.loads(results.read_text())
    records = tables.read(results)
    assert len(records) == len(once["records"])  # a name stands once in each kind
    for name in MEASURED:
        experiment, score, cost = EXPERIMENTS[name], records["fid", name], records["cost", name]
        assert score["reference"] == experiment.reference and len(score["fids"]) == 3
        assert (score["fid_to_model"] is not None) == (experiment.recipe == "distill")
        assert cost["images"] >= 0 and cost["drawing"]["parameters"] > 0
        assert cost["training"]["peak"] > cost["training"]["baseline"] > 0
    assert [each["best_of"] for each in records["choice", "dogs-transfer"]["points"]] == [1, 2]
    points = records["curve", "cats-student"]["points"]
    assert points[-1]["fid"] > 0 and points[-1]["images"] == records["cost", "cats-student"]["images"]
    forms = records["storage", "cats-student"]["forms"]
    assert forms["int8"]["bytes"] < forms["float16"]["bytes"] < forms["float32"]["bytes"]
    text = table_text.page(tables.tables(records))
    for name in MEASURED:
        assert f"| {name} |" in text
    for name in ("cats-student", "floor-cats"):
        assert f"{records['fid', name]['fid']:.2f}" in text
