"""Seeds are the same latents everywhere, and walks between them stay where latents lie."""

import random

import numpy as np
import pytest
import torch

from ganopt.models.latents import (
    FIXED_SEEDS,
    MAX_SEED,
    Point,
    encode_latent,
    face_at,
    file_stem,
    format_seeds,
    interpolate,
    label,
    latent,
    latents,
    map_latent,
    map_position,
    parse_faces,
    parse_seeds,
    point_of,
    slerp,
)


@pytest.mark.parametrize("seed", [0, 1, 42, 99_999, MAX_SEED])
def test_a_latent_is_numpys_draw_of_its_seed(seed):
    expected = np.random.RandomState(seed).standard_normal(100).astype(np.float32)
    z = latent(seed)
    assert z.shape == (100, 1, 1) and z.dtype == torch.float32
    assert np.array_equal(z.flatten().numpy(), expected)


def test_latents_are_stacked_in_order_and_leave_global_streams_alone():
    torch.manual_seed(5), np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    batch = latents([7, 3, 7])
    assert batch.shape == (3, 100, 1, 1)
    assert torch.equal(batch[0], latent(7)) and torch.equal(batch[1], latent(3)) and torch.equal(batch[2], batch[0])
    assert torch.equal(torch.get_rng_state(), before[0]) and np.array_equal(np.random.get_state()[1], before[1])


def test_there_are_six_fixed_latents_all_different():
    assert len(FIXED_SEEDS) == 6 and len(latents(FIXED_SEEDS).unique(dim=0)) == 6


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0-8, 42, 100-103", [*range(9), 42, 100, 101, 102, 103]),
        ("7", [7]),
        ("3,1,2", [3, 1, 2]),
        ("5 5", [5]),
        ("3, 1-4, 2", [3, 1, 2, 4]),
        ("4;5\n6\t7", [4, 5, 6, 7]),
        (" 1 - 3 ,, 9,", [1, 2, 3, 9]),
        ("2-2", [2]),
        ("007", [7]),
        (str(MAX_SEED), [MAX_SEED]),
        ("0\u20132, 7 \u2014 8, 3\u22124", [0, 1, 2, 7, 8, 3, 4]),  # dashes as in a text
    ],
)
def test_seeds_are_read_once_in_the_order_written(text, seeds):
    assert parse_seeds(text, 100) == seeds


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("5-2", "write 2-5"),
        ("a", "'a' is not a seed"),
        ("-1", "'-1' is not a seed"),
        ("4, -1", "'-1' is not a seed"),
        ("1-", "is not a seed"),
        ("1-2-3", "is not a seed"),
        ("1.5", "'1.5' is not a seed"),
        ("1e3", "is not a seed"),
        ("0x10", "is not a seed"),
        ("", "There are no seeds"),
        (" , ;", "There are no seeds"),
        (str(2**32), "use at most 4294967295"),
        (f"0-{2**32}", "use at most 4294967295"),
        ("9" * 500, "is not a seed"),
        ("1-" + "9" * 500, "is not a seed"),
        ("x" * 5000, "is not a seed"),
        ("٣", "'٣' is not a seed"),
        ("1-３", "is not a seed"),
        ("²", "'²' is not a seed"),
    ],
)
def test_what_is_no_list_of_seeds_is_refused(text, fragment, refuses):
    with refuses(fragment):
        parse_seeds(text, 100)


@pytest.mark.parametrize("text", ["0-9999", ", ".join(map(str, range(10_000))), f"0-{MAX_SEED}", "1-60, 61-101"])
def test_more_seeds_than_the_limit_are_refused(text, refuses):
    with refuses("more than 100 seeds"):
        parse_seeds(text, 100)


def test_the_limit_itself_is_allowed():
    assert len(parse_seeds("0-9999", 10_000)) == len(parse_seeds("0-9999, 5, 0-9999", 10_000)) == 10_000


def test_writing_and_reading_seeds_is_a_round_trip():
    draw = random.Random(0)
    for _ in range(300):
        top = draw.choice([5, 30, MAX_SEED])
        seeds = [*dict.fromkeys(draw.randint(0, top) for _ in range(draw.randint(1, 40)))]
        text = format_seeds(seeds)
        assert parse_seeds(text, 40) == seeds, text


@pytest.mark.parametrize(
    ("seeds", "text"), [([*range(9), 42, *range(100, 104)], "0-8, 42, 100-103"), ((5, 4, 4), "5, 4, 4"), ([], "")]
)
def test_runs_of_seeds_are_written_as_ranges(seeds, text):
    assert format_seeds(seeds) == text


def test_slerp_ends_exactly_at_its_ends():
    start, end = latent(1), latent(2)
    assert torch.equal(slerp(start, end, 0.0), start) and torch.equal(slerp(start, end, 1.0), end)
    slerp(start, end, 0.0).zero_()  # a copy: the latent itself stays
    assert torch.equal(start, latent(1))


@pytest.mark.parametrize("t", [0.01, 0.25, 0.5, 0.9])
def test_slerp_turns_at_an_even_rate_and_interpolates_the_length(t):
    start, end = latent(1), 3 * latent(2)
    middle = slerp(start, end, t)
    assert middle.norm().item() == pytest.approx(((1 - t) * start.norm() + t * end.norm()).item(), rel=1e-5)

    def angle(a: torch.Tensor, b: torch.Tensor) -> float:
        return torch.acos((a * b).sum().double() / (a.norm().double() * b.norm().double())).item()

    assert angle(start, middle) == pytest.approx(t * angle(start, end), abs=1e-4)
    assert angle(middle, end) == pytest.approx((1 - t) * angle(start, end), abs=1e-4)


