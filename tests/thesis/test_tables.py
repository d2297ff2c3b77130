"""The tables say what was measured, one protocol a column, and nothing else."""

import csv
import io
import json
import re

import pytest

from ganopt.thesis import curves, tables
from ganopt.thesis.published import THESIS
from ganopt.thesis.table_text import END, START, Table, as_csv, insert, markdown, page
from ganopt.thesis.tables import MODELS, STUDENTS


def score(name: str, fid: float = 40.0, **changes) -> dict:
    """The record of a FID, as `experiments.measure` writes it."""
    reference = "dogs" if "dogs" in name else "cats"
    record = {"kind": "fid", "name": name, "fid": fid, "fids": [fid - 1, fid, fid + 1], "fid_to_model": None}
    record |= {"reference": reference, "reference_hash": f"of {reference}", "count": 500}
    return record | {"arithmetic": "float32", "inception": "b"} | changes


def floor(reference: str, fid: float = 21.0, **changes) -> dict:
    return score(f"floor-{reference}", fid, fids=[fid]) | changes


def cost(name: str, device: str = "cpu", threads: int = 2, **changes) -> dict:
    training = {"peak": 4e9, "baseline": 0.75e9, "epoch_seconds": 12.34, "device": device, "threads": threads} | changes
    drawing = {"parameters": 3_608_995, "operations": 1.5e9, "latency": 0.0125}
    record = {"kind": "cost", "name": name, "generator": "big/4", "images": 340_112}
    return record | {"drawing": drawing, "training": training}


def curve(name: str, *points: tuple[float, float], **changes) -> dict:
    """The record of a curve, from pairs of minutes and FID; a minute is a thousand pictures."""
    listed = [
        {"step": index, "images": int(1000 * t), "minutes": t, "fid": fid} for index, (t, fid) in enumerate(points)
    ]
    return {**score(name, **changes), "kind": "curve", "points": listed}


def storage(name: str, **changes) -> dict:
    forms = {"float32": {"bytes": 14_450_000, "fid": 42.5}, "int8": {"bytes": 3_650_000, "fid": 43.25}}
    return {**score(name, **changes), "kind": "storage", "forms": forms}


def built(*records: dict) -> dict[str, Table]:
    """The tables of some records, by name."""
    return {table.name: table for table in tables.tables({(each["kind"], each["name"]): each for each in records})}


def row_of(table: Table, name: str) -> dict[str, str]:
    """A row by the heads, without what is empty."""
    (row,) = [row for row in table.rows if row[0] == name]
    assert len(row) == len(table.heads) == len(set(table.heads))
    return {head: cell for head, cell in zip(table.heads, row, strict=True) if cell}


def test_figures_stand_beside_those_of_the_thesis():
    found = built(
        score("cats-teacher"), score("cats-kd-0.05", 50.0, fid_to_model=12.345), floor("cats"), cost("cats-kd-0.05")
    )
    assert row_of(found["table-3.1"], "cats-teacher") == {
        "model": "cats-teacher",
        "FID": "40.00 (39.00 to 41.00)",
        "floor": "21.00",
    }
    assert row_of(found["table-3.2"], "cats-kd-0.05") == {
        "student": "cats-kd-0.05",
        "network": "big/4",
        "pictures seen": "340,112",
        "FID": "50.00 (49.00 to 51.00)",
        "floor": "21.00",
        "thesis: FID": "68.69",
        "FID to teacher": "12.35",
        "thesis: FID to teacher": "29.8",
        "epoch, s": "12.3",
        "thesis: epoch, s": "34",
        "training memory, GB": "3.25",
        "thesis: training memory, GB": "1.89",
    }
    assert row_of(found["table-3.3"], "cats-kd-0.05") == {
        "model": "cats-kd-0.05",
        "training memory, GB": "3.25",
        "thesis: training memory, GB": "1.89",
        "as float16, MB": "7.2",
        "thesis: as float32, MB": "38",
        "GFLOP a face": "1.50",
        "latency, ms": "12.5",
        "change of FID, %": "-25.0",
        "thesis: change of FID, %": "-7.4",
    }
    protocol = "Inception in float32. Times and memory (without torch's own): cpu, 2 threads."
    assert f"fid500, the mean of 3 samples; {protocol}" in found["table-3.2"].notes


