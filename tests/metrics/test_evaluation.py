"""What is measured, in which order, against what, and what is written down of it."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganopt.data import image_folder
from ganopt.files import to_json
from ganopt.metrics import evaluation, features, references, samples, scores, sliced_wasserstein
from ganopt.metrics.evaluation import FLOOR, Plan, Update, evaluate, record
from ganopt.metrics.features import ALL, Extractor, finish, of_folder, of_model
from ganopt.metrics.fid import diversity, fit, frechet_distance, kernel_distance, precision_and_recall
from ganopt.metrics.samples import Sample, from_rows, write_statistics
from ganopt.metrics.scores import Score, bias, score
from ganopt.models import weights
from ganopt.models.devices import computes_bfloat16
from ganopt.models.networks import build_generator
from ganopt.thesis import release
from ganopt.thesis.results import append

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, draw_faces, thin_inception) -> Path:
    """Checkpoints with a reference, `drawings`, of 50 faces, and 50 others."""
    folder = tmp_path_factory.mktemp("shipped")
    draw_faces(folder / "held-out", 50)
    draw_faces(folder / "training", 60, size=(40, 56))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CACHE", str(folder / "cache"))
        patch.setenv("GANOPT_CHECKPOINTS", str(folder / "checkpoints"))
        patch.setattr(release, "MIN_PICTURES", 10)
        release.ship_reference("drawings", folder / "held-out", folder / "training", str(thin_inception))
    return folder / "checkpoints"


@pytest.fixture(autouse=True)
def place(checkpoints, monkeypatch) -> None:
    """Those checkpoints, where ten pictures are enough."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(checkpoints))
    for module in (evaluation, features, scores):
        monkeypatch.setattr(module, "MIN_PICTURES", 10)


@pytest.fixture
def models(tmp_path) -> tuple[str, str]:
    """Two files of generators whose pictures differ."""
    paths = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        generator = build_generator("big/32@32")
        with torch.no_grad():
            for parameter in generator.parameters():
                parameter.mul_(10 if parameter.ndim > 1 else 1)
        weights.save(generator, path)
    return str(paths[0]), str(paths[1])


def run(plan: Plan, extractor: Extractor) -> tuple[list[Update], list[Score]]:
    """All updates, whose progress is in order and complete, and the scores among them."""
    updates = list(evaluate(plan, extractor))
    done = [update.done for update in updates]
    assert done == sorted(done) and done[-1] == updates[-1].total > 0
    assert len({update.total for update in updates}) == 1
    return updates, [update.score for update in updates if update.score]


