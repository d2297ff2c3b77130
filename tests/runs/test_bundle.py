"""Packing runs into parts and unpacking them."""

import shutil
from pathlib import Path

import pytest
import torch

from ganopt.models import weights
from ganopt.runs.bundle import main, pack, unpack
from ganopt.thesis import release
from ganopt.training import loop, run_folder


@pytest.fixture
def runs(source, tmp_path) -> Path:
    """A folder of two runs, one with a snapshot."""
    for name in ("first", "second"):
        shutil.copytree(source, tmp_path / "runs" / name)
    network = weights.load(source / "generator.safetensors")
    weights.save(network, tmp_path / "runs" / "first" / "snapshots" / "0000004.safetensors", dtype=torch.float16)
    return tmp_path / "runs"


def test_unpacked_runs_are_equal_except_for_float16(runs, tmp_path):
    parts = pack(runs, tmp_path / "parts", most=50_000)
    assert len(parts) > 2 and all(0 < path.stat().st_size <= 50_000 for path in parts)
    folders = unpack(tmp_path / "parts", tmp_path / "there")
    assert folders == [tmp_path / "there" / "first", tmp_path / "there" / "second"]
    for folder in folders:
        original = runs / folder.name
        assert run_folder.read_counters(folder) == run_folder.read_counters(original)
        assert run_folder.read_recipe(folder) == run_folder.read_recipe(original)
        assert (folder / "metrics.jsonl").read_bytes() == (original / "metrics.jsonl").read_bytes()
        for name in ("generator.safetensors", "critic.safetensors"):
            there, here = (weights.load(path / name).state_dict() for path in (folder, original))
            for key, value in here.items():
                assert torch.equal(there[key], value.half().float() if value.is_floating_point() else value)
    assert [path.name for path in (tmp_path / "there").glob("*/snapshots/*")] == ["0000004.safetensors"]


def test_an_unpacked_run_can_be_shipped_but_not_resumed(runs, tmp_path, monkeypatch, pictures, refuses):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
    pack(runs, tmp_path / "parts")
    folder, _ = unpack(tmp_path / "parts", tmp_path / "there")
    entry = release.ship(folder, "tiny", "Tiny faces", "teacher", "drawn faces", "none")
    assert entry.images == run_folder.read_counters(runs / "first")["images"]
    folder = folder.rename(tmp_path / "there" / "my first")
    with refuses("no optimisers, so it cannot be resumed", f"python -m ganopt transfer --source '{folder}'."):
        loop.resume(folder, pictures, {"steps": 9})
    monkeypatch.setattr("sys.argv", ["/usr/bin/ganopt"])
    with refuses(f"from its model with ganopt transfer --source '{folder}'."):
        loop.resume(folder, pictures, {"steps": 9})


def test_a_missing_part_and_an_existing_run_are_one_sentence(runs, tmp_path, refuses):
    with refuses("contains no saved run"):
        pack(tmp_path, tmp_path / "parts")
    parts = pack(runs, tmp_path / "parts", most=50_000)
    with refuses("already exists"):
        unpack(tmp_path / "parts", runs)
    parts[-1].unlink()
    with refuses("all parts"):
        unpack(tmp_path / "parts", tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_the_command_prints_the_paths_that_it_wrote(runs, tmp_path, capsys):
    main(["pack", str(runs), str(tmp_path / "parts")])
    assert capsys.readouterr().out == f"{tmp_path / 'parts' / 'runs.zip.000'}\n"
    main(["unpack", str(tmp_path / "parts"), str(tmp_path / "there")])
    with pytest.raises(SystemExit) as caught:
        main(["unpack", str(tmp_path / "parts"), str(tmp_path / "there")])
    assert "already exists" in str(caught.value)
