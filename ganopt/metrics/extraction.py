"""Running a network over many batches of pictures: on a CPU, a batch belongs to one thread."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

import torch
from torch import Tensor

MOST_HELD = 256 << 20  # bytes of batches that are being seen or wait for it, if there is more than one
NOTHING = torch.empty(0)
LARGE = (32 << 20) - (1 << 16)  # bytes: a little less than the largest block that glibc adapts to


def extract(
    batches: Iterable[Tensor | None], network: Callable[[Tensor], Tensor], device: torch.device
) -> Iterator[Tensor]:
    """What the network says, on the CPU, of batches that it is given on the device, in their order, as it is ready.

    One batch for each CPU thread is faster than to share each batch among all of them. For None in place of a batch,
    no rows come, at once, so that whoever waits may stop.
    """

    @torch.inference_mode()
    def see(batch: Tensor) -> Tensor:
        return network(batch.to(device)).cpu()

    if device.type != "cpu":
        for batch in batches:
            yield NOTHING if batch is None else see(batch)
        return
    threads = torch.get_num_threads()
    with _single_threads(threads) as pool:
        waiting: deque[tuple[Future[Tensor], int]] = deque()
        held = 0
        try:
            for batch in batches:
                if batch is None:
                    yield NOTHING
                    continue
                waiting.append((pool.submit(see, batch), batch.nbytes))
                held += batch.nbytes
                while len(waiting) > 2 * threads or (held > MOST_HELD and len(waiting) > 1):
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
    """A pool of `count` threads, which compute alone; in others, and by default, torch goes on with `count`."""
    ready = Barrier(count + 1)

    def start() -> None:
        torch.get_num_threads()  # the first question takes the default, and must not come later
        torch.set_num_threads(1)
        ready.wait()

    # allocated and freed: from then on glibc keeps memory of large tensors instead of returning it and asking again
    torch.empty(LARGE, dtype=torch.uint8)
    with ThreadPoolExecutor(count) as pool:
        for _ in range(count):
            pool.submit(start)
        ready.wait()
        torch.set_num_threads(count)
        yield pool
