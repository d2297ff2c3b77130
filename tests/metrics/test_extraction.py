"""A network over many batches: in order, a batch a thread, and nothing left behind."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ganopt.metrics import extraction
from ganopt.metrics.extraction import extract

CPU = torch.device("cpu")


class Slow(nn.Module):
    """Says the first byte of each picture and how many threads torch has; takes longest over those that come first."""

    def forward(self, pictures: Tensor) -> Tensor:
        first = pictures[:, 0, 0, 0].float()
        time.sleep(max(0.0, 0.02 - 0.002 * float(first[0])))
        return torch.stack([first, torch.full_like(first, torch.get_num_threads())], dim=1)


class Broken(nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        raise RuntimeError("out of memory")


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """torch has three threads, before and after."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    running = threading.active_count()
    yield 3
    seen = [torch.get_num_threads()]
    new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    new.start()
    new.join()
    torch.set_num_threads(before)
    assert seen == [3, 3]
    assert threading.active_count() == running


def batches(count: int, taken: list[int]) -> Iterator[Tensor]:
    for index in range(count):
        taken.append(index)
        yield torch.full((2, 3, 4, 4), index, dtype=torch.uint8)


def test_results_come_in_the_order_of_the_batches_from_single_threads():
    found = torch.cat(list(extract(batches(20, []), Slow(), CPU)))
    assert torch.equal(found[:, 0], torch.arange(20).repeat_interleave(2).float())
    assert set(found[:, 1].tolist()) == {1.0}
    assert not found.requires_grad


def test_few_batches_are_taken_ahead(threads):
    taken = []
    results = extract(batches(1000, taken), Slow(), CPU)
    next(results)
    assert len(taken) <= 2 * threads + 1
    results.close()
    assert len(taken) <= 2 * threads + 1


def test_of_large_batches_fewer_are_taken_ahead(monkeypatch):
    monkeypatch.setattr(extraction, "MAX_HELD", 200)  # bytes: two batches
    taken: list[int] = []
    for done, rows in enumerate(extract(batches(20, taken), Slow(), CPU)):
        assert len(taken) <= done + 3 and rows[0, 0] == done
    assert len(taken) == 20


def test_none_in_place_of_a_batch_comes_at_once():
    def interrupted() -> Iterator[Tensor | str]:
        yield from batches(1, [])
        yield from ["no picture", "no picture"]
        yield from batches(1, [])

    assert [rows == "no picture" for rows in extract(interrupted(), Slow(), CPU)] == [True, True, False, False]


def test_no_batches_no_results():
    assert list(extract([], Slow(), CPU)) == []


def test_an_error_of_the_network_or_of_the_batches_arrives():
    def failing() -> Iterator[Tensor]:
        yield from batches(2, [])
        raise OSError("gone")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(extract(batches(5, []), Broken(), CPU))
    with pytest.raises(OSError, match="gone"):
        list(extract(failing(), Slow(), CPU))


def test_on_an_accelerator_it_is_one_batch_after_another(threads):
    taken = []
    results = extract(batches(5, taken), nn.Identity(), torch.device("meta"))
    with pytest.raises(NotImplementedError):  # a meta tensor holds nothing that could be copied
        next(results)
    assert taken == [0]