@pytest.mark.parametrize(
    "change",
    [
        {"count": 250},
        {"arithmetic": "bfloat16"},
        {"inception": "c"},
        {"fids": [40.0]},
        {"reference_hash": "of other cats"},
    ],
)
def test_a_column_holds_the_fid_of_the_usual_protocol_alone(change):
    for first in (True, False):  # in the file
        usual = [score("cats-teacher"), score("cats-kd-0.3"), score("dogs-scratch")]
        other = score("cats-thesis", 64.0, **change)
        found = built(*([other, *usual] if first else [*usual, other]), floor("cats", **change))
        assert "FID" not in row_of(found["table-3.1"], "cats-thesis")
        assert row_of(found["table-3.1"], "cats-teacher")["FID"].startswith("40.00")
        assert "Left out, because the protocol differs: cats-thesis." in found["table-3.1"].notes
        assert "Left out" not in found["table-3.2"].notes
        assert "change of FID, %" not in row_of(found["table-3.3"], "cats-thesis")


@pytest.mark.parametrize("other", [cost("cats-thesis", "cuda"), cost("cats-thesis", threads=16)])
def test_a_column_holds_the_costs_of_the_usual_machine_alone(other):
    found = built(other, cost("cats-teacher"), cost("cats-kd-0.3"), score("cats-thesis"))
    row = row_of(found["table-3.1"], "cats-thesis")
    assert "epoch, s" not in row and row["FID"]
    assert found["table-3.1"].notes.endswith("cpu, 2 threads. Left out, because the protocol differs: cats-thesis.")


def test_threads_of_the_cpu_do_not_matter_where_a_gpu_computes():
    found = built(cost("cats-thesis", "cuda", 16), cost("cats-teacher", "cuda", 2))
    assert found["table-3.1"].notes == "Times and memory (without torch's own): cuda."
    assert all(row_of(found["table-3.1"], name)["epoch, s"] for name in ("cats-thesis", "cats-teacher"))


def test_each_reference_has_pictures_of_its_own_and_strangers_have_no_say():
    strangers = [score(f"runs/r1-{index}", count=100, reference_hash="another") for index in range(5)]
    found = built(*strangers, score("cats-teacher"), score("dogs-scratch", 90.0), floor("cats"), floor("dogs", 30.0))
    assert row_of(found["table-3.1"], "cats-teacher")["floor"] == "21.00"
    assert row_of(found["table-3.1"], "dogs-scratch")["floor"] == "30.00"
    assert "fid500" in found["table-3.1"].notes and "Left out" not in found["table-3.1"].notes


@pytest.mark.parametrize(
    "change", [{"count": 250}, {"reference_hash": "of other cats"}, {"arithmetic": "bfloat16"}, {"inception": "c"}]
)
def test_a_floor_of_another_protocol_is_left_out(change):
    points = [(minutes, 21 + 900 / minutes) for minutes in (10, 20, 30, 40, 50, 60)]
    records = [score("cats-teacher"), curve("race-ours", *points)]
    for floors, shown in (([floor("cats")], "21.00"), ([floor("cats", **change)], None), ([], None)):
        found = built(*records, *floors)
        assert row_of(found["table-3.1"], "cats-teacher").get("floor") == shown
        assert row_of(found["curves"], "race-ours").get("predicted") == (shown and "28.5")


def test_the_floor_that_the_fid_command_writes_will_do():
    other = floor("cats", name="real against real")
    assert row_of(built(score("cats-teacher"), other)["table-3.1"], "cats-teacher")["floor"] == "21.00"
    dogs = floor("dogs", name="real against real")
    assert "floor" not in row_of(built(score("cats-teacher"), dogs)["table-3.1"], "cats-teacher")


