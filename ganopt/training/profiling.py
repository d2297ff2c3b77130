"""What a network or a run costs: size, operations, time, memory."""

import contextlib
import dataclasses
import json
import math
import signal
import statistics
import sys
import time
from collections.abc import Generator as Updates
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganopt.errors import exit_on_user_error
from ganopt.models.networks import LATENT_SIZE, Generator, count_parameters
from ganopt.models.sampling import fused
from ganopt.subprocesses import follow_module
from ganopt.training.methods import new_state, resolved
from ganopt.training.recipe_text import describe, parse
from ganopt.training.recipes import R1, Recipe
from ganopt.training.state import State
from ganopt.training.train_step import update

BATCH = 16  # of throughput
HURRIED, UNHURRIED = 60.0, 3600.0  # seconds that a trial may take: somebody waits for it, or nobody does


@dataclass(frozen=True, kw_only=True)
class DrawingCost:
    """What a generator costs that draws."""

    parameters: int
    operations: int  # floating-point ones for a picture: a multiplication and an addition are two
    latency: float  # seconds for a picture alone, median, warm
    throughput: float  # pictures a second in batches of 16, median, warm
    device: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """What a step of a run costs. Bytes, but for the seconds."""

    weights: int  # of all its networks: generator, critic, moving average, teacher
    gradients: int  # of the network that has most: the two are never held together
    optimiser: int
    activations: int  # the most that is held at once for a backward pass
    peak: int  # CUDA: of its allocator; else of the process, torch's own code included
    peak_of: str  # which of them
    baseline: int  # of the peak, what was there before the networks: on a CPU most of a gigabyte
    batch: int
    images: float  # real pictures that the critic sees in a step
    seconds: float  # of a step, its share of a lazy penalty included; median, warm
    epoch_seconds: float  # in the thesis's unit of the recipe
    device: str
    threads: int


