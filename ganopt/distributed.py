"""Several processes that share one training or measurement. torchrun starts them, and `joined` connects them.

Every process draws the random numbers of a whole batch and takes its share, so that a run does not depend on how many
there are, but for rounding: gradients, losses and BatchNorm's statistics are averaged over the processes. Elsewhere
than in the block of `joined`, there is one process, and nothing here changes anything. What waits for other processes
raises UserError if one of them has ended.
"""

import contextlib
import datetime
import itertools
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import batch_norm

from ganopt.errors import UserError

TIMEOUT = datetime.timedelta(days=1)  # others wait while the first process saves or measures; torchrun ends them
ITEMS, CHANNELS = (0, 2, 3), (1, -1, 1, 1)  # dimensions that BatchNorm averages over, and a shape for its statistics
Value = TypeVar("Value")

_rank, _processes = 0, 1


@contextlib.contextmanager
def joined() -> Iterator[bool]:
    """Connect the processes that torchrun has started. In the block, only the first one prints.

    If some fail, the first to fail raises its error, and the others exit with status 1 and without a word.
    """
    global _rank, _processes
    store, rank, processes = next(dist.rendezvous("env://"))
    backends = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backends, timeout=TIMEOUT, store=store, rank=rank, world_size=processes)
    _rank, _processes = rank, processes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # torchrun ends the others when one has failed
    try:
        with contextlib.ExitStack() as stack:
            if rank:
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8", errors="backslashreplace"))
                stack.enter_context(contextlib.redirect_stdout(nowhere))
                stack.enter_context(contextlib.redirect_stderr(nowhere))
            yield True
        dist.destroy_process_group()
    except (Exception, KeyboardInterrupt) as error:
        if rank if isinstance(error, KeyboardInterrupt) else _failed_before(store):
            sys.exit(1)
        raise
    finally:
        _rank, _processes = 0, 1


def _failed_before(store: "dist.Store") -> bool:
    """Whether another process has failed before this one."""
    try:
        return store.add("ganopt/failures", 1) > 1
    except RuntimeError:  # torchrun, which holds the store, has ended
        return True


def rank() -> int:
    """The number of this process. The first one, 0, alone writes and prints."""
    return _rank


def processes() -> int:
    """How many processes there are."""
    return _processes


def check_batch(batch: int) -> None:
    """Raise UserError if a batch cannot be divided among the processes."""
    if batch % _processes:
        remedy = f"use a multiple of {_processes}, or another number of processes"
        raise UserError(f"A batch of {batch} pictures cannot be divided among {_processes} processes; {remedy}.")


def whole(count: int) -> int:
    """The size of a batch of which this process has `count` items."""
    return count * _processes


def share(batch: Tensor) -> Tensor:
    """The items of a whole batch that are for this process: one for each process, in turn."""
    return batch[_rank::_processes].contiguous()


def own_items(items: Iterable[Value]) -> Iterator[Value]:
    """Those of some items that are for this process, likewise."""
    return itertools.islice(items, _rank, None, _processes)


def merged(items: Iterator[Value]) -> Iterator[Value]:
    """The items of all processes, each of which has its own ones, in their order."""
    if _processes == 1:
        yield from items
        return
    found: list[Any] = [None] * _processes
    while True:
        _together(dist.all_gather_object, found, next(items, None))
        if found[0] is None:
            return
        yield from (each for each in found if each is not None)


def first(value: Value) -> Value:
    """The value of the first process, in each of them."""
    if _processes == 1:
        return value
    found = [value]
    _together(dist.broadcast_object_list, found)
    return found[0]


def in_any(condition: bool) -> bool:
    """Whether a condition holds in any process. Each waits for the others here."""
    if _processes == 1:
        return condition
    found = torch.tensor(int(condition))
    _together(dist.all_reduce, found, dist.ReduceOp.MAX)
    return bool(found)


def wait_for_others() -> None:
    """Return when each process has come here."""
    in_any(False)


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors on one device by their averages over the processes."""
    if _processes == 1 or not tensors:
        return
    flat = torch.cat([each.flatten() for each in tensors])
    _together(dist.all_reduce, flat)
    flat /= _processes
    for tensor, part in zip(tensors, flat.split([each.numel() for each in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def share_statistics(network: nn.Module) -> None:
    """Let the BatchNorm of a network normalise by the whole batch, as in one process."""
    for module in network.modules() if _processes > 1 else ():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _BatchNorm  # keeps the names of its tensors


class _BatchNorm(nn.BatchNorm2d):
    """BatchNorm over the whole batch, on any device; torch.nn.SyncBatchNorm is for GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        variance, mean = torch.var_mean(x.detach().float(), ITEMS, correction=0)
        own = torch.stack([mean, variance])  # (2, C)
        found = [torch.empty_like(own) for _ in range(_processes)]
        _together(dist.all_gather, found, own)
        means, variances = torch.stack(found, dim=1)  # (P, C) each
        mean, variance = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        count = whole(x.numel() // x.shape[1])
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        return _Normalised.apply(x, self.weight, self.bias, mean, variance, self.eps)


class _Normalised(torch.autograd.Function):
    """Maps (N, C, H, W), normalised by statistics (C,) that depend on the maps of all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, e: float) -> Tensor:
        ctx.save_for_backward(x, weight, mean, (variance + e).rsqrt())
        return batch_norm(x, mean, variance, weight, bias, eps=e)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        gradient, normal = gradient.float(), (x.float() - mean.view(CHANNELS)) * scale.view(CHANNELS)
        of_bias, of_weight = gradient.sum(ITEMS), (gradient * normal).sum(ITEMS)
        means = torch.stack([of_bias, of_weight]) * x.shape[1] / x.numel()
        average([means])
        shift, slope = (each.view(CHANNELS) for each in means)
        of_x = (gradient - shift - normal * slope) * (weight * scale).view(CHANNELS)
        return of_x.to(x.dtype), of_weight, of_bias, None, None, None


def _together(operation: Callable[..., Any], *arguments: Any) -> None:
    """Run an operation in which all processes take part. Raises UserError if one has ended."""
    try:
        operation(*arguments)
    except RuntimeError as error:
        reason = re.sub(r"^\[\S+\] ", "", str(error).splitlines()[0]).partition(". ")[0]
        raise UserError(f"A process has lost the others ({reason}); start them again, or fewer of them.") from error
