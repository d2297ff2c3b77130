"""The command line, in this process and, where signals matter, in one of its own."""

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganopt.cli.parser import main
from ganopt.models import weights
from ganopt.models.networks import build_generator
from ganopt.thesis.table_text import END, START
from tests.thesis.test_tables import score, storage

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--generator", "big/32@32", "--critic", "plain-critic/16", "--batch", "4", "--device", "cpu"]


@pytest.fixture
def model(tmp_path) -> str:
    torch.manual_seed(3)
    path = tmp_path / "tiny.safetensors"
    weights.save(build_generator("big/32@32"), path)
    return str(path)


def refused(arguments: list[str], *fragments: str) -> None:
    """The command ends with status 1 and one sentence."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    sentence = str(ended.value)
    assert sentence.startswith("ganopt: ") and sentence.endswith(".") and "\n" not in sentence, sentence
    for fragment in fragments:
        assert fragment in sentence


def test_generate_writes_a_picture_a_seed_and_a_sheet_the_same_each_time(model, tmp_path, capsys):
    for name in ("once", "again"):
        main(["generate", "--model", model, "--seeds", "0-3, 42", "--out", str(tmp_path / name), "--device", "cpu"])
    assert "5 faces" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert names == [*(f"seed-{seed:04}.png" for seed in (0, 1, 2, 3, 42)), "sheet.png"]
    for name in names:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with Image.open(tmp_path / "once" / "seed-0042.png") as image:
        assert image.size == (32, 32) and np.asarray(image).std() > 0


@pytest.mark.parametrize(
    ("seeds", "fragment"),
    [
        ("5-2", "backwards"),
        ("a", "'a' is not a seed"),
        ("-1", "'-1' is not a seed"),
        ("0-9999", "more than 5000 seeds"),
    ],
)
def test_generate_refuses_bad_seeds(model, tmp_path, seeds, fragment):
    refused(["generate", "--model", model, f"--seeds={seeds}", "--out", str(tmp_path / "out")], fragment)
    assert not (tmp_path / "out").exists()


def test_generate_refuses_bad_models(model, tmp_path):
    truncated, pickled = tmp_path / "truncated.safetensors", tmp_path / "pickled.safetensors"
    truncated.write_bytes(Path(model).read_bytes()[:5000])
    torch.save({"a": torch.ones(1)}, pickled)
    out = ["--out", str(tmp_path / "out")]
    refused(["generate", "--model", "cats-teecher", *out], "cats-teecher")
    refused(["generate", "--model", str(truncated), *out], "truncated.safetensors")
    refused(["generate", "--model", str(pickled), *out], "pickled.safetensors")
    refused(["generate", "--model", model, "--scale", "nan", *out], "--scale")
    refused(["generate", "--model", model, "--device", "abacus", *out], "abacus")
    refused(["generate", "--model", model, "--out", "/dev/null/out"], "cannot be written")
    assert not (tmp_path / "out").exists()


def test_a_seed_that_is_repeated_is_drawn_once(model, tmp_path, capsys):
    main(["generate", "--model", model, "--seeds", "1,1,1", "--out", str(tmp_path / "out"), "--device", "cpu"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["seed-0001.png", "sheet.png"]
    said = f"1 face and sheet.png are in {tmp_path / 'out'}. Repeated seeds are drawn once.\n"
    assert capsys.readouterr().out == said


def test_a_pipe_is_no_model_and_no_statistics(tmp_path):
    for name in ("model.safetensors", "statistics.npz"):
        os.mkfifo(tmp_path / name)  # to open one would take forever
    refused(["generate", "--model", str(tmp_path / "model.safetensors")], "Unknown model")
    refused(["fid", str(tmp_path / "statistics.npz")], "There is no file", "statistics.npz")


def test_settings_that_a_source_fixes_are_no_options(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["transfer", "--generator", "big/4"])
    assert ended.value.code == 2 and "--generator" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_any_name_can_be_printed(model, tmp_path, encoding, monkeypatch):
    out = tmp_path / "\u043a\u043e\u0442"
    for more in (["--dry-run"], []):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))  # as Python opens it
        main(["generate", "--model", model, "--seeds", "0", "--out", str(out), "--device", "cpu", *more])
        sys.stdout.flush()
        printed = written.getvalue().decode(encoding)
        if more:
            assert json.loads(printed)["out"] == str(out)
        else:
            shown = str(out) if encoding == "utf-8" else str(out).encode("ascii", "backslashreplace").decode()
            assert printed == f"1 face and sheet.png are in {shown}.\n"


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(model, small_disk):
    disk = small_disk("64k")
    refused(["generate", "--model", model, "--seeds", "0-99", "--out", str(disk / "out")], "disk is full")
    left = list((disk / "out").iterdir())
    assert left
    for path in left:
        with Image.open(path) as image:
            image.load()


@pytest.fixture
def faces(tmp_path, draw_faces) -> str:
    """A folder of pictures to train on."""
    draw_faces(tmp_path / "faces", 20, (32, 32))
    return str(tmp_path / "faces")


def test_dry_runs_print_what_would_be_trained_and_write_nothing(tmp_path, capsys, monkeypatch, faces, source):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    more = ["--augment", "color,cutout", "--no-flip", "--dry-run"]
    main(["train", "--data", faces, "--steps", "5", *TINY, *more])
    recipe = json.loads(capsys.readouterr().out)
    assert recipe["method"] == "r1" and recipe["steps"] == 5 and recipe["flip"] is False
    assert recipe["critics"][0]["augment"] == ["color", "cutout"]
    student = ["--teacher", str(source), "--generator", "kd/64@32", "--alpha", "0.3", "--inherit-critic"]
    main(["distill", *student, "--minutes", "2", "--data", faces, "--dry-run"])
    recipe = json.loads(capsys.readouterr().out)
    assert (recipe["alpha"], recipe["critics"][0]["architecture"], recipe["flip"]) == (0.3, "critic/16@32", True)
    transfer = ["transfer", "--source", str(source), "--images", "500", "--data", faces, "--freeze-d", "2"]
    main([*transfer, "--widen", "2", "--out", "new", "--dry-run"])
    recipe = json.loads(capsys.readouterr().out)
    assert (recipe["generator"], recipe["critics"][0]["architecture"], recipe["freeze_d"]) == (
        "big/16@32",
        "critic/16@32",
        2,
    )
    main(["generate", "--seeds", "1, 2, 3, 9", "--dry-run"])
    assert json.loads(capsys.readouterr().out)["seeds"] == "1-3, 9"
    assert not list((tmp_path / "here").iterdir())


def test_a_dry_run_refuses_what_the_real_one_refuses(tmp_path, faces, source, thin_inception, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANOPT_INCEPTION", str(thin_inception))
    transfer, data = ["transfer", "--steps", "5", "--freeze-d", "2"], ["--data", faces]
    (tmp_path / "lone").mkdir()
    shutil.copy(source / "generator.safetensors", tmp_path / "lone")
    for arguments, fragment in (
        ([*transfer, "--source", "nowhere", *data], "Unknown model 'nowhere'"),
        ([*transfer, "--source", str(source), "--widen", "3", *data], "cannot be widened 3 times"),
        ([*transfer, "--source", "lone", *data], "contains no critic.safetensors"),
        ([*transfer, "--source", str(source), "--freeze-g", "4", *data], "has 4 layers"),
        ([*transfer, "--source", str(source)], "needs pictures"),
        (["train", "--data", "absent", "--steps", "5", *TINY], "There is no folder absent"),
        (["train", *data, "--steps", "5", *TINY, "--batch", "21"], "20 pictures are too few"),
        (["train", *data, "--steps", "5", *TINY, "--out", str(source)], "already contains a run"),
        (["train", *data, "--steps", "5", *TINY, "--device", "abacus"], "'abacus' is not available"),
        (["train", "--resume", str(source), *data], "pictures have changed"),
        (["train", "--resume", str(tmp_path / "absent")], "contains no readable run"),
        (["generate", "--model", "nowhere"], "Unknown model 'nowhere'"),
        (["generate", "--model", str(source), "--device", "abacus"], "'abacus' is not available"),
        (["publish", "nowhere", "me/cats"], "Unknown model 'nowhere'"),
        (["nearest", "--model", str(source), "--data", "absent"], "There is no folder absent"),
        (["find", "absent.jpg", "--model", str(source)], "absent.jpg cannot be used"),
        (["find", "--measure", "absent", "--model", str(source)], "There is no folder absent"),
        (["find", "--measure", "lone", "--model", str(source)], "contains 0 pictures"),
        (["experiments", "--data", "absent", "--minutes", "1"], "There is no folder absent"),
        (["experiments", "--data", "absent", "--minutes", "1", "--n", "5"], "use 50 to 50000"),
        (["experiments", "--data", "absent", "--minutes", "1", "--inception", "x.pth"], "no file x.pth"),
        (["data", "inspect", "lone"], "contains 0 pictures"),
        (["data", "fetch", "mnist", "--out", "lone"], "is not empty"),
        (["data", "fetch", "mnist", "--most", "0"], "--most is 0"),
    ):
        before = set(tmp_path.rglob("*"))
        refused([*arguments, "--dry-run"], fragment)
        refused(arguments, fragment)
        assert set(tmp_path.rglob("*")) - before <= {tmp_path / "runs"}


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Restores the handlers that a run sets."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("signal_handlers")
def test_a_dry_run_of_a_resumed_run_prints_its_new_budget_and_place(tmp_path, faces, capsys):
    run = tmp_path / "run"
    main(["train", "--data", faces, "--steps", "2", "--out", str(run), *TINY])
    Path(faces).rename(moved := tmp_path / "moved")
    capsys.readouterr()
    resume = ["train", "--resume", str(run), "--data", str(moved), "--device", "auto"]
    main([*resume, "--steps", "99", "--dry-run"])
    recipe = json.loads(capsys.readouterr().out)
    assert (recipe["steps"], recipe["data"], recipe["device"]) == (99, str(moved), "auto")
    for more in ([], ["--dry-run"]):
        main([*resume, "--steps", "1", *more])
        assert "has already spent its budget; set a larger one" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["steps"] == 2
    main([*resume, "--steps", "3"])
    assert "Done at step 3" in capsys.readouterr().out and _steps(run) == 3


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ([], "budget"),
        (["--steps", "0"], "--steps is 0"),
        (["--minutes=-1"], "--minutes is -1"),
        (["--steps", "5", "--generator", "huge"], "Unknown network 'huge'"),
        (["--steps", "5", "--lr-g", "nan"], "--lr-g is nan"),
        (["--steps", "5", "--augment", "blur"], "Unknown augmentation 'blur'"),
        (["--steps", "5"], "needs pictures"),
        (["--steps", "5", "--data", "/nowhere"], "no folder /nowhere"),
        (["--resume", "/nowhere"], "/nowhere contains no readable run"),
        (["--resume", "/nowhere", "--batch", "4"], "leave out --batch"),
    ],
)
def test_train_refuses_what_makes_no_sense(arguments, fragment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(["train", *arguments], fragment)
    assert not list(tmp_path.iterdir())


def test_data_says_what_is_in_a_folder(tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "faces", 20)
    (tmp_path / "faces" / "text.jpg").write_text("no picture")
    main(["data", "inspect", str(tmp_path / "faces"), "--side", "32"])
    said = capsys.readouterr().out
    assert "20 pictures of 32x32" in said and "1 skipped" in said and "text.jpg" in said
    (tmp_path / "empty").mkdir()
    refused(["data", "inspect", str(tmp_path / "empty")], "contains 0 pictures")


@pytest.fixture
def fid(thin_inception, tmp_path, monkeypatch) -> list[str]:
    """The start of a `fid` command with a small Inception, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return ["fid", "--inception", str(thin_inception), "--device", "cpu", "--precision", "float32"]


