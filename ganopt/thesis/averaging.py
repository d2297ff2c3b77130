"""Averages of generators (Izmailov et al. 2018): their mean weights, and BatchNorm's statistics of that mean."""

import copy
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ganopt.errors import UserError
from ganopt.files import atomic_folder
from ganopt.models import weights, zoo
from ganopt.models.batch_norm import renew_statistics
from ganopt.models.latents import latents
from ganopt.models.networks import Generator
from ganopt.training.run_folder import CONFIG, STATE, read_counters, write_state

SEEDS, BATCH = range(1280), 16  # of the latents for BatchNorm's statistics
LEAST = 0.5  # correlation of weights: 0.89 after a long run that went on from cats-teacher, 0 for unrelated ones


def average(out: Path, models: Sequence[str], shares: Sequence[float] = (), keep: int = 0) -> None:
    """Make a folder with the average of generators: run folders, their snapshots, generator files or names of models.

    They must be of one run, or of runs that went on from each other. `shares` are their weights, by default equal. The
    first `keep` stages, and those in which all are the same, are those of the first model, so that an average of
    transfers shares them with their source. If the first model is of a run, its recipe, critic and counters are copied,
    but not its optimisers, so the average can be shipped but not resumed. Raises UserError, and makes nothing, if OUT
    exists or the models have no average.
    """
    shares = shares or [1.0] * len(models)
    if len(models) < 2:
        raise UserError("An average needs at least two models; name another one.")
    if len(shares) != len(models) or not all(0 < share < math.inf for share in shares):
        text = ",".join(f"{share:g}" for share in shares)
        raise UserError(f"--weights is '{text}'; give a number above 0 for each of the {len(models)} models.")
    with atomic_folder(out) as folder:
        file = zoo.locate(models[0])
        generators = [zoo.load(model) for model in models]
        for model, generator in zip(models[1:], generators[1:], strict=True):
            _check_related(models[0], generators[0], model, generator)
        if not 0 <= keep < max(len(generators[0].stages), 1):
            raise UserError(f"--keep is {keep}; {models[0]} has {len(generators[0].stages)} stages, keep fewer.")
        recipe = weights.read_recipe(weights.read_metadata(file), models[0])
        weights.save(averaged(generators, shares, keep), folder / zoo.FILES["generator"], recipe)
        run = file.parent.parent if file.parent.name == "snapshots" else file.parent
        if (run / CONFIG).exists() and (run / STATE).exists():
            write_state(folder, read_counters(run))
            for name in filter(lambda name: (run / name).exists(), (CONFIG, zoo.FILES["critic"])):
                shutil.copyfile(run / name, folder / name)


def averaged(generators: Sequence[Generator], shares: Sequence[float], keep: int = 0) -> Generator:
    """The average of generators of the same architecture in evaluation mode, as in `average`."""
    mean, states = copy.deepcopy(generators[0]), [generator.state_dict() for generator in generators]
    for name, tensor in mean.state_dict().items():
        values = [state[name] for state in states]
        if tensor.is_floating_point() and not _all_equal(values):
            parts = [share / sum(shares) * value.double() for share, value in zip(shares, values, strict=True)]
            tensor.copy_(torch.stack(parts).sum(0))
    mean.stages[:keep].load_state_dict(generators[0].stages[:keep].state_dict())
    versions = zip(*(generator.stages for generator in generators), strict=True)
    same = [_same_state(stages) for stages in versions]
    kept = [stage for index, stage in enumerate(mean.stages) if index < keep or same[index]]
    renew_statistics(mean, latents(SEEDS).split(BATCH), kept)
    return mean


def _check_related(name: str, first: Generator, other_name: str, other: Generator) -> None:
    """Raise UserError unless the mean of the weights of two generators makes sense."""
    if first.architecture != other.architecture:
        raise UserError(f"A {first.architecture} and a {other.architecture} have no average; use two alike.")
    a, b = (_weights_of(generator) for generator in (first, other))
    correlation = round(float(a @ b / (a.norm() * b.norm())), 2) + 0.0  # never -0.0
    if not correlation >= LEAST:
        raise UserError(
            f"{other_name} is not related to {name}: their weights correlate by {correlation}, less than {LEAST}; "
            "use models of one run, or of a run and another that went on from it."
        )


def _weights_of(generator: Generator) -> torch.Tensor:
    """All weights as one vector, without the biases and the factors of norms, which are similar in any network."""
    return torch.cat([weight.detach().double().flatten() for weight in generator.parameters() if weight.ndim > 1])


def _same_state(modules: Sequence[nn.Module]) -> bool:
    tensors = (module.state_dict().values() for module in modules)
    return all(map(_all_equal, zip(*tensors, strict=True)))


def _all_equal(tensors: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(tensors[0], tensor) for tensor in tensors[1:])