def test_all_metrics_stand_below_those_of_the_floor():
    measured = {"kid": 0.0044, "precision": 0.66, "recall": 0.375, "swd": 16.25, "diversity": 0.94}
    found = built(score("cats-teacher", 27.7, **measured), floor("cats"), score("dogs-transfer", 54.0))["metrics"]
    assert [row[0] for row in found.rows] == ["cats: real against real", "cats-teacher", "dogs-transfer"]
    assert row_of(found, "cats-teacher") == {
        "pictures": "cats-teacher",
        "FID": "27.70",
        "KID x 1000": "4.40",
        "precision": "0.66",
        "recall": "0.38",
        "SWD x 1000": "16.25",
        "diversity": "0.94",
    }
    assert row_of(found, "dogs-transfer") == {"pictures": "dogs-transfer", "FID": "54.00"}  # an older record


def test_storages_and_curves_are_of_one_protocol_too():
    usual = [storage("cats-teacher"), curve("race-ours", (30, 50.0)), curve("dogs-transfer", (30, 90.0))]
    found = built(*usual, storage("cats-student"), curve("race-thesis", (30, 300.0), count=250))
    assert found["storage"].rows == [
        ["cats-teacher", "float32", "14.45", "42.50"],
        ["cats-teacher", "int8", "3.65", "43.25"],
        ["cats-student", "float32", "14.45", "42.50"],
        ["cats-student", "int8", "3.65", "43.25"],
    ]
    assert found["storage"].notes == "FID is fid500, of one sample; Inception in float32."
    assert [row[0] for row in found["curves"].rows] == ["race-ours", "dogs-transfer"]
    assert "Left out, because the protocol differs: race-thesis." in found["curves"].notes
    found = built(storage("cats-teacher"), storage("cats-student", arithmetic="bfloat16"))
    assert {row[0] for row in found["storage"].rows} == {"cats-teacher"}


def test_a_curve_says_when_it_fell_below_the_thesis_and_where_it_leads():
    fell = curve("race-ours", (10, 111.0), (20, 66.0), (30, 51.0), (40, 43.5), (50, 39.0), (60, 36.0))
    still = curve("race-thesis", (20, 300.0), (59.6, 200.0))
    found = built(fell, still, floor("cats"), cost("race-ours"))["curves"]
    assert THESIS["cats-thesis"].fid == 63.95
    assert row_of(found, "race-ours") == {
        "run": "race-ours",
        "network": "big/4",
        "minutes": "60",
        "pictures seen": "60,000",
        "FID": "36.00",
        "thesis: FID": "63.95",
        "below that after": "30 minutes, 30,000 pictures",
        "predicted": "28.5",
    }
    assert row_of(found, "race-thesis") == {
        "run": "race-thesis",
        "minutes": "60",
        "pictures seen": "59,600",
        "FID": "200.00",
        "thesis: FID": "63.95",
        "below that after": "not yet",
    }


def test_the_race_compares_recipes_after_the_same_minutes():
    ours = curve("race-ours", (4.005, 90.0), (8, 60.0), (28, 50.0), (60, 30.0))
    ours["points"][-1]["recall"] = 0.126
    found = built(ours, curve("race-thesis", (4, 400.0), (15.5, 200.0)), curve("cats-teacher", (4, 1.0)))["race"]
    assert [row[0] for row in found.rows] == ["race-ours", "race-thesis"]
    assert row_of(found, "race-ours") == {
        **{"run": "race-ours", "critics": "pixels and features", "4 min": "90.00", "8 min": "60.00"},
        **{"16 min": "60.00", "30 min": "50.00", "60 min": "30.00", "recall at the end": "0.13"},
    }
    slow = row_of(found, "race-thesis")
    assert (slow["4 min"], slow["8 min"], slow["16 min"]) == ("400.00", "400.00", "200.00") and "30 min" not in slow


