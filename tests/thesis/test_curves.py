"""What a curve of FID says: when it passed a value, and where it leads."""

import pytest

from ganopt.thesis.curves import Point, at_minutes, first_below, predict

FLOOR = 20.0


def curve(*fids: float) -> list[Point]:
    """A point every thousand pictures and ten minutes."""
    return [
        {"step": 100 * index, "images": 1000 * index, "minutes": 10.0 * index, "fid": fid}
        for index, fid in enumerate(fids, start=1)
    ]


def power_law(count: int) -> list[Point]:
    return curve(*(FLOOR + 5000 * (1000 * index) ** -0.5 for index in range(1, count + 1)))


def test_the_first_point_below_a_value():
    points = curve(90, 64, 60, 70, 50)
    assert first_below(points, 64) == points[2]  # 64 is not below itself
    assert first_below(points, 1000) == points[0]
    assert first_below(points, 50) is None and first_below([], 50) is None


@pytest.mark.parametrize(
    ("minutes", "index"),
    [(9.98, None), (10 - 0.99 / 60, 0), (10, 0), (19.98, 0), (20 - 0.99 / 60, 1), (29, 1), (30, 2), (500, 2)],
)
def test_the_point_that_some_minutes_had_led_to(minutes, index):
    points = curve(90, 64, 60)
    for order in (points, points[::-1]):
        assert at_minutes(order, minutes) == (None if index is None else points[index])
    assert at_minutes([], minutes) is None


@pytest.mark.parametrize("count", [5, 6, 20])
@pytest.mark.parametrize("images", [500, 40_000, 10**6])
def test_a_power_law_is_continued_exactly(count, images):
    assert predict(power_law(count), FLOOR, images) == pytest.approx(FLOOR + 5000 * images**-0.5, rel=1e-9)


def test_only_the_later_half_counts():
    points = power_law(10)
    assert predict(curve(*[500.0] * 5) + points[5:], FLOOR, 50_000) == predict(points, FLOOR, 50_000)
    changed = points[:5] + [points[5] | {"fid": 500.0}] + points[6:]
    assert predict(changed, FLOOR, 50_000) != pytest.approx(predict(points, FLOOR, 50_000))


@pytest.mark.parametrize(
    "points",
    [
        [],
        curve(90),
        power_law(4),
        curve(90, 80, 70, 40, 19, 18),
        curve(40, 50, 60, 70, 80, 90),
    ],
    ids=["none", "one", "few", "below the floor", "rising"],
)
def test_what_leads_nowhere_predicts_nothing(points):
    assert predict(points, FLOOR, 50_000) is None


def test_points_below_the_floor_are_passed_over():
    points = power_law(12)
    expected = FLOOR + 5000 * 50_000**-0.5
    for fid in (FLOOR, FLOOR - 5):
        assert predict([*points[:8], points[8] | {"fid": fid}, *points[9:]], FLOOR, 50_000) == pytest.approx(expected)