def test_fid_of_two_folders_as_json_and_in_a_file(fid, tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "first", 50)
    draw_faces(tmp_path / "second", 100, size=(40, 64))
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    main([*fid, *folders, "--json", "--results", "found.json"])
    records = json.loads(capsys.readouterr().out)["records"]
    assert [record["name"] for record in records] == ["real against real", "first"]
    assert (records[1]["reference"], records[1]["count"], records[1]["reference_count"]) == ("second", 50, 100)
    assert records[1]["fid"] > 0 and records[1]["arithmetic"] == "float32"
    assert json.loads(Path("found.json").read_text()) == {"records": records}
    main([*fid, folders[0], "--reference", folders[1], "--json", "--results", "found.json"])
    assert json.loads(Path("found.json").read_text()) == {"records": records * 2}
    assert json.loads(capsys.readouterr().out) == {"records": records}
    assert [path.name for path in Path().iterdir()] == ["found.json"]


def test_fid_of_two_folders_named_like_references(fid, draw_faces, capsys):
    draw_faces(Path("dogs"), 50)
    draw_faces(Path("cats"), 60, size=(40, 64))
    printed = []
    for reference in ("cats", "./cats", str(Path("cats").absolute())):
        main([*fid, "dogs", reference, "--results", "found.json"])
        printed.append(capsys.readouterr().out.splitlines())
    sentence = "cats is both a path and a shipped reference; the path is used."
    assert printed[0][0] == printed[1][0] == sentence and printed[0][1:] == printed[1][1:] == printed[2]
    records = json.loads(Path("found.json").read_text())["records"]
    assert [(each["reference_count"], each["reference_shipped"]) for each in records] == [(60, False)] * 3
    main([*fid, "dogs", "--n", "50", "--dry-run"])
    output = capsys.readouterr()
    assert output.err == "cats is both a path and a shipped reference; the shipped reference is used.\n"
    assert json.loads(output.out)["reference_shipped"] is True


