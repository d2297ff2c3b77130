"""Pictures in a file: exact, continued after a kill, and read without memory for those that are not asked for."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from ganopt.data import image_folder, stored
from ganopt.data.real_pictures import RealPictures
from ganopt.errors import UserError
from ganopt.subprocesses import module_environment

SIDE = 8
FILES = [f"{number:04}.png" for number in range(1300)]  # more than two chunks


def picture(name: str) -> np.ndarray | str:
    """A picture of a colour of its own; every hundredth cannot be read."""
    number = int(name[:4])
    if number % 100 == 7:
        return "it is no picture"
    return np.full((3, SIDE, SIDE), number % 251, np.uint8)


CHUNK = 512


def chunks(position):
    for start in range(position or 0, len(FILES), CHUNK):
        names = FILES[start : start + CHUNK]
        yield zip(names, map(picture, names), strict=True), start + CHUNK


@pytest.fixture
def expected() -> np.ndarray:
    """All pictures that can be read."""
    return np.stack([found for found in map(picture, FILES) if not isinstance(found, str)])


def test_it_is_an_npy_file_with_its_hash_and_what_was_skipped(tmp_path, expected):
    made = stored.write(tmp_path / "x.npy", SIDE, chunks)
    again = stored.read(tmp_path / "x.npy")
    for found in (made, again):
        assert found.shape == (1287, 3, SIDE, SIDE) and found.hash == hashlib.sha256(expected).hexdigest()
        assert [*found.skipped] == [f"{number:04}.png" for number in range(7, 1300, 100)]
        assert np.array_equal(found.mapped, expected) and np.array_equal(np.load(tmp_path / "x.npy"), expected)
        assert np.array_equal(found[np.array([5, 1286, 0])], expected[[5, 1286, 0]])
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


@pytest.mark.parametrize("stop", [0, 1, 511, 512, 513, 1100])
def test_what_was_interrupted_goes_on(tmp_path, expected, stop):
    def interrupted(position):
        def until_stop(pairs):
            for name, found in pairs:
                if name == FILES[stop]:
                    raise KeyboardInterrupt
                yield name, found

        for pairs, after in chunks(position):
            yield until_stop(pairs), after

    with pytest.raises(KeyboardInterrupt):
        stored.write(tmp_path / "x.npy", SIDE, interrupted)
    assert stored.read(tmp_path / "x.npy") is None
    (tmp_path / "x.log").open("a").write('[9999, {"cut')  # as by a kill
    for _ in range(2):  # interrupted at the same picture again
        with pytest.raises(KeyboardInterrupt):
            stored.write(tmp_path / "x.npy", SIDE, interrupted)
    asked: list[int | None] = []
    found = stored.write(tmp_path / "x.npy", SIDE, lambda position: (asked.append(position), chunks(position))[1])
    assert asked == [stop // CHUNK * CHUNK or None]
    assert np.array_equal(found.mapped, expected) and found.hash == hashlib.sha256(expected).hexdigest()


def test_a_log_that_is_ahead_of_its_pictures_is_not_believed(tmp_path, expected):
    (tmp_path / "x.part").write_bytes(b"short")
    (tmp_path / "x.log").write_text('[1024, {"of before": "bad"}, 1024]\n')
    found = stored.write(tmp_path / "x.npy", SIDE, chunks)
    assert np.array_equal(found.mapped, expected) and "of before" not in found.skipped


def test_of_two_processes_one_decodes_and_the_other_waits(tmp_path, draw_faces, cache):
    draw_faces(tmp_path / "faces", 30, (32, 32))
    load = f"image_folder.load(Path('faces'), {SIDE}).pictures.sum()"
    code = f"from pathlib import Path; from ganopt.data import image_folder; print({load})"
    command, environment = [sys.executable, "-c", code], module_environment()
    processes = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    first, second = (process.communicate()[0] for process in processes)
    assert first == second != "" and [process.returncode for process in processes] == [0, 0]
    assert [path.suffix for path in cache.rglob("*.*")] == [".npy"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*values: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(stored, "_finish", full)
    with pytest.raises(UserError, match="The disk is full"):
        stored.write(tmp_path / "x.npy", SIDE, chunks)
    assert not list(tmp_path.iterdir())


def test_a_batch_is_the_same_from_a_file_and_from_memory(tmp_path, expected):
    made = stored.write(tmp_path / "x.npy", SIDE, chunks)
    device, chosen = torch.device("cpu"), torch.tensor([3, 1286, 3])
    from_file = RealPictures(made, 16, SIDE, device)
    from_memory = RealPictures(torch.from_numpy(expected), 16, SIDE, device)
    assert torch.equal(from_file[chosen], from_memory[chosen]) and from_file.hash == from_memory.hash
    (tmp_path / "x.npy").unlink()  # as when the cache is emptied during a run
    assert torch.equal(from_file[chosen], from_memory[chosen])


def test_a_file_that_is_cut_off_during_a_run_is_one_sentence(tmp_path, refuses):
    made = stored.write(tmp_path / "x.npy", SIDE, chunks)
    os.truncate(tmp_path / "x.npy", 5000)
    with refuses("was changed by another program"):
        made[np.array([1000])]


def test_a_survey_counts_what_is_found(tmp_path, draw_faces):
    draw_faces(tmp_path / "a" / "b", 3)
    (tmp_path / "a" / "note.txt").touch()
    seen = image_folder.survey(tmp_path)
    assert (seen.count, seen.left_out) == (3, "1 .txt") and seen == image_folder.survey(tmp_path)
    (tmp_path / "a" / "b" / "face001.png").rename(tmp_path / "a" / "c.png")
    assert image_folder.survey(tmp_path).hash != seen.hash
