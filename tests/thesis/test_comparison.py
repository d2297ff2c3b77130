"""Models side by side: tiny ones, of which two are of 32 pixels and one is of 64."""

import json

import pytest
import torch

from ganopt.models import model_cache
from ganopt.models.networks import parameters_of
from ganopt.thesis import comparison as comparing
from ganopt.thesis import model_facts
from ganopt.thesis.comparison import BRIGHTEST, compare, cosines, difference_map
from ganopt.viz import sheets

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def checkpoints(three_models, thin_inception, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    monkeypatch.setenv("GANOPT_INCEPTION", str(thin_inception))
    caches = (model_cache._generator, comparing.load_extractor)  # which know models and networks by their names
    for cache in caches:
        cache.cache_clear()
    yield three_models
    for cache in caches:
        cache.cache_clear()


def test_a_model_is_like_itself_and_unlike_another():
    found = compare(["cats-teacher", "cats-teacher", "cats-student"], CPU, [3, 8])
    assert found.pictures.shape == (3, 2, 3, 32, 32)
    assert found.differences[:2].count_nonzero() == 0 and (found.differences[2] > 0.05).all()
    expected = (found.pictures[2].double() - found.pictures[0].double()).abs().mean(dim=(1, 2, 3)) / 255
    torch.testing.assert_close(found.differences[2].double(), expected, atol=1e-6, rtol=0)
    first, same, other = found.pictures
    assert cosines(first, same, CPU) == pytest.approx([1, 1], abs=1e-5)
    assert all(cosine < 0.999 for cosine in cosines(first, other, CPU))


def test_pictures_come_to_the_largest_side_by_repeating_pixels():
    found = compare(["cats-teacher", "dogs-transfer"], CPU, [5])
    assert found.pictures.shape == (2, 1, 3, 64, 64)
    small = model_cache.faces("cats-teacher", CPU, [5], 1.0).pictures
    assert torch.equal(found.pictures[0], small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


def test_the_map_goes_from_black_to_pale_yellow():
    black = torch.zeros(3, 2, 2, dtype=torch.uint8)
    other = black.clone()
    other[:, 0, 1] = round(255 * BRIGHTEST / 2)
    other[:, 1] = 255
    shown = difference_map(black, other)
    assert shown.dtype == torch.uint8 and shown.shape == (3, 2, 2)
    first, _, middle, _, last = comparing.RAMP
    assert shown[:, 0, 0].tolist() == list(first) and shown[:, 1, 1].tolist() == list(last)
    assert all(abs(ours - theirs) <= 2 for ours, theirs in zip(shown[:, 0, 1].tolist(), middle, strict=True))


@pytest.mark.parametrize(
    ("models", "seeds", "fragments"),
    [
        ([], [0], ("0 models", "1 to 5")),
        (["cats-teacher"] * 6, [0], ("6 models",)),
        (["cats-teacher"], [], ("0 seeds",)),
        (["cats-teacher"], list(range(17)), ("17 seeds", "1 to 16")),
        (["cats-teacher", "../../etc/passwd"], [0], ("passwd", "cats-student")),
        (["user/repo"], [0], ("user/repo",)),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(models, seeds, fragments, refuses):
    with refuses(*fragments):
        compare(models, CPU, seeds)


def test_a_plot_compares_sizes_in_one_precision():
    [teacher, student] = comparing.plots(comparing.results())[0].points
    assert teacher.size == student.size == 2 * parameters_of("big/32@32") / 1e6


def test_a_plot_holds_one_protocol_and_one_reference():
    records = comparing.results()
    cats, dogs = comparing.plots(records)
    assert [point.name for point in cats.points] == ["cats-teacher", "cats-student"] and cats.floor == 20
    assert [point.name for point in dogs.points] == ["dogs-transfer"] and dogs.floor is None
    records["fid", "cats-student"]["count"] = 100
    assert [plot.title for plot in comparing.plots(records)] == [
        "fid500 against cats",
        "fid500 against dogs",
        "fid100 against cats",
    ]


def test_without_results_there_is_nothing_to_show(tmp_path, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    assert comparing.results() == {} and comparing.plots({}) == []


def test_presets_are_those_that_the_catalogue_can_make(checkpoints, tmp_path, monkeypatch):
    assert comparing.first_choice() == ["cats-teacher", "cats-student"]
    assert comparing.presets() == {
        "Teacher and students": ["cats-teacher", "cats-student"],
        "Before and after transfer": ["cats-teacher", "dogs-transfer"],
    }
    entries = json.loads((checkpoints / "catalogue.json").read_text())["models"]
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    for only, first in ((0, "cats-teacher"), (1, "dogs-transfer")):
        (tmp_path / "catalogue.json").write_text(json.dumps({"models": entries[only : only + 1]}))
        assert comparing.first_choice() == [first]
        assert comparing.presets() == {}


def test_a_sheet_is_the_same_for_the_same_comparison():
    def page():
        found = compare(["cats-teacher", "cats-student"], CPU, [1, 2])
        heads = [each.lines for each in model_facts.facts(found.models, comparing.results())]
        return sheets.comparison(found.pictures, heads, [["one", "two"]] * 2).tobytes()

    assert page() == page()