def test_fid_of_a_folder_to_itself_is_0_whole_or_drawn(fid, draw_faces, capsys):
    draw_faces(Path("faces/cat"), 60)
    draw_faces(Path("faces/dog"), 60, size=(40, 64))
    for options, count in (([], 120), (["--n", "60"], 60)):
        main([*fid, "faces", "faces", *options, "--json", "--results", ""])
        record = json.loads(capsys.readouterr().out)["records"][-1]
        assert abs(record["fid"]) < 1e-3 and record["count"] == record["reference_count"] == count
    assert record["drawn"] == record["reference_drawn"] == "60 of 120 pictures, drawn with seed 0"
    main([*fid, "faces", "faces", "--n", "60", "--results", ""])
    drawn = "60 of 120 pictures, drawn with seed 0"
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"   ({drawn})   (reference: {drawn})")


def test_fid_in_bfloat16_says_so_and_is_not_saved_for_pytorch_fid(fid, draw_faces, capsys):
    draw_faces(Path("faces"), 50)
    main([*fid, "faces", "faces", "--precision", "bfloat16", "--results", "found.json"])
    assert capsys.readouterr().out.splitlines()[-1].endswith("   (Inception in bfloat16)")
    record = json.loads(Path("found.json").read_text())["records"][-1]
    assert record["arithmetic"] == "bfloat16" and abs(record["fid"]) < 1e-3
    refused([*fid, "faces", "--precision", "bfloat16", "--save", "faces"], "in float32; use --save without")


