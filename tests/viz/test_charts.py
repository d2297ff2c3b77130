import itertools
import re
from xml.etree import ElementTree

from ganopt.viz.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Plot, Point, lines, pareto, scatter

POINTS = (
    Point("teacher", 95.7, 42.6),
    Point("small & good", 7.2, 51.0),
    Point("small", 7.2, 65.0),
    Point("small too", 7.2, 65.1),
    Point("large", 191.0, 42.6),
    Point("tiny", 2.2, 90.0),
)


def test_the_front_holds_what_nothing_is_better_and_as_small_than():
    assert [point.name for point in pareto(POINTS)] == ["tiny", "small & good", "teacher"]
    assert pareto(POINTS[:1]) == [POINTS[0]]


def test_a_scatter_is_an_image_with_each_name_in_it_and_none_on_another_or_on_a_point():
    image = ElementTree.fromstring(scatter(Plot("fid500 against <cats>", POINTS, 21.2)))
    texts = {text.text: text for text in image.iter("text")}
    assert {point.name for point in POINTS} | {"fid500 against <cats>", "real against real 21.20"} <= set(texts)
    assert image.get("aria-label") == "fid500 against <cats>"
    positions = {name: (float(text.get("x")), float(text.get("y"))) for name, text in texts.items()}
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in positions.values())
    circles = [(float(circle.get("cx")), float(circle.get("cy"))) for circle in image.iter("circle")]
    (front,) = (path.get("d") for path in image.iter("path") if path.get("class") == "front")
    rows = [float(y) for y in re.findall(r"[,V]([0-9.]+)", front)]
    columns = [float(x) for x in re.findall(r"[MH]([0-9.]+)", front)]
    for point in POINTS:
        left, baseline = positions[point.name]
        right, top = left + 6.5 * len(point.name), baseline - 10
        assert not any(left < x < right and top < y < baseline for x, y in circles)
        steps = zip(columns, columns[1:], rows, strict=False)
        assert not any(left < end and start < right and top < y < baseline for start, end, y in steps)
        others = (positions[other.name] for other in POINTS if other is not point)
        assert not any(left <= x < right and top < y <= baseline for x, y in others)
    teacher, small, *_, tiny = circles
    assert tiny[0] < small[0] < teacher[0] and teacher[1] > small[1] > tiny[1]  # y runs down


def test_a_single_model_has_a_plot_too():
    image = ElementTree.fromstring(scatter(Plot("fid500", POINTS[:1])))
    assert len(list(image.iter("circle"))) == 1


def test_lines_run_over_the_plane_each_in_its_look():
    curves = {"real": [(0, 0.5), (20_000, 2.5)], "fake": [(0, 1.0), (20_000, -1.0)], "none": []}
    image = ElementTree.fromstring(lines("Scores", curves, "pictures seen"))
    paths = {path.get("class"): path.get("d") for path in image.iter("path") if path.get("class")}
    (x0, y0), (x1, y1) = (map(float, part.split(",")) for part in paths["curve0"][1:].split("L"))
    assert (x0, x1) == (LEFT, RIGHT) and TOP <= y1 < y0 <= BOTTOM and paths["curve2"] == ""
    texts = [text.text for text in image.iter("text")]
    assert {"Scores", "pictures seen", "real", "fake", "0", "10k", "-1", "2"} <= set(texts)


def test_no_two_curves_look_alike_and_each_name_stands_after_a_piece_of_its_curve():
    curves = {f"curve {index}": [(0, index), (9, index + 1)] for index in range(32)}
    image = ElementTree.fromstring(lines("Many", curves, "steps"))

    def looks(tag: str) -> list[tuple]:
        return [(each.get("class"), each.get("stroke-dasharray")) for each in image.iter(tag) if each.get("class")]

    assert len(set(looks("path"))) == 32 and looks("line") == looks("path")
    assert all(one[1] != other[1] for one, other in itertools.pairwise(looks("path")))
    assert [look for look, _ in looks("path")[7:9]] == ["curve7", "curve0"]
    names = {each.text: (float(each.get("x")), float(each.get("y"))) for each in image.iter("text")}
    for name, sample in zip(curves, image.iter("line"), strict=True):
        x, y = names[name]
        assert 0 < x - float(sample.get("x2")) < 8 and 0 < y - float(sample.get("y1")) < 8
        assert x + 6.5 * len(name) <= WIDTH


def test_the_names_of_many_curves_make_the_image_higher_and_cover_no_curve():
    for count, higher in ((2, False), (8, True)):
        curves = {f"a model {index}": [(0, index), (9, index + 1)] for index in range(count)}
        image = ElementTree.fromstring(lines("FID", curves, "steps"))
        *_, height = map(float, image.get("viewBox").split())
        moved = float(re.search(r"translate\(0 (\d+)\)", image.find("g").get("transform"))[1])
        assert (height > HEIGHT) == higher and moved == height - HEIGHT
        assert max(float(each.get("y")) for each in image.findall("text")) < TOP + moved - 8


def test_a_curve_of_one_point_or_of_equal_ones_is_drawn():
    for curve in ([(0, 3.0)], [(5, 3.0), (9, 3.0)]):
        assert "nan" not in lines("One", {"one": curve}, "steps")