@pytest.mark.parametrize("factor", [1.0, 2.0, 1 + 1e-7, -1.0, -0.5])
@pytest.mark.parametrize("t", [0.0, 0.1, 0.5, 0.7, 1.0])
def test_slerp_between_parallel_and_opposite_latents_is_finite(factor, t):
    z = latent(3)
    assert slerp(z, factor * z, t).isfinite().all()
    if factor > 0:
        torch.testing.assert_close(slerp(z, factor * z, t), (1 + t * (factor - 1)) * z)


def test_slerp_between_almost_parallel_latents_is_between_them():
    start = latent(3)
    end = start + 1e-3 * latent(4)
    torch.testing.assert_close(slerp(start, end, 0.5), (start + end) / 2, atol=1e-4, rtol=0)


def test_a_walk_has_its_frames_and_both_seeds():
    walk = interpolate(4, 9, 5)
    assert walk.shape == (5, 100, 1, 1)
    assert torch.equal(walk[0], latent(4)) and torch.equal(walk[-1], latent(9))
    assert torch.equal(walk[2], slerp(latent(4), latent(9), 0.5))
    assert torch.equal(interpolate(4, 9, 1)[0], latent(4))


@pytest.mark.parametrize(("x", "y", "seed"), [(0, 0, 0), (3, 2, 203), (99, 0, 99), (0, 1, 100), (42.0, 7.0, 742)])
def test_whole_points_of_the_map_are_seeds(x, y, seed):
    assert torch.equal(map_latent(x, y), latent(seed))
    assert map_position(seed) == (x, y)


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (0, -1), (-3, -2), (-250, 1)])
def test_the_map_goes_on_below_zero(x, y):
    assert torch.equal(map_latent(x, y), latent((x + 100 * y) % 2**32))


def test_between_four_points_the_map_is_their_weighted_mean_of_unit_variance():
    x, y = 5.25, 3.5
    corners = {(5, 3): 0.375, (6, 3): 0.125, (5, 4): 0.375, (6, 4): 0.125}
    mean = sum(weight * latent(column + 100 * row) for (column, row), weight in corners.items())
    length = sum(weight**2 for weight in corners.values()) ** 0.5
    torch.testing.assert_close(map_latent(x, y), mean / length)


@pytest.mark.parametrize("offset", [(0.5, 0.5), (0.5, 0.0), (0.2, 0.7)])
def test_the_variance_between_points_is_that_of_latents(offset):
    x, y = offset
    values = torch.cat([map_latent(2 * i + x, -3 * i + y).flatten() for i in range(200)])
    assert values.var().item() == pytest.approx(1, abs=0.04)  # 20,000 draws: four deviations
    assert values.mean().item() == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(("x", "y"), [(4.0, 2.0), (4.5, 2.0), (4.0, 2.3), (-1.0, -1.0), (0.0, 0.4), (3.7, 1.2)])
def test_the_map_is_continuous_within_and_across_its_cells(x, y):
    here = map_latent(x, y)
    for dx, dy in ((1e-5, 0), (-1e-5, 0), (0, 1e-5), (0, -1e-5), (1e-5, -1e-5)):
        assert (map_latent(x + dx, y + dy) - here).abs().max() < 1e-3


FOUND = encode_latent(latent(7))


@pytest.mark.parametrize(
    "text",
    ["7", "0-8, 42", "x6.25y0.5", "x-0.25y-3", FOUND, f"{FOUND}x0.25y-1", f"3-5, x0y0.0001, {FOUND}, 9"],
)
def test_the_name_of_a_face_is_read_again(text):
    faces = parse_faces(text, 100)
    assert format_seeds(faces) == text
    assert parse_faces(format_seeds(faces), 100) == faces


def test_a_point_of_the_map_is_between_seeds_and_a_found_latent_is_rounded_to_float16():
    (between, found, beside) = parse_faces(f"x6.5y0, {FOUND}, {FOUND}x1y0", 3)
    torch.testing.assert_close(latent(between), (latent(6) + latent(7)) / 2**0.5)
    assert torch.equal(latent(found), latent(7).half().float())
    assert torch.equal(latent(beside), latent(1))  # a seed is beside it, as beside seed 0
    assert [label(found), file_stem(found)] == [label(found).replace("-", " "), label(found).replace(" ", "-")]
    assert label(found).startswith("found ") and len(label(found)) == 10 and label(6) == "seed 6"


def test_a_point_with_whole_coordinates_is_a_seed():
    assert face_at(Point(6, 2)) == 206 and face_at(Point(-1, 0)) == MAX_SEED and point_of(206) == Point(6, 2)
    assert face_at(Point(6, 2.5)) == Point(6, 2.5) and face_at(Point(1, 0, FOUND)) == Point(1, 0, FOUND)
    assert str(Point(0.1, 0).moved(0.2, -0.05)) == "x0.3y-0.05"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("x1", "'x1' is not a point of the map"),
        ("x1e3y0", "not a point"),
        ("x123456789y0", "not a point"),
        ("x0.12345y0", "not a point"),
        ("xy", "'xy' is not a seed"),
        ("z", "has 267 letters"),
        (FOUND[:-1], "has 267 letters"),
        (f"{FOUND[:-1]}!", "has 267 letters"),
        (f"{FOUND}A", "'A' is not a point"),
        ("z" + "_" * 267, "numbers that no latent has"),
        ("0-99, x1y1", "more than 100"),
    ],
)
def test_what_is_no_name_of_a_face_is_refused(text, fragment, refuses):
    with refuses(fragment):
        parse_faces(text, 100)
