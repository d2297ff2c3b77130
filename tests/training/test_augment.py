"""DiffAugment against shifts, holes and colours worked out here; each change is drawn from the generator given."""

import pytest
import torch
from torch import nn

from ganopt.training.augment import POLICIES, diff_augment, horizontal_flip

EACH = [(name,) for name in POLICIES]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 6, side: int = 32, **options) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=draws(99), **options) * 2 - 1


def shifted(picture: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """A picture (3, H, W) moved by up to four pixels, zero where nothing comes from."""
    height, width = picture.shape[1:]
    padded = nn.functional.pad(picture, (4, 4, 4, 4))
    return padded[:, 4 - down : 4 - down + height, 4 - right : 4 - right + width]


@pytest.mark.parametrize("policy", [*EACH, POLICIES])
def test_the_same_draws_give_the_same_change(policy):
    x = noise()
    first, again, other = (diff_augment(x, policy, draws(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first, x)


@pytest.mark.parametrize("policy", [*EACH, POLICIES])
def test_draws_come_from_the_generator_alone(policy):
    torch.manual_seed(3)
    before, random = torch.get_rng_state(), draws()
    first = diff_augment(noise(), policy, random)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(diff_augment(noise(), policy, random), first)  # it has moved on


@pytest.mark.parametrize("policy", [*EACH, POLICIES])
def test_each_picture_is_changed_in_its_own_way(policy):
    same = noise(1).expand(8, -1, -1, -1)
    changed = diff_augment(same, policy, draws())
    assert len({tuple(picture.flatten().tolist()) for picture in changed}) > 4


@pytest.mark.parametrize("policy", [*EACH, POLICIES])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("side", [8, 32])
def test_shape_and_dtype_are_kept_and_the_input_is_not_touched(policy, dtype, side):
    x = noise(side=side, dtype=dtype)
    copy = x.clone()
    changed = diff_augment(x, policy, draws())
    assert changed.shape == x.shape and changed.dtype == dtype
    assert torch.equal(x, copy)


def test_no_policy_changes_nothing_and_draws_nothing():
    x, random = noise(), draws()
    before = random.get_state()
    assert torch.equal(diff_augment(x, (), random), x)
    assert torch.equal(random.get_state(), before)


def test_policies_are_applied_in_one_order_however_they_are_named():
    x = noise()
    assert torch.equal(diff_augment(x, POLICIES, draws()), diff_augment(x, POLICIES[::-1], draws()))


def test_translation_is_a_shift_by_up_to_an_eighth():
    x = noise(count=150, side=16)
    found = []
    for before, after in zip(x, diff_augment(x, ("translation",), draws()), strict=True):
        fits = [
            (down, right)
            for down in range(-4, 5)
            for right in range(-4, 5)
            if torch.equal(shifted(before, down, right), after)
        ]
        assert len(fits) == 1
        found += fits
    assert set(found) == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_cutout_leaves_a_square_hole_of_half_the_side():
    x = noise(count=60) + 3  # nowhere zero
    sides, centres = [], []
    for before, after in zip(x, diff_augment(x, ("cutout",), draws()), strict=True):
        hole = (after == 0).all(dim=0)
        rows, columns = hole.any(dim=1).nonzero().flatten(), hole.any(dim=0).nonzero().flatten()
        assert torch.equal(after[:, ~hole], before[:, ~hole])
        assert hole.sum() == len(rows) * len(columns)  # a rectangle, cut off by the picture's edge at most
        sides += [len(rows), len(columns)]
        centres += [(int(rows.sum() / len(rows)), int(columns.sum() / len(columns)))]
    assert max(sides) == 16
    assert len(set(centres)) > 30


def test_color_is_a_brightness_a_saturation_and_a_contrast_within_their_ranges():
    x = noise(count=200, side=8, dtype=torch.float64)
    y = diff_augment(x, ("color",), draws())
    level, new_level = x.mean(dim=(1, 2, 3)), y.mean(dim=(1, 2, 3))
    grey, new_grey = x.mean(dim=1, keepdim=True), y.mean(dim=1, keepdim=True)
    brightness = new_level - level
    contrast = new_grey.std(dim=(1, 2, 3)) / grey.std(dim=(1, 2, 3))
    saturation = (y - new_grey).std(dim=(1, 2, 3)) / (x - grey).std(dim=(1, 2, 3)) / contrast
    for values, low, high in ((brightness, -0.5, 0.5), (saturation, 0, 2), (contrast, 0.5, 1.5)):
        assert low <= values.min() and values.max() <= high
        assert values.min() < low + 0.1 * (high - low) and values.max() > high - 0.1 * (high - low)
    by_picture = [value.view(-1, 1, 1, 1) for value in (brightness, saturation, contrast, level)]
    shift, colourful, strong, middle = by_picture
    expected = middle + shift + strong * (grey - middle + colourful * (x - grey))
    torch.testing.assert_close(y, expected)


@pytest.mark.parametrize("policy", [*EACH, POLICIES])
def test_gradients_flow_and_are_right(policy):
    x = noise(count=2, side=8, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda pictures: diff_augment(pictures, policy, draws(4)), x)
    (gradient,) = torch.autograd.grad(diff_augment(x, policy, draws(4)).sum(), x)
    assert gradient.abs().sum() > 0


def test_a_flip_mirrors_about_half_of_the_pictures():
    x = noise(count=200, side=8)
    flipped = horizontal_flip(x, draws())
    mirrored = [torch.equal(after, before.flip(2)) for before, after in zip(x, flipped, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(x, flipped, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 70 < sum(mirrored) < 130
