"""The sliced Wasserstein distance: the pyramid, known values, what it notices and what it does not."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganopt.metrics import sliced_wasserstein as swd
from ganopt.metrics.sliced_wasserstein import resized, sliced_wasserstein, summarise


def noise(count: int, seed: int = 0, side: int = 128) -> Tensor:
    """Pictures of independent pixels, uint8 (count, 3, side, side)."""
    return torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def smooth(count: int, seed: int = 0) -> Tensor:
    """Pictures without fine detail, uint8 (count, 3, 128, 128)."""
    return interpolate(noise(count, seed, 16).float(), 128, mode="bicubic").clamp(0, 255).to(torch.uint8)


def test_a_pyramid_adds_up_to_its_picture_and_a_flat_picture_has_no_detail():
    pictures = noise(2)
    *details, current = swd._pyramid(pictures)
    assert [level.shape[-1] for level in details] == [128, 64, 32] and current.shape[-1] == 16
    for level in reversed(details):
        current = interpolate(current, scale_factor=2, mode="bilinear", align_corners=False) + level
    assert torch.allclose(current, pictures.float(), atol=1e-3)
    flat = swd._pyramid(torch.full((1, 3, 128, 128), 77, dtype=torch.uint8))
    assert all(level.abs().max() < 1e-4 for level in flat[:-1])
    assert torch.allclose(flat[-1], torch.tensor(77.0))


def test_patches_are_cut_out_of_their_own_picture():
    pictures = torch.arange(2 * 3 * 20 * 20).float().view(2, 3, 20, 20)
    for index, patch in enumerate(swd._patches(pictures, torch.Generator().manual_seed(0))):
        top, left = divmod(int(patch[0, 0]) % 400, 20)
        expected = pictures[index // swd.PATCHES, :, top : top + 7, left : left + 7]
        assert torch.equal(patch.view(3, 7, 7), expected)


def test_normal_values_have_the_quantiles_of_the_normal_distribution():
    values = torch.randn(50_000, 3, 49, generator=torch.Generator().manual_seed(1))
    found = swd._quantiles(3 * values + 10, torch.eye(147)[:5])  # shift and scale are normalised away
    expected = torch.distributions.Normal(0, 1).icdf((torch.arange(swd.QUANTILES) + 0.5) / swd.QUANTILES)
    assert torch.allclose(found, expected.expand_as(found), atol=0.06)


def test_equal_sets_have_distance_0_and_more_pictures_come_closer():
    reference = summarise(noise(60))
    assert sliced_wasserstein(reference, reference) == [0, 0, 0, 0]
    few, many = (sum(sliced_wasserstein(summarise(noise(count, 1)), reference)) for count in (10, 60))
    assert 0 < many < few


def test_it_notices_at_which_resolution_detail_differs():
    spots = 20 * torch.randn(40, 3, 128, 128, generator=torch.Generator().manual_seed(2)).pow(3)
    sharp = (smooth(40).float() + spots).clamp(0, 255).to(torch.uint8)
    levels = sliced_wasserstein(summarise(sharp), summarise(smooth(40)))
    assert levels[0] > 3 * levels[-1]


def test_only_the_first_pictures_count(monkeypatch):
    monkeypatch.setattr(swd, "PICTURES", 12)
    assert torch.equal(summarise(noise(20)), summarise(noise(20)[:12]))
    assert not torch.equal(summarise(noise(20)), summarise(noise(20)[:11]))


@pytest.mark.parametrize("shape", [(300, 200), (64, 64), (1, 500)])
def test_pictures_of_any_size_are_resized(shape):
    pictures = torch.full((2, 3, *shape), 200, dtype=torch.uint8)
    assert torch.equal(resized(pictures), torch.full((2, 3, 128, 128), 200, dtype=torch.uint8))
    assert torch.equal(resized(noise(1)), noise(1))
