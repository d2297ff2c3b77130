"""Monitoring a run: reading and averaging its metrics, its curves and its log."""

import json
from pathlib import Path

import pytest

from ganopt.runs import monitor
from ganopt.runs.monitor import MAX_POINTS, Watch, curves, follow, recipe_of
from ganopt.runs.queue import PROCESS
from ganopt.training import methods
from ganopt.training.recipes import Recipe
from ganopt.training.run_folder import write_recipe


def line(step: int, **more: float) -> str:
    values = {"step": step, "images": 16 * step, "seconds": step / 2, "memory": 1e9, "progress": step / 5000}
    return json.dumps(values | {"critic": -step, "real": 2 * step, "fake": step} | more) + "\n"


def write(folder: Path, steps: range, mode: str = "w") -> None:
    with open(folder / "metrics.jsonl", mode) as file:
        file.writelines(map(line, steps))


def test_all_steps_are_averaged_into_few_points(tmp_path):
    watch = Watch(tmp_path)
    assert watch.refresh().last == {} and watch.images_per_second == watch.seconds_left == 0
    write(tmp_path, range(1, 1001))
    watch.refresh()
    write(tmp_path, range(1001, 3001), "a")
    watch.refresh()
    assert watch.last["step"] == 3000 and watch.width == 8 and MAX_POINTS / 2 <= len(watch.points) < MAX_POINTS
    assert [point["step"] for point in watch.points[:2]] == [4.5, 12.5]  # means of 1 to 8, 9 to 16
    assert [point["real"] for point in watch.points[:2]] == [9, 25]
    assert watch.images_per_second == pytest.approx(32)
    assert watch.seconds_left == pytest.approx(1000)


def test_a_value_of_some_steps_is_averaged_over_these_steps(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        "".join(line(n, **({"penalty": n} if n % 8 == 0 else {})) for n in range(1, 801))
    )
    point = Watch(tmp_path).refresh().points[-1]
    assert point["step"] == 798.5 and point["penalty"] == 800


def test_a_replaced_file_is_read_from_the_beginning(tmp_path):
    watch = Watch(tmp_path)
    write(tmp_path, range(1, 101))
    watch.refresh()
    other = tmp_path / "other"
    other.write_text("".join(map(line, range(1, 51))))
    other.replace(tmp_path / "metrics.jsonl")  # like a resumed run
    write(tmp_path, range(51, 201), "a")  # longer than the old file
    assert [point["step"] for point in watch.refresh().points] == list(range(1, 201))


@pytest.mark.parametrize(
    ("recipe", "titles", "names"),
    [
        (methods.recipe("r1", steps=1), ["Scores of real and fake"], {"real", "fake"}),
        (methods.recipe("wgan-gp", steps=1), ["Minus the critic's loss"], {"estimate"}),
        (
            methods.recipe("distill", teacher="a", steps=1),
            ["Distance to the teacher", "Scores of real and fake"],
            {"distance"},
        ),
        (methods.recipe("distill", teacher="a", steps=1, alpha=0.0), ["Distance to the teacher"], {"distance"}),
    ],
)
def test_each_recipe_has_its_curves_with_advice(recipe: Recipe, titles, names, tmp_path):
    (tmp_path / "metrics.jsonl").write_text("".join(line(step, imitation=0.5) for step in range(1, 11)))
    found = curves(Watch(tmp_path).refresh(), recipe)
    assert [each.title for each in found] == titles and set(found[0].lines) == names
    assert all(each.advice.endswith(".") for each in found)
    estimate = found[0].lines.get("estimate")
    assert estimate is None or estimate[-1] == (160, 10)  # pictures, minus the critic's loss


def test_without_real_pictures_curves_are_over_steps_and_live_fids_have_a_chart(tmp_path):
    steps = [line(step, imitation=0.5, images=0, **({"fid": 90.0} if step == 8 else {})) for step in range(1, 11)]
    (tmp_path / "metrics.jsonl").write_text("".join(steps))
    distance, fid = curves(Watch(tmp_path).refresh(), methods.recipe("distill", teacher="a", steps=1, alpha=0.0))
    assert distance.lines["distance"][-1] == (10, 0.5)
    assert fid.lines == {"fid100": [(8, 90.0)]}


def test_the_recipe_and_the_end_of_the_log_are_read(tmp_path):
    assert recipe_of(tmp_path) is None and monitor.log(tmp_path) == ""
    write_recipe(tmp_path, methods.recipe("r1", steps=3, data="x"))
    (tmp_path / "log.txt").write_bytes(b"begun\n" + 3000 * b"." + b"10 %\r20 %")
    assert recipe_of(tmp_path) == methods.recipe("r1", steps=3, data="x")
    assert monitor.log(tmp_path) == "20 %"  # from the beginning of a line


def test_all_pages_share_one_watch(tmp_path):
    assert monitor.watch(tmp_path) is monitor.watch(tmp_path)


def test_an_unfinished_line_is_read_in_the_next_call(tmp_path):
    file = tmp_path / "metrics.jsonl"
    assert follow(tmp_path) == ([], 0)
    file.write_bytes(b'{"step": 1}\n{"step": 2}\n{"ste')
    lines, offset = follow(tmp_path)
    assert [line["step"] for line in lines] == [1, 2]
    assert follow(tmp_path, offset) == ([], offset)
    file.write_bytes(file.read_bytes() + b'p": 3}\n')
    assert follow(tmp_path, offset)[0] == [{"step": 3}]
    file.write_bytes(b'{"step": 1}\n')  # truncated by a resumed run
    assert follow(tmp_path, offset)[0] == [{"step": 1}]


def test_a_run_that_has_written_no_step_yet_has_not_ended(tmp_path):
    (tmp_path / PROCESS).write_text("1")
    write(tmp_path, range(0))
    recipe = methods.recipe("r1", steps=3)
    assert not Watch(tmp_path).refresh().has_ended(recipe)
    write(tmp_path, range(1, 4))
    assert Watch(tmp_path).refresh().has_ended(recipe)
