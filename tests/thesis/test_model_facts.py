"""Facts about models in one precision, with tiny models: a float16 one, an 8-bit one, a delta and a run."""

import dataclasses
import shutil

import pytest
import torch

from ganopt.models import model_cache, weights, zoo
from ganopt.models.networks import parameters_of
from ganopt.thesis import comparison as comparing
from ganopt.thesis import model_facts, release

CPU = torch.device("cpu")
SIZE = 2 * parameters_of("big/32@32") / 1e6


@pytest.fixture(autouse=True)
def checkpoints(three_models, source, monkeypatch, tmp_path):
    """The three models, an 8-bit one, and a run."""
    folder = shutil.copytree(three_models, tmp_path / "checkpoints", symlinks=True)
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(folder))
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))
    release.ship(source, "cats-small", "Cats, small", "student", "drawn faces", "none", storage="int8")
    shutil.copytree(source, tmp_path / "runs" / "mine")
    model_cache._generator.cache_clear()
    yield
    model_cache._generator.cache_clear()


def test_sizes_are_in_one_precision_and_the_file_is_said_beside_it():
    names = ["cats-teacher", "cats-small", "run:mine"]
    found = model_facts.facts(names, {})
    for name, stored, each in zip(names, ("float16", "8-bit", "float32"), found, strict=True):
        assert each.lines[2:] == [
            f"{SIZE:.1f} MB as float16",
            f"({zoo.entry(name).bytes / 1e6:.1f} MB on disk, {stored})",
        ]
        assert model_facts.savings(found[0], each) == "as large"


def test_a_delta_says_what_it_leaves_out():
    entry = dataclasses.replace(zoo.entry("cats-student"), source="cats-teacher")
    assert model_facts.on_disk(entry).endswith("MB on disk, float16, without what it shares with cats-teacher")
    assert model_facts.megabytes(entry) == SIZE


def test_facts_are_what_was_measured():
    title, name, _, _, latency, fid, spread = model_facts.facts(["cats-teacher"], comparing.results())[0].lines
    parameters = parameters_of("big/32@32") / 1e6
    assert (title, name) == ("Cats, <teacher>", f"cats-teacher, {parameters:.2f} M parameters")
    assert (latency, fid, spread) == ("12.3 ms a face on cpu", "fid500 40.00, cats", "(39.00 to 41.00)")


def test_the_latency_of_a_run_is_measured_together_with_the_others():
    names, records = ["cats-teacher", "run:mine"], comparing.results()
    assert model_facts.are_measured(names[:1], records) and not model_facts.are_measured(names, records)
    found = model_facts.facts(names, records, model_facts.latencies(names, CPU), "cpu, measured here")
    assert all(each.lines[4].endswith("ms a face on cpu, measured here") for each in found)
    assert model_facts.latencies(names, CPU) == model_facts.latencies(names, CPU)  # measured once


def test_savings_are_computed_and_leave_out_what_is_unknown():
    records = comparing.results()
    teacher, student, dogs = model_facts.facts(["cats-teacher", "cats-student", "dogs-transfer"], records)
    first = dataclasses.replace(teacher, parameters=1900, latency=0.06)
    other = dataclasses.replace(student, parameters=200, latency=0.01)
    assert model_facts.savings(first, other) == "9.5 times smaller, 6 times faster, fid500 + 10"
    assert model_facts.savings(other, first) == "9.5 times larger, 6 times slower, fid500 - 10"
    assert model_facts.savings(first, dataclasses.replace(other, latency=None)) == "9.5 times smaller, fid500 + 10"
    quick = dataclasses.replace(other, latency=first.latency / 114.4)
    assert ", 114 times faster, " in model_facts.savings(first, quick)
    assert "fid" not in model_facts.savings(first, dogs)  # of another reference
    assert "fid" not in model_facts.savings(first, dataclasses.replace(other, fid=None))


def test_a_file_says_how_it_stores_the_weights(tmp_path):
    for name, dtype in weights.STORAGES.items():
        weights.save(zoo.load("cats-teacher"), tmp_path / "file", {}, dtype)
        assert weights.storage(tmp_path / "file") == name