def test_fid_of_a_model_says_a_line_for_each(fid, model, tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "faces", 100)
    options = ["--reference", str(tmp_path / "faces"), "--n", "50", "--results", ""]
    main([*fid, "--model", model, "--against", model, "--repeats", "2", *options])
    floor, line = capsys.readouterr().out.splitlines()
    number = r"-?[0-9]+\.[0-9]{2}"
    measured = rf"fid50 +{number}( \({number} to {number}\))?   KID {number} \+- {number} e-3   "
    measured += r"precision [01]\.[0-9]{2}   recall [01]\.[0-9]{2}   "
    assert re.fullmatch(
        rf"real against real +{measured}diversity {number}   \(no SWD: real against real has no patches of pictures\)",
        floor,
    )
    measured += rf"SWD [0-9]+\.[0-9] e-3   diversity {number}"
    assert re.fullmatch(rf"{re.escape(model)} {measured}   to {re.escape(model)} -?0\.00", line) and " to " in line
    main([*fid, str(tmp_path / "faces"), *options])
    assert [line.split(" fid")[0].strip() for line in capsys.readouterr().out.splitlines()] == [
        "real against real",
        "faces",
    ]
    assert not list(Path().iterdir())


def test_fid_writes_down_each_result_at_once(fid, model, tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "faces", 100)
    (tmp_path / "broken").mkdir()
    for index in range(50):
        (tmp_path / f"broken/{index}.png").write_text("no picture")
    options = ["--reference", str(tmp_path / "faces"), "--n", "50", "--repeats", "1"]
    refused([*fid, "--model", model, str(tmp_path / "broken"), *options], "Only 0 pictures in broken")
    records = json.loads(Path("results.json").read_text())["records"]
    assert [record["name"] for record in records] == ["real against real", model]


