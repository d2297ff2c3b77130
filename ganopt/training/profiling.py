"""The cost of networks and runs: size, operations, time, memory."""

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

import torch
from torch import Tensor

from ganopt.errors import exit_on_user_error
from ganopt.models.devices import peak_memory, reset_peak_memory
from ganopt.models.networks import LATENT_SIZE, Generator, count_parameters
from ganopt.models.sampling import inference_copy
from ganopt.subprocesses import follow_module
from ganopt.training.methods import method_of, new_state, resolved
from ganopt.training.methods import recipe as make_recipe
from ganopt.training.recipe_text import describe, parse
from ganopt.training.recipes import Recipe
from ganopt.training.state import State
from ganopt.training.step import train_step

BATCH = 16  # for the throughput
TRIAL_TIMEOUT, LONG_TRIAL_TIMEOUT = 60.0, 3600.0  # seconds; a visitor waits for the first kind


@dataclass(frozen=True, kw_only=True)
class DrawingCost:
    """The cost of drawing with a generator."""

    parameters: int
    operations: int  # floating-point operations per picture; a multiply-add counts as two
    latency: float  # seconds for a single picture, median, after warm-up
    throughput: float  # pictures per second in batches of 16, median, after warm-up
    device: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """The cost of a training step, in bytes unless it says otherwise."""

    weights: int  # of all networks: generator, critics, moving average, teacher
    gradients: int  # of the network with the most; those of two networks are never held at the same time
    optimiser: int
    activations: int  # the most that is held for a backward pass
    peak: int  # of CUDA's allocator, else of the process, including torch's code
    peak_of: str  # "CUDA's allocator" or "the process"
    baseline: int  # the part of the peak from before the networks were built: on a CPU almost a gigabyte
    batch: int
    images: float  # real pictures seen by the critic in a step
    seconds: float  # per step, including its share of a lazy penalty; median, after warm-up
    epoch_seconds: float  # per epoch, as the thesis defines it for the recipe
    device: str
    threads: int