def test_the_curves_of_the_race_are_named_by_their_critics():
    records = [curve("race-ours", (4, 90.0), (8, 60.0)), curve("race-plain", (4, 99.0)), curve("cats-fast", (4, 50.0))]
    found = curves.race_curves({(each["kind"], each["name"]): each for each in records})
    assert found == {"pixels and features": [(4, 90.0), (8, 60.0)], "pixels": [(4, 99.0)]}
    assert curves.race_curves({}) == {}


def test_nothing_measured_is_said_in_a_sentence_and_all_rows_are_in_the_csv():
    found = built()
    assert page(list(found.values())) == "Nothing has been measured yet.\n"
    assert [row[0] for row in found["table-3.1"].rows] == list(MODELS)
    for table in found.values():
        assert list(csv.reader(io.StringIO(as_csv(table)))) == [table.heads, *table.rows] and not markdown(table)
    assert row_of(found["table-3.2"], "cats-kd-0.3")["thesis: FID"] == "65.33"


def test_markdown_leaves_out_what_only_the_thesis_has_measured_and_csv_does_not():
    found = built(score("cats-teacher"), cost("dogs-plain"))
    text = page(list(found.values()))
    titled = [line for line in text.splitlines() if line.startswith("**")]
    assert titled == [f"**{found[name].title}**" for name in ("table-3.1", "table-3.3", "metrics")]
    assert [line.split(" | ")[0] for line in markdown(found["table-3.1"]).splitlines() if line.startswith("| ")] == [
        "| model",
        "| ---",
        "| cats-teacher",
        "| dogs-plain",
    ]
    assert "| 114.58 |" in text and "63.95" not in text
    assert [line.split(",")[0] for line in as_csv(found["table-3.2"]).splitlines()[1:]] == list(STUDENTS)
    assert text.endswith(f"\n\n{found['metrics'].notes}\n") and "\n\n\n" not in text


def test_insert_puts_the_tables_between_the_markers_and_leaves_the_rest():
    first, second = (list(built(score("cats-teacher", fid)).values()) for fid in (40.0, 50.0))
    once = insert(f"# Title\n\n{START}\nold figures\n{END}\n\nMore.\n", first)
    assert once.startswith(f"# Title\n\n{START}\n**Table 3.1") and once.endswith(f"\n{END}\n\nMore.\n")
    assert "old figures" not in once and "| 40.00 (39.00 to 41.00) |" in once
    assert insert(once, first) == once
    assert insert(once, second) == re.sub(r"\b(40|39|41)\.00", lambda match: f"{float(match[0]) + 10:.2f}", once)


@pytest.mark.parametrize("text", ["", "# Title\n", START, END, f"{END}\n{START}\n"])
def test_a_text_without_markers_is_one_sentence(text, refuses):
    with refuses(START, END):
        insert(text, [])


def test_results_are_read_by_kind_and_name_the_last_one_counts(tmp_path):
    records = [score("cats-teacher"), cost("cats-teacher"), score("cats-teacher", 30.0)]
    (tmp_path / "results.json").write_text(json.dumps({"records": records}))
    assert tables.read(tmp_path / "results.json") == {
        ("cost", "cats-teacher"): records[1],
        ("fid", "cats-teacher"): records[2],
    }


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b"{}", b"{", b"\xff", b"5", b'{"records": [1]}', b'{"records": [{"kind": "fid"}]}']
)
def test_results_that_are_none_are_one_sentence(content, tmp_path, refuses):
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    with refuses("results.json contains no results"):
        tables.read(tmp_path / "results.json")


def without(record: dict, key: str) -> dict:
    return {name: value for name, value in record.items() if name != key}


@pytest.mark.parametrize(
    "record",
    [
        without(score("cats-teacher"), "fids"),
        score("cats-teacher", fids=5),
        score("cats-teacher", count=None, reference_hash=[]),
        score("cats-teacher") | {"fid": "low"},
        cost("cats-teacher") | {"training": {}},
        cost("cats-teacher") | {"drawing": []},
        curve("race-ours"),
        storage("cats-teacher") | {"forms": [1]},
    ],
)
def test_a_record_that_is_damaged_is_one_sentence(record, refuses):
    with refuses("record of the results is damaged"):
        built(record)