class TestOrder:
    def test_first_the_floor_then_models_then_paths(self, models, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "faces", 14)
        plan = Plan(models=models, paths=(tmp_path / "faces",), reference="drawings", count=12, repeats=2)
        updates, scores = run(plan, extractor)
        assert [score.name for score in scores] == [FLOOR, *models, "faces"]
        assert updates[0].score and updates[0].done == 0 and updates[0].total == 2 * 2 * 12 + 12
        assert [len(score.fids) for score in scores] == [1, 2, 2, 1] and [score.count for score in scores] == [12] * 4
        assert [bool(update.compared) for update in updates if update.score] == [False, True, True, False]
        assert run(plan, extractor)[1] == scores  # from the cache

    def test_fewer_pictures_than_n_come_after_their_own_floor(self, tmp_path, draw_faces, extractor):
        for name, count in (("few", 11), ("enough", 20)):
            draw_faces(tmp_path / name, count)
        paths = (tmp_path / "few", tmp_path / "enough")
        _, scores = run(Plan(paths=paths, reference="drawings", count=15), extractor)
        assert [(score.name, score.count) for score in scores] == [
            (FLOOR, 15),
            (FLOOR, 11),
            ("few", 11),
            ("enough", 15),
        ]

    def test_progress_goes_from_nothing_to_all_whatever_there_is_to_see(
        self, models, tmp_path, draw_faces, extractor, monkeypatch
    ):
        draw_faces(tmp_path / "many", 40)
        draw_faces(tmp_path / "some", 11)
        (tmp_path / "some/text.png").write_text("no picture")
        write_statistics(from_rows("x", torch.randn(20, 128)), tmp_path / "x.npz")
        many, some, npz = (tmp_path / name for name in ("many", "some", "x.npz"))
        for plan in (
            Plan(models=models[:1], paths=(many, some, npz), reference=many, count=15, repeats=1),
            Plan(paths=(some, many), reference="drawings", count=15),
            Plan(paths=(npz,), reference=npz, count=15),
            Plan(paths=(many,), reference=some, count=15),
        ):
            monkeypatch.setenv("GANOPT_CACHE", str(tmp_path / f"cache{id(plan)}"))
            updates, _ = run(plan, extractor)
            cached, _ = run(plan, extractor)
            assert len(cached) <= len(updates)

    def test_a_wrong_name_is_refused_before_anything_is_seen(self, models, tmp_path, draw_faces, extractor, refuses):
        class Blind(nn.Module):
            digest = "blind"

            def forward(self, pictures: Tensor) -> Tensor:
                raise AssertionError("a picture was seen")

        draw_faces(tmp_path / "faces", 12)
        blind = Extractor(Blind(), CPU, "float32")
        good = {"models": models, "paths": (tmp_path / "faces",), "reference": "drawings", "count": 12}
        for wrong, *fragments in (
            ({"models": (*models, "nobody")}, "Unknown model 'nobody'"),
            ({"against": "nobody"}, "Unknown model 'nobody'"),
            ({"paths": (tmp_path / "faces", tmp_path / "nowhere")}, "no folder", "nowhere"),
            ({"paths": (Path("x" * 5000),)}, "no folder"),
            ({"reference": "drawing"}, "Unknown reference 'drawing'", "drawings", "a folder, a zip or an .npz"),
            ({"reference": "x" * 5000}, "Unknown reference"),
        ):
            with refuses(*fragments):
                list(evaluate(Plan(**good | wrong), blind))

    def test_closing_stops_the_seeing(self, models, extractor, cache):
        updates = evaluate(Plan(models=models, reference="drawings", count=40, repeats=1), extractor)
        assert next(updates).score.name == FLOOR
        assert next(updates).done > 0
        updates.close()
        assert not list(cache.rglob("*.safetensors"))


