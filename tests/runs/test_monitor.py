"""Watching a run: its metrics as they grow, thinned, and what is worth seeing of them."""

import json
from pathlib import Path

import pytest

from ganopt.runs import monitor
from ganopt.runs.monitor import MOST, Watch, curves, follow, recipe_of
from ganopt.training.methods import Distill
from ganopt.training.recipes import R1, Recipe, WganGp
from ganopt.training.run_folder import write_recipe


def line(step: int, **more: float) -> str:
    values = {"step": step, "images": 16 * step, "seconds": step / 2, "memory": 1e9, "progress": step / 5000}
    return json.dumps(values | {"critic": -step, "real": 2 * step, "fake": step} | more) + "\n"


def write(folder: Path, steps: range, mode: str = "w") -> None:
    with open(folder / "metrics.jsonl", mode) as file:
        file.writelines(map(line, steps))


def test_all_steps_count_and_few_points_are_kept(tmp_path):
    watcher = Watch(tmp_path)
    assert watcher.refresh().last == {} and watcher.images_per_second == watcher.seconds_left == 0
    write(tmp_path, range(1, 1001))
    watcher.refresh()
    write(tmp_path, range(1001, 3001), "a")
    watcher.refresh()
    assert watcher.last["step"] == 3000 and watcher.width == 8 and MOST / 2 <= len(watcher.points) < MOST
    assert [point["step"] for point in watcher.points[:2]] == [4.5, 12.5]  # means of 1 to 8, 9 to 16
    assert [point["real"] for point in watcher.points[:2]] == [9, 25]
    assert watcher.images_per_second == pytest.approx(32)
    assert watcher.seconds_left == pytest.approx(1000)


def test_what_only_some_steps_have_is_averaged_over_these(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        "".join(line(n, **({"penalty": n} if n % 8 == 0 else {})) for n in range(1, 801))
    )
    point = Watch(tmp_path).refresh().points[-1]
    assert point["step"] == 798.5 and point["penalty"] == 800


def test_a_run_that_was_cut_is_read_anew(tmp_path):
    watcher = Watch(tmp_path)
    write(tmp_path, range(1, 101))
    watcher.refresh()
    other = tmp_path / "other"
    other.write_text("".join(map(line, range(1, 51))))
    other.replace(tmp_path / "metrics.jsonl")  # as a resumed run does
    write(tmp_path, range(51, 201), "a")  # already longer than it was
    assert [point["step"] for point in watcher.refresh().points] == list(range(1, 201))


@pytest.mark.parametrize(
    ("recipe", "titles", "names"),
    [
        (R1(steps=1), ["Scores of real and fake"], {"real", "fake"}),
        (WganGp(steps=1), ["Minus the critic's loss"], {"estimate"}),
        (Distill(teacher="a", steps=1), ["Distance to the teacher", "Scores of real and fake"], {"distance"}),
        (Distill(teacher="a", steps=1, alpha=0.0), ["Distance to the teacher"], {"distance"}),
    ],
)
def test_each_recipe_has_its_curves_and_a_sentence(recipe: Recipe, titles, names, tmp_path):
    (tmp_path / "metrics.jsonl").write_text("".join(line(step, imitation=0.5) for step in range(1, 11)))
    found = curves(Watch(tmp_path).refresh(), recipe)
    assert [each.title for each in found] == titles and set(found[0].lines) == names
    assert all(each.advice.endswith(".") for each in found)
    estimate = found[0].lines.get("estimate")
    assert estimate is None or estimate[-1] == (160, 10)  # pictures, minus the critic's loss


def test_without_real_pictures_curves_run_over_steps_and_live_fids_have_their_own(tmp_path):
    steps = [line(step, imitation=0.5, images=0, **({"fid": 90.0} if step == 8 else {})) for step in range(1, 11)]
    (tmp_path / "metrics.jsonl").write_text("".join(steps))
    distance, fid = curves(Watch(tmp_path).refresh(), Distill(teacher="a", steps=1, alpha=0.0))
    assert distance.lines["distance"][-1] == (10, 0.5)
    assert fid.lines == {"fid100": [(8, 90.0)]}


def test_a_folder_tells_its_recipe_and_the_end_of_its_log(tmp_path):
    assert recipe_of(tmp_path) is None and monitor.log(tmp_path) == ""
    write_recipe(tmp_path, R1(steps=3, data="x"))
    (tmp_path / "log.txt").write_bytes(b"begun\n" + 3000 * b"." + b"10 %\r20 %")
    assert recipe_of(tmp_path) == R1(steps=3, data="x")
    assert monitor.log(tmp_path).endswith(".10 %\n20 %") and "begun" not in monitor.log(tmp_path)


def test_all_pages_share_one_watch(tmp_path):
    assert monitor.watch(tmp_path) is monitor.watch(tmp_path)


def test_a_line_that_is_being_written_counts_next_time(tmp_path):
    file = tmp_path / "metrics.jsonl"
    assert follow(tmp_path) == ([], 0)
    file.write_bytes(b'{"step": 1}\n{"step": 2}\n{"ste')
    lines, place = follow(tmp_path)
    assert [line["step"] for line in lines] == [1, 2]
    assert follow(tmp_path, place) == ([], place)
    file.write_bytes(file.read_bytes() + b'p": 3}\n')
    assert follow(tmp_path, place)[0] == [{"step": 3}]
    file.write_bytes(b'{"step": 1}\n')  # cut by a resumed run
    assert follow(tmp_path, place)[0] == [{"step": 1}]
