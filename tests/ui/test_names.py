"""Names that visitors see and choose: of files for download, of columns, and of runs."""

import pytest
import torch

from ganopt.models import model_cache, zoo
from ganopt.ui import fid_results, generate
from ganopt.ui.common import Scratch


def test_a_download_is_named_after_its_content(three_models, monkeypatch, tmp_path):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    model_cache._generator.cache_clear()
    _, _, archive, _ = generate._draw("cats-teacher", "0-2, 7", 1.0, torch.device("cpu"), Scratch(tmp_path))
    assert archive.endswith("/cats-teacher-seeds-0-2-7.zip")
    model_cache._generator.cache_clear()


def test_a_seed_that_is_repeated_is_drawn_once(three_models, monkeypatch, tmp_path):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    model_cache._generator.cache_clear()
    cpu, scratch = torch.device("cpu"), Scratch(tmp_path)
    for text, count, is_said in (("1,1,1", 1, True), ("2-4, 3", 3, True), ("2-4", 3, False)):
        images, facts, _, (seeds, *_) = generate._draw("cats-teacher", text, 1.0, cpu, scratch)
        assert len(images) == len(seeds) == count
        assert facts.endswith(" on cpu. Repeated seeds are drawn once.") == is_said
    model_cache._generator.cache_clear()


def test_a_name_from_outside_cannot_lead_elsewhere_and_old_files_are_removed(tmp_path):
    scratch = Scratch(tmp_path, keep=2)
    paths = [scratch.path(name) for name in ("../../etc/passwd.zip", "run:my cats.png", f"{'9' * 500}.zip", "é.csv")]
    for path in paths[2:]:
        path.touch()
    assert [path.name for path in paths] == ["..-..-etc-passwd.zip", "run-my-cats.png", f"{'9' * 100}.zip", "é.csv"]
    assert all(path.parent.parent == tmp_path for path in paths)
    assert [path.parent.exists() for path in paths] == [False, False, True, True]


class Measured:
    def __init__(self, count: int):
        self.count = count


def test_the_column_of_fid_is_named_with_its_n():
    assert fid_results.heads([Measured(100), Measured(100)])[2] == "fid100"
    assert fid_results.heads([Measured(100), Measured(60)])[2] == "FID of n pictures"
    assert fid_results.heads([Measured(0)])[2] == "FID of n pictures"  # statistics do not tell


@pytest.mark.parametrize(
    "name", ["cats one", "Katzen-2_ü", "кошки", "猫の顔 1", "قطط", "बिल्लियाँ", "แมว", "3D", "猫" * 60]
)
def test_a_run_may_be_named_in_any_script(name, tmp_path):
    assert zoo.RUN_NAME.fullmatch(name)
    (tmp_path / name).mkdir()


@pytest.mark.parametrize(
    "name",
    ["", " a", "-a", "_a", "../a", "a/b", "a\\b", "a:b", "a.b", "a\nb", "a\0b", "a<b>", "a&b", "a\u202eb", "a\u2028b"]
    + ["a\ud800b", "a\u200bb", "a" * 61, "a*", "a'b", 'a"b', "a\u00a0b", "a\uff0fb"],
)
def test_a_name_that_is_not_safe_is_refused(name):
    assert not zoo.RUN_NAME.fullmatch(name)