class TestFigures:
    def test_they_are_those_of_the_samples(self, models, extractor):
        _, (floor, found) = run(Plan(models=models[:1], reference="drawings", count=20, repeats=2, seed=5), extractor)
        reference, others = references.load("drawings")
        samples = [finish(of_model(models[0], range(first, first + 20), extractor)) for first in (5, 25)]
        assert found.fids == tuple(frechet_distance(fit(sample.rows), reference.gaussian) for sample in samples)
        assert found.fid == sum(found.fids) / 2 and found.fids[0] != found.fids[1]
        assert found.seeds == ("5-24", "25-44") and found.samples == tuple(sample.hash for sample in samples)
        kernels = [kernel_distance(sample.rows, reference.rows) for sample in samples]
        assert found.kid == pytest.approx((kernels[0][0] + kernels[1][0]) / 2)
        assert found.kid_deviation == pytest.approx((kernels[0][1] + kernels[1][1]) / 2)
        near = [precision_and_recall(reference.rows, sample.rows) for sample in samples]
        assert (found.precision, found.recall) == pytest.approx(
            ((near[0][0] + near[1][0]) / 2, (near[0][1] + near[1][1]) / 2)
        )
        assert (found.reference, found.reference_hash, found.reference_count) == ("drawings", reference.hash, 50)
        levels = [sliced_wasserstein.sliced_wasserstein(sample.patches, reference.patches) for sample in samples]
        assert found.swd_levels == pytest.approx([sum(pair) / 2 for pair in zip(*levels, strict=True)])
        assert found.swd == pytest.approx(sum(found.swd_levels) / 4) and len(found.swd_levels) == 4
        spread = [diversity(fit(sample.rows), reference.gaussian) for sample in samples]
        assert found.diversity == pytest.approx(sum(spread) / 2)
        assert floor.swd_levels == references.swd_floor("drawings", 20) and floor.swd < found.swd
        chosen = others.rows[image_folder.drawn(50, 20, 0)]
        assert floor.fids == (frechet_distance(fit(chosen), reference.gaussian),) and floor.fid < found.fid
        assert floor.drawn == "20 of 50 pictures, drawn with seed 0" and floor.notes == [floor.drawn]
        assert found.drawn == "" and found.absent == floor.absent == {} and found.notes == []
        assert floor.seeds == ("",) and found.fid_to_model is None and found.against == ""

    def test_against_a_model_is_from_the_same_seeds(self, models, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "faces", 12)
        plan = Plan(models=models, paths=(tmp_path / "faces",), reference="drawings", against=models[1], count=12)
        _, (floor, one, two, folder) = run(plan, extractor)
        distances = []
        for repeat in range(3):
            pair = [finish(of_model(model, plan.seeds(repeat), extractor)).gaussian for model in models]
            distances.append(frechet_distance(*pair))
        assert one.fid_to_model == pytest.approx(sum(distances) / 3) and one.against == models[1]
        assert two.fid_to_model == pytest.approx(0, abs=1e-4) and two.fid > 1
        assert folder.fid_to_model > 1 and floor.fid_to_model is None and floor.against == ""

    def test_two_folders(self, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "first", 15)
        draw_faces(tmp_path / "second", 30, size=(64, 40))
        _, scores = run(Plan(paths=(tmp_path / "first",), reference=tmp_path / "second"), extractor)
        first, second = (finish(of_folder(tmp_path / name, extractor)) for name in ("first", "second"))
        floor, found = scores
        assert found.fids == (frechet_distance(first.gaussian, second.gaussian),)
        assert (found.name, found.count, found.reference, found.reference_count) == ("first", 15, "second", 30)
        assert (floor.name, floor.count, floor.reference_count) == (FLOOR, 15, 15) and floor.fid > 0

    def test_a_folder_with_the_name_of_a_shipped_reference_is_a_folder(
        self, tmp_path, draw_faces, extractor, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        draw_faces(Path("first"), 15)
        draw_faces(Path("drawings"), 19, size=(64, 40))
        _, [found] = run(Plan(paths=(Path("first"),), reference=references.resolve("./drawings")), extractor)
        first, second = (finish(of_folder(Path(name), extractor)) for name in ("first", "drawings"))
        assert found.fids == (frechet_distance(first.gaussian, second.gaussian),)
        assert (found.reference, found.reference_count, found.reference_shipped) == ("drawings", 19, False)
        _, (*_, shipped) = run(Plan(paths=(Path("first"),), reference="drawings"), extractor)
        assert (shipped.reference, shipped.reference_count, shipped.reference_shipped) == ("drawings", 50, True)

    def test_a_reference_too_small_to_be_halved_has_no_floor(self, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "first", 12)
        draw_faces(tmp_path / "second", 19)
        _, scores = run(Plan(paths=(tmp_path / "first",), reference=tmp_path / "second"), extractor)
        assert [score.name for score in scores] == ["first"]

    def test_a_folder_against_itself(self, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "faces", 12)
        _, [found] = run(Plan(paths=(tmp_path / "faces",), reference=tmp_path / "faces"), extractor)
        assert abs(found.fid) < 1e-3 and (found.precision, found.recall) == (1, 1) and found.kid < 1e-6

    def test_statistics_have_a_fid_and_nothing_else(self, models, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "faces", 30)
        sample = finish(of_folder(tmp_path / "faces", extractor))
        path = tmp_path / "faces.npz"
        write_statistics(sample, path)
        _, [found] = run(Plan(models=models[:1], reference=path, count=12, repeats=1), extractor)
        _, (_, expected) = run(Plan(models=models[:1], reference=tmp_path / "faces", count=12, repeats=1), extractor)
        assert found.fid == pytest.approx(expected.fid, rel=1e-5)
        assert found.kid is found.kid_deviation is found.precision is found.recall is None
        assert (found.reference, found.reference_count) == ("faces.npz", 0)
        assert found.absent.keys() == {"kid", "precision", "recall", "swd"} and found.diversity > 0
        assert found.notes == [
            "no KID, precision, recall: faces.npz has no features of single pictures",
            "no SWD: faces.npz has no patches of pictures",
        ]
        _, (_, measured) = run(Plan(paths=(path,), reference="drawings"), extractor)
        assert (measured.name, measured.count, measured.kid) == ("faces.npz", 0, None)
        assert measured.fid == pytest.approx(frechet_distance(sample.gaussian, references.load("drawings")[0].gaussian))

    def test_two_precisions_are_never_compared(self, models, tmp_path, draw_faces, extractor, thin_inception, refuses):
        rounded = features.load_extractor(CPU, "bfloat16", str(thin_inception))
        _, scores = run(Plan(models=models[:1], reference="drawings", count=20, repeats=1), rounded)
        _, exact = run(Plan(models=models[:1], reference="drawings", count=20, repeats=1), extractor)
        same, other = (references.load("drawings", each)[0] for each in ("bfloat16", "float32"))
        sample = finish(of_model(models[0], range(20), rounded))
        assert scores[1].fids == (frechet_distance(sample.gaussian, same.gaussian),)
        assert scores[1].reference_hash == same.hash != other.hash == exact[1].reference_hash
        assert record(scores[1], rounded)["arithmetic"] == "bfloat16"
        assert [each.fid for each in scores] == pytest.approx([each.fid for each in exact], rel=0.02)
        path = tmp_path / "faces.npz"
        draw_faces(tmp_path / "faces", 12)
        write_statistics(finish(of_folder(tmp_path / "faces", extractor)), path)
        for plan in (Plan(models=models, reference=path), Plan(paths=(path,), reference="drawings")):
            with refuses("faces.npz was measured in float32", "bfloat16", "--precision float32"):
                run(plan, rounded)

    def test_bfloat16_is_chosen_only_where_it_is_fast_and_all_can_be_in_it(self, monkeypatch):
        faces, statistics = Plan(models=("x",)), Plan(models=("x",), reference=Path("faces.npz"))
        for fast, expected in ((True, "bfloat16"), (False, "float32")):
            monkeypatch.setattr(evaluation, "computes_bfloat16", lambda device, fast=fast: fast)
            assert evaluation.pick_precision("auto", faces, CPU) == expected
            assert evaluation.pick_precision("auto", statistics, CPU) == "float32"
            assert [evaluation.pick_precision(each, faces, CPU) for each in ("float32", "bfloat16")] == [
                "float32",
                "bfloat16",
            ]

    @pytest.mark.parametrize(
        ("flags", "expected"), [("avx2 avx512_bf16", True), ("amx_bf16 amx_tile", True), ("avx2 avx512f", False)]
    )
    def test_units_for_bfloat16_are_flags_of_the_processor(self, flags, expected, monkeypatch):
        monkeypatch.setattr(Path, "read_text", lambda path, **_: f"flags : {flags}\n")
        assert computes_bfloat16(CPU) == expected
        assert not computes_bfloat16(torch.device("mps"))

    def test_what_is_undefined_is_absent_with_a_reason(self, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "faces", 12)
        first = (tmp_path / "faces/face000.png").read_bytes()
        (tmp_path / "equal").mkdir()
        for index in range(12):
            (tmp_path / f"equal/{index}.png").write_bytes(first)
        for path in (tmp_path / "faces", tmp_path / "equal"):
            _, [found] = run(Plan(paths=(path,), reference=tmp_path / "equal"), extractor)
            assert found.diversity is None and found.absent == {"diversity": "the pictures of equal are all equal"}
            assert json.loads(to_json(record(found, extractor)))["diversity"] is None
        assert (found.precision, found.recall, found.swd) == (1, 1, 0) and abs(found.fid) < 1e-3
        _, [collapsed] = run(Plan(paths=(tmp_path / "equal",), reference=tmp_path / "faces"), extractor)
        assert collapsed.diversity == pytest.approx(0, abs=1e-3) and not collapsed.absent

    def test_two_folders_are_compared_whole_or_as_drawn_with_one_seed(self, tmp_path, draw_faces, extractor):
        draw_faces(tmp_path / "faces/cat", 30)
        draw_faces(tmp_path / "faces/dog", 30, size=(64, 40))
        whole = {"paths": (tmp_path / "faces",), "reference": tmp_path / "faces"}
        _, (_, found) = run(Plan(**whole, count=ALL), extractor)
        assert abs(found.fid) < 1e-3 and found.count == found.reference_count == 60 and not found.notes
        _, (_, found) = run(Plan(**whole, count=30, reference_count=30, seed=5), extractor)
        assert abs(found.fid) < 1e-3 and found.count == found.reference_count == 30
        drawn = "30 of 60 pictures, drawn with seed 5"
        assert found.drawn == found.reference_drawn == drawn and found.notes == [drawn, f"reference: {drawn}"]

    def test_figures_of_fewer_pictures_than_fid_say_so(self, models, tmp_path, draw_faces, extractor, monkeypatch):
        draw_faces(tmp_path / "faces", 45)
        monkeypatch.setattr(features, "KEPT", 30)
        for module in (samples, sliced_wasserstein):
            monkeypatch.setattr(module, "PICTURES", 20)
        plan = Plan(models=models[:1], reference=tmp_path / "faces", count=25, repeats=1)
        _, (_, found) = run(plan, extractor)
        written = record(found, extractor)
        assert written["subset"] == {"swd": 20} and (written["count"], written["reference_count"]) == (25, 45)
        assert written["reference_subset"] == {"kid": 30, "precision": 30, "recall": 30, "swd": 20}
        assert found.notes == [
            "SWD from 20 of 25 pictures, drawn at random",
            "reference: KID, precision, recall from 30 of 45 pictures, drawn at random",
            "reference: SWD from 20 of 45 pictures, drawn at random",
        ]

    def test_names_do_not_matter(self, tmp_path, draw_faces, extractor):
        for index, path in enumerate(draw_faces(tmp_path / "faces", 25)):
            (tmp_path / "renamed").mkdir(exist_ok=True)
            (tmp_path / f"renamed/{50 - index}.png").write_bytes(path.read_bytes())
        faces, renamed = tmp_path / "faces", tmp_path / "renamed"
        _, (_, found) = run(Plan(paths=(faces,), reference=renamed), extractor)
        assert found.swd_levels == (0, 0, 0, 0) and abs(found.fid) < 1e-3
        draw_faces(others := tmp_path / "others", 25, size=(64, 40))
        for pairs in (((faces, others), (renamed, others)), ((others, faces), (others, renamed))):
            before, after = (run(Plan(paths=(path,), reference=reference), extractor)[1] for path, reference in pairs)
            for first, second in zip(before, after, strict=True):  # the floor and the folder
                assert second.fids == pytest.approx(first.fids, rel=1e-3)
                assert (second.kid, second.kid_deviation) == pytest.approx((first.kid, first.kid_deviation), rel=1e-3)

    def test_statistics_of_another_network_are_refused(self, tmp_path, extractor, refuses):
        write_statistics(from_rows("x", torch.randn(20, 64)), tmp_path / "x.npz")
        with refuses("64 features cannot be compared with 128"):
            list(evaluate(Plan(paths=(tmp_path / "x.npz",), reference="drawings"), extractor))

    def test_scipy_and_pytorch_fid_are_not_needed(self, tmp_path, draw_faces, thin_inception):
        draw_faces(tmp_path / "first", 50)
        draw_faces(tmp_path / "second", 50, size=(32, 32))
        program = """
import sys
sys.modules["scipy"] = sys.modules["pytorch_fid"] = sys.modules["torchvision"] = None
from pathlib import Path
import torch
import ganopt.metrics.fid
from ganopt.metrics import evaluation, features
extractor = features.load_extractor(torch.device("cpu"), "float32", sys.argv[1])
plan = evaluation.Plan(paths=(Path(sys.argv[2]),), reference=Path(sys.argv[3]))
print([update.score.fid for update in evaluation.evaluate(plan, extractor) if update.score])
"""
        folders = [str(tmp_path / "first"), str(tmp_path / "second")]
        command = [sys.executable, "-c", program, str(thin_inception), *folders]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        assert len(json.loads(done.stdout)) == 1 and json.loads(done.stdout)[0] > 0


class TestBias:
    def sample(self, rows: int) -> Sample:
        return from_rows("x", torch.randn(rows, 16, generator=torch.Generator().manual_seed(1)))

    def test_counts_go_up_to_all_rows_and_fid_goes_down(self):
        sample, reference = self.sample(300), self.sample(200)
        points = bias(sample, reference)
        counts, values = zip(*points, strict=True)
        assert counts[0] == 10 and counts[-1] == 300 and len(counts) == 8 and sorted(set(counts)) == list(counts)
        assert values[-1] == pytest.approx(frechet_distance(sample.gaussian, reference.gaussian), abs=1e-9)
        assert values[0] > 2 * values[-1] and points == bias(sample, reference)

    def test_a_sample_as_small_as_can_be_has_one_point(self):
        assert [count for count, _ in bias(self.sample(10), self.sample(50))] == [10]


class TestPlan:
    def test_the_seeds_of_repeats_follow_one_another(self):
        plan = Plan(models=("x",), count=100, repeats=3, seed=7)
        assert [plan.seeds(repeat) for repeat in range(3)] == [range(7, 107), range(107, 207), range(207, 307)]

    @pytest.mark.parametrize(
        ("wrong", "fragment"),
        [
            ({"count": 9}, "FID cannot be measured with 9 pictures; use 10 to 50000"),
            ({"count": 50_001}, "use 10 to 50000"),
            ({"count": -1}, "-1 pictures"),
            ({"count": math.nan}, "nan pictures"),
            ({"repeats": 0}, "0 samples"),
            ({"repeats": 11}, "use 1 to 10"),
            ({"seed": -1}, "first seed is -1"),
            ({"seed": 2**32}, "first seed is"),
            ({"seed": 2**32 - 500}, "first seed is"),
            ({"models": ()}, "No model or folder is selected"),
            ({"count": ALL}, "say how many to measure, as in --n 500"),
            ({"reference_count": 9}, "with 9 pictures"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, refuses, wrong, fragment):
        with refuses(fragment):
            Plan(**{"models": ("x",)} | wrong)


class TestResults:
    @pytest.fixture
    def measured(self) -> Score:
        samples = [from_rows(name, torch.randn(12, 8)) for name in ("fake", "real")]
        return score(samples[:1], samples[1])

    def test_a_record_holds_the_protocol(self, measured, extractor, thin_inception):
        found = record(measured, extractor)
        assert json.loads(json.dumps(found, allow_nan=False)).keys() == found.keys()
        assert {name: found[name] for name in dataclasses.asdict(measured)} == dataclasses.asdict(measured)
        assert found["fid"] == measured.fid and found["kind"] == "fid"
        assert (found["device"], found["arithmetic"]) == ("cpu", "float32")
        assert len(found["inception"]) == 16 and extractor.network.digest.startswith(found["inception"])
        assert found["versions"].keys() == {"ganopt", "torch", "python"}

    def test_records_are_added_to_those_there_are(self, measured, extractor, tmp_path):
        path, entry = tmp_path / "new/results.json", record(measured, extractor)
        append(path, [entry])
        values = json.loads(path.read_text())
        path.write_text(json.dumps({"models": {"x": 1}, **values}))
        append(path, [entry, {"kind": "other"}])
        found = json.loads(path.read_text())
        assert [values["kind"] for values in found["records"]] == ["fid", "fid", "other"]
        assert found["models"] == {"x": 1} and found["records"][0] == json.loads(json.dumps(entry))

    def test_what_is_written_is_strict_json(self, tmp_path):
        path = tmp_path / "results.json"
        path.write_text('{"records": [{"kind": "fid", "diversity": Infinity, "kid": NaN}]}')  # by an earlier version
        append(path, [{"kind": "fid", "diversity": None}])
        assert [each["diversity"] for each in json.loads(path.read_text(), parse_constant=pytest.fail)["records"]] == [
            None,
            None,
        ]
        before = path.read_text()
        for value in (math.inf, math.nan):
            with pytest.raises(ValueError, match="JSON"):
                append(path, [{"kind": "fid", "diversity": value}])
        assert path.read_text() == before

    @pytest.mark.parametrize(
        "text",
        ["", "text", '{"records": [', "[]", "null", '{"records": 1}', '{"records": "a"}', '{"records": {"a": 1}}'],
    )
    def test_a_damaged_file_is_refused_and_left_alone(self, tmp_path, refuses, text):
        path = tmp_path / "results.json"
        path.write_text(text)
        with refuses("results.json contains no results", "--results"):
            append(path, [{"kind": "fid"}])
        assert path.read_text() == text

    def test_no_place_for_results(self, tmp_path, refuses):
        for path, fragment in (
            (tmp_path, "contains no results"),
            (Path("/dev/null/results.json"), "cannot be written"),
        ):
            with refuses(fragment):
                append(path, [{"kind": "fid"}])