def cost_of_drawing(generator: Generator, device: torch.device, repeats: int = 100) -> DrawingCost:
    """Measure a generator's `inference_copy` on a device, in batches of 16 even where `draw` uses smaller ones."""
    from torch.utils.flop_counter import FlopCounterMode  # takes 0.2 s to import, and only this needs it

    network = inference_copy(generator, device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, LATENT_SIZE, 1, 1, device=device))
    return DrawingCost(
        parameters=count_parameters(generator),
        operations=counter.get_total_flops(),
        latency=latency(network, device, repeats),
        throughput=BATCH / latency(network, device, repeats // 5 + 1, BATCH),
        device=str(device),
        threads=torch.get_num_threads(),
    )


@torch.inference_mode()
def latency(network: torch.nn.Module, device: torch.device, repeats: int, batch: int = 1) -> float:
    """The median seconds that an `inference_copy` takes for a batch of pictures, after warm-up."""
    z = torch.randn(batch, LATENT_SIZE, 1, 1, device=device)
    return median_seconds(lambda: network(z).sum().item(), repeats)  # the sum waits for the device


def cost_of_training(recipe: Recipe, pictures: Tensor | None, repeats: int = 3) -> TrainingCost:
    """Measure some steps of a run, which is not saved. Raises UserError as `train` does.

    On a CPU the peak is that of the process, so it is only meaningful in a new one: see `measure_in_subprocess`.
    """
    settings = {"generator": "big/64@32", "critic": "plain-critic/64", "batch": 2, "steps": 1}
    warm = new_state(make_recipe("r1", device=recipe.device, **settings), torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    train_step(warm)  # torch loads its code
    reset_peak_memory(warm.device)
    baseline = peak_memory(warm.device)
    state = new_state(recipe, pictures)
    cycle = max(critic.penalty_every for critic in recipe.critics)  # one of these steps has the lazy penalty
    seconds = median_seconds(lambda: _train(state, cycle), repeats) / cycle
    images = state.images / state.step
    peak = peak_memory(state.device)
    saved = _SavedTensors()
    with saved:
        train_step(state)
    trained: list[tuple[torch.nn.Module, torch.optim.Optimizer]] = [(state.generator, state.optimiser)]
    trained += [(critic.network, critic.optimiser) for critic in state.critics]
    networks = [network for network, _ in trained] + [state.average, *state.frozen.values()]
    weights = {p.data_ptr(): p.nbytes for network in networks for p in network.state_dict().values()}
    moments = [entry.values() for _, optimiser in trained for entry in optimiser.state.values()]
    return TrainingCost(
        weights=sum(weights.values()),
        gradients=max(sum(p.nbytes for p in network.parameters() if p.requires_grad) for network, _ in trained),
        optimiser=sum(value.nbytes for values in moments for value in values),
        activations=saved.most,
        peak=peak,
        peak_of="CUDA's allocator" if state.device.type == "cuda" else "the process",
        baseline=baseline,
        batch=recipe.batch,
        images=images,
        seconds=seconds,
        epoch_seconds=seconds * method_of(recipe).epoch_steps,
        device=str(state.device),
        threads=torch.get_num_threads(),
    )


def measure_in_subprocess(recipe: Recipe) -> TrainingCost:
    """`cost_of_training` on black pictures, with memory measured in a subprocess. Raises UserError if that fails."""
    # this threshold returns freed blocks to the system, so the peak counts only memory in use; it is slow
    environment = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    *_, isolated = follow_trial(recipe, LONG_TRIAL_TIMEOUT, **environment)
    assert isolated is not None
    cost = cost_of_training(recipe, _black_pictures(recipe))
    return dataclasses.replace(cost, peak=isolated.peak, baseline=isolated.baseline)


def follow_trial(recipe: Recipe, seconds: float = TRIAL_TIMEOUT, **environment: str) -> Updates[TrainingCost | None]:
    """A quick `cost_of_training` in a subprocess: yields None a few times a second, and the cost at the end.

    Closing the iterator ends the process. Raises UserError if that fails or takes too long.
    """
    argv, given = ["ganopt.training.profiling", str(math.ceil(seconds))], json.dumps(describe(recipe))
    with contextlib.closing(follow_module(argv, given, "Estimating", seconds, **environment)) as updates:
        for printed in updates:
            yield None if printed is None else TrainingCost(**json.loads(printed))


class _SavedTensors(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that autograd holds for backward passes: each storage once, without parameters."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.holders: dict[int, int] = {}
        super().__init__(self._pack, lambda saved: saved.tensor)

    def _pack(self, tensor: Tensor) -> "_SavedTensor":
        return _SavedTensor(self, tensor)


class _SavedTensor:
    """A tensor that autograd holds; uncounted when autograd releases it."""

    def __init__(self, counter: _SavedTensors, tensor: Tensor):
        self.counter, self.tensor = counter, tensor
        storage = tensor.untyped_storage()
        self.key, self.size = storage.data_ptr(), 0 if isinstance(tensor, torch.nn.Parameter) else storage.nbytes()
        counter.holders[self.key] = counter.holders.get(self.key, 0) + 1
        if counter.holders[self.key] == 1:
            counter.now += self.size
            counter.most = max(counter.most, counter.now)

    def __del__(self) -> None:
        self.counter.holders[self.key] -= 1
        if self.counter.holders[self.key] == 0:
            self.counter.now -= self.size


def median_seconds(action, repeats: int) -> float:
    """The median duration of an action, after one run to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _train(state: State, steps: int) -> None:
    """Run some steps and wait until they are finished."""
    for _ in range(steps):
        losses = train_step(state)
        state.step += 1
    torch.stack(list(losses.values())).tolist()  # waits for the device


def _black_pictures(recipe: Recipe) -> Tensor | None:
    recipe = resolved(recipe)
    pictures = torch.zeros(recipe.batch, 3, recipe.side, recipe.side, dtype=torch.uint8)
    return pictures if recipe.needs_pictures else None


if __name__ == "__main__":  # for `follow_trial`
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(int(sys.argv[1]) + 5)  # ends the process even if its parent was killed
    given = parse(json.load(sys.stdin))
    with exit_on_user_error():
        cost = cost_of_training(given, _black_pictures(given), repeats=1)
    print(json.dumps(dataclasses.asdict(cost)))