def cost_of_drawing(generator: Generator, device: torch.device, repeats: int = 100) -> DrawingCost:
    """Measure a generator, `fused`, on a device; in batches of 16 also a `shuffle`, which `draw` takes one by one."""
    from torch.utils.flop_counter import FlopCounterMode  # a fifth of a second, which no other command needs

    network = fused(generator, device)

    def seconds(batch: int, repeats: int) -> float:
        z = torch.randn(batch, LATENT_SIZE, 1, 1, device=device)
        return _median_seconds(lambda: network(z).sum().item(), repeats)  # the sum waits for the device

    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, LATENT_SIZE, 1, 1, device=device))
        return DrawingCost(
            parameters=count_parameters(generator),
            operations=counter.get_total_flops(),
            latency=seconds(1, repeats),
            throughput=BATCH / seconds(BATCH, repeats // 5 + 1),
            device=str(device),
            threads=torch.get_num_threads(),
        )


def cost_of_training(recipe: Recipe, pictures: Tensor | None, repeats: int = 3) -> TrainingCost:
    """Measure steps of a run that is not kept. Raises UserError as `train` does.

    On a CPU the peak is that of the process, so it says most in a fresh one: see `measure_apart`.
    """
    tiny = R1(generator="big/64@32", critic="plain-critic/64", batch=2, steps=1, device=recipe.device)
    update(warm := new_state(tiny, torch.zeros(2, 3, 32, 32, dtype=torch.uint8)))  # torch loads what it needs
    reset_peak_memory(warm.device)
    baseline = peak_memory(warm.device)
    state = new_state(recipe, pictures)
    cycle = recipe.penalty_every  # steps, of which one has the lazy penalty
    seconds = _median_seconds(lambda: _train(state, cycle), repeats) / cycle
    images = state.images / state.step
    peak = peak_memory(state.device)
    held = _Held()
    with held:
        update(state)
    trained: list[tuple[torch.nn.Module, torch.optim.Optimizer]] = [(state.generator, state.optimiser)]
    trained += [(opponent.critic, opponent.optimiser) for opponent in state.opponents]
    networks = [network for network, _ in trained] + [state.average, *state.frozen.values()]
    weights = {p.data_ptr(): p.nbytes for network in networks for p in network.state_dict().values()}
    moments = [entry.values() for _, optimiser in trained for entry in optimiser.state.values()]
    return TrainingCost(
        weights=sum(weights.values()),
        gradients=max(sum(p.nbytes for p in network.parameters() if p.requires_grad) for network, _ in trained),
        optimiser=sum(value.nbytes for values in moments for value in values),
        activations=held.most,
        peak=peak,
        peak_of="CUDA's allocator" if state.device.type == "cuda" else "the process",
        baseline=baseline,
        batch=recipe.batch,
        images=images,
        seconds=seconds,
        epoch_seconds=seconds * recipe.epoch_steps,
        device=str(state.device),
        threads=torch.get_num_threads(),
    )


def measure_apart(recipe: Recipe) -> TrainingCost:
    """`cost_of_training` on black pictures, with the memory of a process of its own. Raises UserError if that fails."""
    # there, large blocks go back to the system when they are freed, so that the peak is of what is in use; that is slow
    environment = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    apart = trial(recipe, UNHURRIED, **environment)
    return dataclasses.replace(cost_of_training(recipe, _black(recipe)), peak=apart.peak, baseline=apart.baseline)


def trial(recipe: Recipe, seconds: float = HURRIED, **environment: str) -> TrainingCost:
    """`cost_of_training`, quickly, in a process of its own. Raises UserError if that fails or takes too long."""
    *_, cost = follow_trial(recipe, seconds, **environment)
    assert cost is not None
    return cost


def follow_trial(recipe: Recipe, seconds: float = HURRIED, **environment: str) -> Updates[TrainingCost | None]:
    """`trial` for who waits: None, a few times a second, at last the cost. Closing the iterator ends the process."""
    words, given = ["ganopt.training.profiling", str(math.ceil(seconds))], json.dumps(describe(recipe))
    with contextlib.closing(follow_module(words, given, "Estimating", seconds, **environment)) as updates:
        for printed in updates:
            yield None if printed is None else TrainingCost(**json.loads(printed))


def peak_memory(device: torch.device) -> int:
    """The most bytes held so far: by CUDA's allocator, by MPS's driver now, else by the process (resident)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    if sys.platform == "linux":  # getrusage would count the process that started this one, too
        return _kilobytes("VmHWM")
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory` count from now on: on CUDA, and for the process on Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


class _Held(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that autograd holds for backward passes, each piece of memory once, parameters not at all."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.holders: dict[int, int] = {}
        super().__init__(self._keep, lambda kept: kept.tensor)

    def _keep(self, tensor: Tensor) -> "_Kept":
        return _Kept(self, tensor)


class _Kept:
    """A tensor that autograd holds, until it lets go."""

    def __init__(self, held: _Held, tensor: Tensor):
        self.held, self.tensor = held, tensor
        storage = tensor.untyped_storage()
        self.key, self.size = storage.data_ptr(), 0 if isinstance(tensor, torch.nn.Parameter) else storage.nbytes()
        held.holders[self.key] = held.holders.get(self.key, 0) + 1
        if held.holders[self.key] == 1:
            held.now += self.size
            held.most = max(held.most, held.now)

    def __del__(self) -> None:
        self.held.holders[self.key] -= 1
        if self.held.holders[self.key] == 0:
            self.held.now -= self.size


def _median_seconds(action, repeats: int) -> float:
    """The median of some times, after one that warms up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _train(state: State, steps: int) -> None:
    """Some steps, to their end."""
    for _ in range(steps):
        losses = update(state)
        state.step += 1
    _value(losses)


def _value(losses: dict[str, Tensor]) -> list[float]:
    """Losses as numbers, for which the device is waited."""
    return torch.stack(list(losses.values())).tolist()


def _kilobytes(field: str) -> int:
    """A field of this process's status on Linux, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


def _black(recipe: Recipe) -> Tensor | None:
    recipe = resolved(recipe)
    pictures = torch.zeros(recipe.batch, 3, recipe.side, recipe.side, dtype=torch.uint8)
    return pictures if recipe.needs_pictures else None


if __name__ == "__main__":  # for `follow_trial`
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(int(sys.argv[1]) + 5)  # the process ends in any case, whatever became of who asked
    asked = parse(json.load(sys.stdin))
    with exit_on_user_error():
        cost = cost_of_training(asked, _black(asked), repeats=1)
    print(json.dumps(dataclasses.asdict(cost)))
