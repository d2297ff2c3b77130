"""The sliced Wasserstein distance: as the paper says, in any order, and what it notices."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from ganopt.metrics import sliced_wasserstein as swd
from ganopt.metrics.sliced_wasserstein import resized, sliced_wasserstein, summarise


@pytest.fixture(autouse=True)
def fewer(monkeypatch):
    """Fewer directions, to save time."""
    monkeypatch.setattr(swd, "BASES", 1)


def noise(count: int, seed: int = 0, side: int = 128) -> Tensor:
    """Pictures of independent pixels, uint8 (count, 3, side, side)."""
    return torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def smooth(count: int, seed: int = 0, side: int = 16) -> Tensor:
    """Pictures without fine detail, uint8 (count, 3, 128, 128)."""
    return interpolate(noise(count, seed, side).float(), 128, mode="bicubic").clamp(0, 255).to(torch.uint8)


def blurred(pictures: Tensor, gain: float) -> Tensor:
    """The filter of the paper as a convolution of 5x5."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (gain * line.outer(line)).expand(3, 1, 5, 5)
    return conv2d(pad(pictures, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)


def plain_pyramid(pictures: Tensor) -> list[Tensor]:
    """The Laplacian pyramid of the paper: pyrDown and pyrUp, from 128 to 16 pixels."""
    levels, current = [], pictures.float()
    while current.shape[-1] > 16:
        smaller = blurred(current, 1)[..., ::2, ::2]
        spread = torch.zeros_like(current)
        spread[..., ::2, ::2] = smaller
        levels.append(current - blurred(spread, 4))
        current = smaller
    return [*levels, current]


def plain_distances(first: Tensor, second: Tensor, directions: np.ndarray) -> list[float]:
    """Karras et al. 2018 without any economy: 128 patches of 7x7 a picture, and all values along each direction."""
    chance = np.random.default_rng(0)
    distances = []
    for levels in zip(plain_pyramid(first), plain_pyramid(second), strict=True):
        described = []
        for level in levels:
            side = level.shape[-1]
            patches = np.stack(
                [
                    picture[:, top : top + 7, left : left + 7]
                    for picture in level.numpy()
                    for top, left in chance.integers(0, side - 6, (128, 2))
                ]
            )
            patches -= patches.mean(axis=(0, 2, 3), keepdims=True)
            patches /= patches.std(axis=(0, 2, 3), keepdims=True)
            described.append(patches.reshape(len(patches), -1))
        a, b = (np.sort(directions @ each.T, axis=1) for each in described)
        distances.append(1000 * float(np.abs(a - b).mean()))
    return distances


def test_the_pyramid_is_that_of_the_paper_and_a_flat_picture_has_no_detail():
    pictures = torch.cat([noise(2), smooth(2)])
    for ours, plain in zip(swd._pyramid(pictures), plain_pyramid(pictures), strict=True):
        assert ours.shape == plain.shape and torch.allclose(ours, plain, atol=1e-3)
    flat = swd._pyramid(torch.full((1, 3, 128, 128), 77, dtype=torch.uint8))
    assert [level.shape[-1] for level in flat] == [128, 64, 32, 16]
    assert all(level.abs().max() < 1e-4 for level in flat[:-1])
    assert torch.allclose(flat[-1], torch.tensor(77.0))


def test_it_is_the_distance_of_the_paper(monkeypatch):
    monkeypatch.setattr(swd, "BASES", 4)
    spots = 5 * torch.randn(120, 3, 128, 128, generator=torch.Generator().manual_seed(2)).pow(3)
    first, second = smooth(120, side=48), (smooth(120, 1, side=6).float() + spots).clamp(0, 255).to(torch.uint8)
    directions = swd._bases().flatten(0, 1).numpy()  # chance in them alone changes a level by some percent
    expected = plain_distances(first, second, directions)
    assert sliced_wasserstein(summarise(first), summarise(second)) == pytest.approx(expected, rel=0.02)


def test_its_directions_are_as_good_as_independent_ones(monkeypatch):
    monkeypatch.setattr(swd, "BASES", 4)
    chance = torch.Generator().manual_seed(1)
    independent = torch.randn(20_000, 147, generator=chance)
    independent /= independent.norm(dim=1, keepdim=True)
    for rank in (1, 10):  # the mean of |d . x| over directions d, for differences that lie in few dimensions
        difference = torch.randn(147, rank, generator=chance)
        ours, expected = ((each @ difference).norm(dim=-1).mean() for each in (swd._bases(), independent))
        assert ours == pytest.approx(expected.item(), rel=0.03)


@pytest.mark.parametrize("count", [50, 120])
def test_bins_lose_little_even_between_sets_that_are_alike(count):
    chance = torch.Generator().manual_seed(0)
    directions = torch.randn(64, 147, generator=chance)
    first, second = (torch.randn(128 * count, 147, generator=chance).pow(3) for _ in range(2))  # heavy tails
    a, b = ((directions @ values.T).sort(dim=1).values for values in (first, second))
    expected = 1000 * float((a - b).abs().mean())
    [found] = sliced_wasserstein(swd._bins(first, directions[None])[None], swd._bins(second, directions[None])[None])
    assert 0.98 * expected < found <= expected


def test_the_means_of_bins_are_those_of_the_quantile_function():
    values = torch.rand(1000, 147, generator=torch.Generator().manual_seed(1))
    found, edges = swd._bins(values, torch.eye(147)[None, :5]).double(), swd._edges()
    assert edges[0] == 0 and edges[-1] == 1 and (np.diff(edges) > 0).all()
    assert np.allclose(edges, 1 - edges[::-1])
    assert torch.allclose(found @ torch.from_numpy(np.diff(edges)), values[:, :5].double().mean(dim=0), atol=1e-6)
    assert torch.allclose(found[:, 0], values[:, :5].min(dim=0).values.double())
    assert (found.diff(dim=1) > -1e-6).all()


def test_patches_are_cut_out_of_their_own_picture():
    pictures = torch.arange(2 * 3 * 20 * 20).float().view(2, 3, 20, 20)
    for index, patch in enumerate(swd._patches(pictures, torch.Generator().manual_seed(0))):
        top, left = divmod(int(patch[0, 0]) % 400, 20)
        expected = pictures[index // swd.PATCHES, :, top : top + 7, left : left + 7]
        assert torch.equal(patch.view(3, 7, 7), expected)


@pytest.mark.parametrize("most", [60, 30])
def test_the_order_of_the_pictures_does_not_matter(monkeypatch, most):
    monkeypatch.setattr(swd, "PICTURES", most)
    pictures = torch.cat([smooth(50), noise(10)])
    summary = summarise(pictures)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    for other in (pictures.flip(0), pictures[order], torch.cat([pictures[:1].clone(), pictures[1:]])):
        assert sliced_wasserstein(summarise(other), summary) == [0, 0, 0, 0]
    assert min(sliced_wasserstein(summarise(pictures[:59]), summary)) > 0 or most == 30


def test_more_pictures_come_closer():
    reference = summarise(noise(60))
    few, many = (sum(sliced_wasserstein(summarise(noise(count, 1)), reference)) for count in (10, 60))
    assert 0 < many < few


def test_sets_of_equal_or_flat_pictures_have_finite_distances():
    flat = torch.full((12, 3, 128, 128), 77, dtype=torch.uint8)
    equal = smooth(1).expand(12, -1, -1, -1)
    for pictures in (flat, equal):
        assert sliced_wasserstein(summarise(pictures), summarise(pictures)) == [0, 0, 0, 0]
        assert all(100 < level < 2000 for level in sliced_wasserstein(summarise(flat), summarise(noise(12))))


def test_it_notices_at_which_resolution_detail_differs():
    spots = 20 * torch.randn(40, 3, 128, 128, generator=torch.Generator().manual_seed(2)).pow(3)
    sharp = (smooth(40).float() + spots).clamp(0, 255).to(torch.uint8)
    levels = sliced_wasserstein(summarise(sharp), summarise(smooth(40)))
    assert levels[0] > 3 * levels[-1]


def test_of_many_pictures_some_are_used(monkeypatch):
    monkeypatch.setattr(swd, "PICTURES", 12)
    pictures = noise(20)
    chosen = swd.content_keys(pictures).argsort()[:12]
    assert torch.equal(summarise(pictures), summarise(pictures[chosen]))
    assert not torch.equal(summarise(pictures), summarise(pictures[chosen[:11]]))
    assert len(swd.content_keys(pictures).unique()) == 20


@pytest.mark.parametrize("shape", [(300, 200), (64, 64), (1, 500)])
def test_pictures_of_any_size_are_resized(shape):
    pictures = torch.full((2, 3, *shape), 200, dtype=torch.uint8)
    assert torch.equal(resized(pictures), torch.full((2, 3, 128, 128), 200, dtype=torch.uint8))
    assert torch.equal(resized(noise(1)), noise(1))
