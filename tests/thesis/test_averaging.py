"""An average is of related models only, has its own statistics, and cannot be lost by resuming it."""

import copy
import math
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from ganopt.models import weights, zoo
from ganopt.models.latents import latents
from ganopt.models.networks import Generator, build_generator, kinds
from ganopt.thesis import averaging, release
from ganopt.thesis.averaging import average, averaged
from ganopt.training import loop
from ganopt.training.methods import recipe
from ganopt.training.run_folder import read_counters, read_recipe

LATER = {"freeze_d": 2, "n_critic": 1, "batch": 4, "steps": 2, "device": "cpu", "snapshots": 2}


@pytest.fixture(scope="module")
def later(source, pictures, tmp_path_factory) -> Path:
    """A run that went on from `source`, with the first stage of its generator frozen."""
    folder = tmp_path_factory.mktemp("later") / "run"
    for _ in loop.train(recipe("transfer", source=str(source), freeze_g=1, **LATER), folder, pictures):
        pass
    return folder


@pytest.fixture(autouse=True)
def few_latents(monkeypatch) -> None:
    monkeypatch.setattr(averaging, "SEEDS", range(40))


def generator_in(folder: Path) -> Generator:
    return weights.load(folder / "generator.safetensors")


def changed(generator: Generator, seed: int) -> Generator:
    """A copy whose parameters have moved a little."""
    copied, chance = copy.deepcopy(generator), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=chance)
    return copied


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("kind", kinds("generator"))
def test_each_kind_of_generator_has_an_average_with_its_own_statistics(kind):
    first = build_generator(f"{kind}/64@32").eval()
    models = [first, changed(first, 1), changed(first, 2)]
    mean = averaged(models, [2.0, 1.0, 1.0])
    assert not mean.training
    for name, parameter in mean.named_parameters():
        a, b, c = (dict(model.named_parameters())[name] for model in models)
        assert torch.allclose(parameter, 0.5 * a + 0.25 * b + 0.25 * c, atol=1e-6)
    expected = copy.deepcopy(mean)
    update_bn(latents(range(40)).split(16), expected)
    assert norms(mean)
    for ours, theirs, old in zip(norms(mean), norms(expected), norms(first), strict=True):
        assert torch.allclose(ours.running_mean, theirs.running_mean, atol=1e-5)
        assert torch.allclose(ours.running_var, theirs.running_var, rtol=1e-4, atol=1e-5)
        assert not torch.equal(ours.running_var, old.running_var) and ours.momentum == old.momentum


def test_kept_stages_and_those_that_are_the_same_are_those_of_the_first(source):
    first = generator_in(source)
    second = changed(first, 1)
    second.stages[0].load_state_dict(first.stages[0].state_dict())
    mean, kept = averaged([second, first], [0.7, 0.3]), averaged([second, first], [0.7, 0.3], keep=2)
    for stage, same in ((mean.stages[0], second), (kept.stages[0], second), (kept.stages[1], second)):
        index = 1 if stage is kept.stages[1] else 0
        assert all(torch.equal(a, b) for a, b in zip(stage.parameters(), same.stages[index].parameters(), strict=True))
        assert torch.equal(norms(stage)[0].running_mean, norms(same.stages[index])[0].running_mean)
    assert not torch.equal(norms(mean.stages[1])[0].running_mean, norms(second.stages[1])[0].running_mean)
    same = averaged([first, copy.deepcopy(first)], [1.0, 2.0]).state_dict()
    assert all(torch.equal(same[name], value) for name, value in first.state_dict().items())


def test_the_average_of_runs_snapshots_and_files_is_shipped_but_not_resumed(
    source, later, tmp_path, pictures, refuses, monkeypatch
):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.chdir(tmp_path)
    lone = shutil.copy(source / "generator.safetensors", tmp_path / "lone.safetensors")
    snapshot = later / "snapshots" / "0000001.safetensors"
    release.main(["average", "mean", str(later), str(lone), str(snapshot), "--weights", "6,3,1"])
    ours, mean = generator_in(Path("mean")), Path("mean")
    a, b, c = generator_in(later), weights.load(Path(lone)), weights.load(snapshot)
    assert torch.allclose(
        ours.layers[1][0].weight,
        0.6 * a.layers[1][0].weight + 0.3 * b.layers[1][0].weight + 0.1 * c.layers[1][0].weight,
    )
    assert read_recipe(mean) == read_recipe(later) and read_counters(mean) == read_counters(later)
    assert (
        release.ship(mean, "mean", "Mean", "transfer", "drawn faces", "none").images == read_counters(later)["images"]
    )
    before = (mean / "generator.safetensors").read_bytes()
    with refuses("no optimisers, so it cannot be resumed", "transfer --source mean"):
        loop.resume(mean, pictures, {"steps": 9})
    assert (mean / "generator.safetensors").read_bytes() == before
    average(tmp_path / "other", [str(lone), str(later)])
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["generator.safetensors"]
    assert torch.allclose(
        zoo.load(tmp_path / "other").layers[1][0].weight, (a.layers[1][0].weight + b.layers[1][0].weight) / 2
    )


@pytest.mark.parametrize(
    ("shares", "keep", "fragment"),
    [
        ([5.0], 0, "--weights is '5'; give a number above 0 for each of the 2 models"),
        ([2.0, -1.0], 0, "--weights is '2,-1'"),
        ([1.0, math.nan], 0, "--weights is '1,nan'"),
        ([1.0, math.inf], 0, "--weights is '1,inf'"),
        ([0.0, 1.0], 0, "--weights is '0,1'"),
        ([], -1, "--keep is -1"),
        ([], 4, "--keep is 4"),
    ],
)
def test_what_makes_no_average_is_refused_and_nothing_is_made(source, later, tmp_path, refuses, shares, keep, fragment):
    with refuses(fragment):
        average(tmp_path / "mean", [str(later), str(source)], shares, keep)
    assert not list(tmp_path.iterdir())


def test_unrelated_models_have_no_average(source, later, tmp_path, refuses):
    torch.manual_seed(99)
    for name in ("big/32@32", "big/16@32"):
        weights.save(build_generator(name), tmp_path / f"{name[4:6]}.safetensors")
    with refuses("32.safetensors is not related to", "correlate by 0.0"):
        average(tmp_path / "mean", [str(later), str(tmp_path / "32.safetensors")])
    with refuses("A big/32@32 and a big/16@32 have no average"):
        average(tmp_path / "mean", [str(later), str(tmp_path / "16.safetensors")])
    with refuses("at least two"):
        average(tmp_path / "mean", [str(later)])
    with refuses("Unknown model 'nowhere'"):
        average(tmp_path / "mean", [str(later), "nowhere"])
    with refuses("is not empty"):
        average(later, [str(later), str(source)])
    assert not (tmp_path / "mean").exists()