def test_fid_saves_statistics_that_are_a_reference(fid, tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "faces", 60)
    main([*fid, str(tmp_path / "faces"), "--save", "faces"])
    main([*fid, str(tmp_path / "faces"), "--reference", "faces.npz", "--json", "--results", ""])
    printed = capsys.readouterr().out
    (record,) = json.loads(printed[printed.index("{") :])["records"]
    assert abs(record["fid"]) < 1e-3


def test_fid_dry_run(fid, model, tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "one", 50)
    (tmp_path / "two.npz").touch()
    (tmp_path / "two.zip").touch()
    one, *files = (str(tmp_path / name) for name in ("one", "two.npz", "two.zip"))
    main([*fid, one, files[0], "--n", "100", "--dry-run"])
    plan = json.loads(capsys.readouterr().out)
    assert (plan["paths"], plan["reference"], plan["models"], plan["count"]) == ([one], files[0], [], 100)
    main([*fid, one, files[1], "--model", model, "--model", model, "--against", model, "--dry-run"])
    plan = json.loads(capsys.readouterr().out)
    assert (plan["paths"], plan["reference"], plan["models"]) == ([one, files[1]], "cats", [model, model])
    assert (plan["against"], plan["repeats"], plan["seed"]) == (model, 3, 0)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ([], "No model or folder is selected"),
        (["--model", "nobody"], "Unknown model 'nobody'"),
        (["--model", "MODEL", "--against", "nobody"], "Unknown model 'nobody'"),
        (["--model", "MODEL", "--reference", "cat"], "Unknown reference 'cat'; use cats, dogs"),
        (["--model", "MODEL", "--n", "5"], "use 50 to 50000"),
        (["--model", "MODEL", "--repeats", "0"], "0 samples"),
        (["--model", "MODEL", "--seed", "-1"], "first seed is -1"),
        (["--model", "MODEL", "--inception", "nowhere.pth"], "no file nowhere.pth"),
        (["--model", "MODEL", "--device", "abacus"], "abacus"),
        (["nowhere"], "no folder nowhere"),
        (["nowhere.zip", "--n", "5"], "use 50"),
        (["nowhere.npz"], "no file nowhere.npz"),
        (["nowhere", "nowhere-else"], "no folder nowhere"),
        (["."], "contains 0 pictures; at least 50"),
        (["nowhere", "--save", "x", "--precision", "bfloat16"], "use --save without --precision bfloat16"),
    ],
)
def test_fid_refuses_what_makes_no_sense(fid, model, arguments, fragment):
    command = [*fid, "--results", "", *(model if word == "MODEL" else word for word in arguments)]
    for more in ([], ["--dry-run"]):
        refused([*command, *more], fragment)
    assert not list(Path().iterdir())


