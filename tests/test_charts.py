from xml.etree import ElementTree

from ganopt.charts import HEIGHT, WIDTH, Plot, Point, pareto, scatter

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


def test_a_scatter_is_an_image_with_each_name_in_it_and_none_on_another():
    image = ElementTree.fromstring(scatter(Plot("fid500 against <cats>", POINTS, 21.2)))
    texts = {text.text: text for text in image.iter("text")}
    assert {point.name for point in POINTS} | {"fid500 against <cats>", "real against real 21.20"} <= set(texts)
    assert image.get("aria-label") == "fid500 against <cats>"
    places = {name: (float(text.get("x")), float(text.get("y"))) for name, text in texts.items()}
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places.values())
    assert abs(places["small"][1] - places["small too"][1]) >= 13
    circles = [(float(circle.get("cx")), float(circle.get("cy"))) for circle in image.iter("circle")]
    teacher, small, *_, tiny = circles
    assert tiny[0] < small[0] < teacher[0] and teacher[1] > small[1] > tiny[1]  # y runs down


def test_a_single_model_has_a_plot_too():
    image = ElementTree.fromstring(scatter(Plot("fid500", POINTS[:1])))
    assert len(list(image.iter("circle"))) == 1
