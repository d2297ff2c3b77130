"""Curves of runs, as they are measured for the tables."""

import shutil

import pytest

from ganopt.metrics.samples import from_rows
from ganopt.thesis.measurements import _curve
from ganopt.training.run_metrics import METRICS


def test_a_curve_is_measured_in_spite_of_damaged_lines(source, tmp_path, pictures, extractor):
    shutil.copytree(source, tmp_path / "run")
    for step in (2, 3, 4):
        path = tmp_path / f"run/snapshots/{step:07}.safetensors"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(source / "generator.safetensors", path)
    lines = (source / METRICS).read_text().splitlines(keepends=True)
    (tmp_path / "run" / METRICS).write_text("".join([*lines[:2], "\0\0{\n", '{"step": 3}\n', lines[3], '{"step"']))
    snapshots = sorted((tmp_path / "run/snapshots").iterdir())
    points = _curve(snapshots, from_rows("faces", extractor.network(pictures)), extractor, 10)
    assert [point["step"] for point in points] == [2, 4] and points[0]["minutes"] < points[1]["minutes"]
    assert points[0]["fid"] == pytest.approx(points[1]["fid"]) and points[0]["fid"] > 0