def test_fid_refuses_a_file_that_is_no_zip_file(fid, model):
    refused([*fid, "--results", "", model], "tiny.safetensors is damaged or not a zip file")


def test_fid_refuses_a_damaged_file_of_results_before_it_draws(fid, model, cache):
    Path("results.json").write_text("{")
    refused([*fid, "--model", model, "--n", "50"], "results.json contains no results")
    assert Path("results.json").read_text() == "{" and not cache.exists()


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """The results of checkpoints/, in which two things were measured; the working directory is empty."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"records": [score("cats-teacher"), storage("cats-student")]}))
    return path


TABLES = ("table-3.1", "table-3.2", "table-3.3", "metrics", "choice", "storage", "curves", "race")


def test_report_prints_the_tables_as_markdown(results, tmp_path, capsys):
    main(["report"])
    printed = capsys.readouterr().out
    assert printed.startswith("**Table 3.1: from scratch and by transfer**\n\n| model | FID |\n")
    assert "| cats-teacher | 40.00 (39.00 to 41.00) |" in printed and "| cats-student | int8 | 3.65 |" in printed
    assert "dogs" not in printed and printed.endswith(".\n")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"records": [score("dogs-scratch")]}))
    main(["report", "--results", str(other)])
    assert "| dogs-scratch |" in (printed := capsys.readouterr().out) and "| cats-teacher |" not in printed
    assert not list(Path().iterdir())


def test_report_writes_a_csv_file_a_table(results, capsys):
    main(["report", "--csv", "tables"])
    assert not capsys.readouterr().out
    assert {path.name for path in Path("tables").iterdir()} == {f"{name}.csv" for name in TABLES}
    assert Path("tables/storage.csv").read_text().splitlines()[0] == "model,stored as,MB,FID"
    assert "cats-teacher,,,40.00 (39.00 to 41.00)" in Path("tables/table-3.1.csv").read_text()


def test_report_renews_the_tables_of_a_readme_and_nothing_else(results, capsys):
    readme = Path("README.md")
    readme.write_text(f"# Käse\n\n{START}\n{END}\n\nMore.\n", encoding="utf-8")
    main(["report", "--readme", "README.md"])
    once = readme.read_text(encoding="utf-8")
    assert once.startswith(f"# Käse\n\n{START}\n**Table 3.1") and once.endswith(f"\n{END}\n\nMore.\n")
    main(["report", "--readme", "README.md"])
    assert readme.read_text(encoding="utf-8") == once and not capsys.readouterr().out
    results.write_text(json.dumps({"records": [score("cats-teacher", 50.0)]}))
    main(["report", "--readme", "README.md", "--csv", "."])
    assert "50.00 (49.00 to 51.00)" in readme.read_text(encoding="utf-8") and "40.00" not in readme.read_text()
    assert sorted(path.name for path in Path().iterdir()) == sorted([*(f"{name}.csv" for name in TABLES), "README.md"])


def test_report_dry_run_says_what_would_be_written_and_writes_nothing(results, capsys):
    Path("README.md").write_text(f"{START}\n{END}\n")
    main(["report", "--readme", "README.md", "--csv", "tables", "--dry-run"])
    planned = json.loads(capsys.readouterr().out)
    assert planned["readme"] == "README.md" and len(planned["tables"]) == len(TABLES)
    assert planned["csv"] == [str(Path("tables", f"{name}.csv")) for name in TABLES]
    assert Path("README.md").read_text() == f"{START}\n{END}\n" and len(list(Path().iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (None, "results.json contains no results"),
        ("{", "results.json contains no results"),
        ('{"records": [{"kind": "fid", "name": "cats-teacher"}]}', "is damaged"),
    ],
)
def test_report_of_no_results_is_one_sentence(results, content, fragment):
    results.unlink() if content is None else results.write_text(content)
    Path("README.md").write_text(f"{START}\n{END}\n")
    refused(["report", "--readme", "README.md", "--csv", "tables"], fragment)
    assert Path("README.md").read_text() == f"{START}\n{END}\n" and not Path("tables").exists()


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (None, "README.md cannot be read as text"),
        (f"{START}\n\xff\n{END}".encode("latin-1"), "README.md cannot be read as text"),
        (b"# Title\n", "put both where the tables belong"),
        (f"{END}\n{START}".encode(), "put both where the tables belong"),
    ],
)
def test_report_refuses_a_readme_that_it_cannot_renew_before_it_writes(results, content, fragment):
    if content is not None:
        Path("README.md").write_bytes(content)
    for more in ([], ["--dry-run"]):
        refused(["report", "--readme", "README.md", "--csv", "tables", *more], fragment)
    assert [path.name for path in Path().iterdir()] == ["README.md"] * (content is not None)
    assert content is None or Path("README.md").read_bytes() == content


def test_report_refuses_folders_that_cannot_be_written(results):
    Path("tables").write_text("a file")
    refused(["report", "--csv", "tables"], "cannot be written")
    refused(["report", "--readme", "."], "cannot be read as text")
    assert [path.name for path in Path().iterdir()] == ["tables"]


def test_a_mistake_is_one_line_on_stderr_and_status_1(tmp_path):
    command = [sys.executable, "-m", "ganopt", "fid", str(tmp_path / "nowhere")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"ganopt: There is no folder {tmp_path / 'nowhere'}; check the name."
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("signal_handlers")
def test_a_run_interrupted_by_ctrl_c_is_saved_and_goes_on(tmp_path, draw_faces, capsys):
    draw_faces(tmp_path / "faces", 20)
    run, environment = tmp_path / "a run's folder", os.environ | {"OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "ganopt", "train", "--data", str(tmp_path / "faces"), "--steps", "100000"]
    start += ["--out", str(run), *TINY]
    with subprocess.Popen(start, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not _steps(run):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"\nResume with: python -m ganopt train --resume {shlex.quote(str(run))}\n" in said
    stopped_at = _steps(run)
    refused(["train", "--resume", str(run), "--steps", "0"], "--steps is 0")
    main(["train", "--resume", str(run), "--steps", str(stopped_at + 3)])
    assert f"Done at step {stopped_at + 3}" in capsys.readouterr().out
    assert _steps(run) == stopped_at + 3
    main(["generate", "--model", str(run), "--seeds", "0", "--out", str(tmp_path / "out"), "--device", "cpu"])


def _steps(run: Path) -> int:
    """The last whole line's step in the metrics of a run, 0 before there is one."""
    try:
        lines = (run / "metrics.jsonl").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return 0
    return json.loads(lines[-1])["step"] if lines else 0


def test_runs_without_folders_that_start_at_the_same_moment_all_start_and_a_refused_one_leaves_nothing(
    tmp_path, draw_faces, monkeypatch
):
    draw_faces(tmp_path / "faces", 20)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GANOPT_RUNS": str(tmp_path / "runs")}
    command = [sys.executable, "-m", "ganopt", "train", "--data", str(tmp_path / "faces"), "--steps", "1", *TINY]
    started = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    assert [_steps(tmp_path / "runs" / f"r1-{number}") for number in (1, 2)] == [1, 1]
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))
    refused(["train", "--data", str(tmp_path / "nowhere"), "--steps", "1", *TINY], "There is no folder")
    assert len(list((tmp_path / "runs").iterdir())) == 2
