"""Uploads are read in a process of their own: what happens there is one sentence here, and nothing is left of it."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganopt import subprocesses
from ganopt.data import image_folder, isolated
from ganopt.data.decode import UPLOAD_PIXELS, decode_whole
from ganopt.subprocesses import module_environment, module_output, run_module

linux = pytest.mark.skipif(sys.platform != "linux", reason="only there is memory limited, and its peak told")
HUGE = "it has more than 16 million pixels"


def children() -> list[int]:
    """The processes that this one has started for a module and not waited for; other tests have others."""
    lists = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    return [
        int(child) for child in sum(lists, []) if b"-m" in Path("/proc", child, "cmdline").read_bytes().split(b"\0")
    ]


@contextlib.contextmanager
def opened(archive: Path, most: int) -> Iterator[isolated.Upload]:
    """An upload, after it has been unpacked."""
    with isolated.opened(archive, most, UPLOAD_PIXELS) as uploads:
        while (upload := next(uploads)) is None:
            pass
        yield upload


@pytest.fixture
def archive(tmp_path, monkeypatch, draw_faces) -> Path:
    """A zip file of twenty faces; what is unpacked lies in a folder of the test's own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as zipped:
        for path in draw_faces(tmp_path / "faces", 20, (200, 200)):  # a pipe does not hold one of them
            zipped.write(path, path.name)
    return tmp_path / "faces.zip"


def test_pictures_come_as_they_are_decoded(archive, tmp_path):
    with opened(archive, 10) as upload:
        pictures = list(upload.pictures)
    assert upload.count == len(pictures) == 10
    for index, picture in zip(image_folder.drawn(20, 10, 0), pictures, strict=True):
        assert np.array_equal(picture, decode_whole(str(tmp_path / f"faces/face{index:03}.png")))


def test_what_cannot_be_read_comes_as_its_reason(archive, tmp_path):
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("a.png", "text")
        with zipped.open("b.png", "w") as file:
            Image.new("1", (4001, 4000)).save(file, "PNG")
        with zipped.open("c.png", "w") as file:
            Image.new("1", (20_000, 20_000)).save(file, "PNG")  # of which PIL does not tell the size
        Image.new("L", (300, 300)).save(tmp_path / "d.ico")  # whose header may lie
        zipped.write(tmp_path / "d.ico", "d.png")
    with opened(archive, 100) as upload:
        reasons = [picture for picture in upload.pictures if isinstance(picture, str)]
    assert upload.count == 24 and reasons == ["it is not a picture", HUGE, HUGE, "it is not a picture"]


def test_the_limit_is_the_last_that_is_read(tmp_path):
    Image.new("1", (40, 25)).save(tmp_path / "a.png")
    assert decode_whole(str(tmp_path / "a.png"), 1000).shape == (3, 25, 40)
    assert decode_whole(str(tmp_path / "a.png"), 999) == "it has more than 0.000999 million pixels"


@linux
@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_a_large_picture_is_left_out_before_it_is_decoded(tmp_path, suffix):
    side = 16_000 if suffix == "webp" else 10_000
    path = tmp_path / f"huge.{suffix}"
    if suffix == "webp":  # an extended header alone
        chunk = b"VP8X" + struct.pack("<IB3x", 10, 0) + 2 * (side - 1).to_bytes(3, "little")
        path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    else:
        Image.new("L", (side, side)).save(path)
    code = f"""
from ganopt.data.decode import decode_whole
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
print(decode_whole({str(path)!r}, {UPLOAD_PIXELS}))
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=module_environment(), capture_output=True)
    reason, kilobytes = done.stdout.decode().splitlines()
    assert (reason == HUGE if suffix != "webp" else reason.startswith("it ")) and int(kilobytes) < 20_000


@linux
@pytest.mark.parametrize(
    ("number", "sentence"),
    [(signal.SIGKILL, "was killed by another program or by the system"), (signal.SIGSEGV, "crashed (signal 11)")],
)
def test_a_process_that_is_killed_is_one_sentence(archive, refuses, tmp_path, number, sentence):
    with refuses("Reading faces.zip", sentence), opened(archive, 20) as upload:
        next(upload.pictures)
        [process] = children()
        os.kill(process, number)
        list(upload.pictures)
    assert not children() and not list((tmp_path / "temporary").iterdir())


@linux
@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("bytearray(10**9)", "needs more memory than is available"),
        ("numpy.ones(10**9)", "needs more memory than is available"),
        ("signal.alarm(1); signal.pause()", "took too long"),
        ("os.abort()", "crashed (signal 6)"),
        ("1 / 0", "failed unexpectedly"),
        ("open('/no/memory')", "failed unexpectedly"),
        (
            "announce_files(); announced('a \u043a.png').__enter__(); os.abort()",
            "crashed (signal 6) while it read a \u043a.png",
        ),
        (
            "announce_files(); announced('a.png').__enter__(); bytearray(10**9)",
            "available while it read a.png; leave that",
        ),
        ("sys.exit('ganopt: It is Monday; wait a day.')", "It is Monday"),
        ("pass", "failed unexpectedly"),
    ],
)
def test_however_a_process_ends_it_is_one_sentence(tmp_path, monkeypatch, refuses, task, sentence):
    (tmp_path / "task.py").write_text(
        "import numpy, os, signal, sys\nfrom ganopt.subprocesses import *\n"
        f"limit_memory(500_000_000)\nprint('one', flush=True)\n{task}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with refuses(sentence), module_output(["task"], "The task", **subprocesses.ONE_THREAD) as output:
        assert output.readline() == b"one\n"
        if not output.readline():
            raise EOFError
    assert not children()


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGALRM, signal.SIGTERM])
def test_the_file_at_which_a_process_ended_is_named(archive, tmp_path, monkeypatch, refuses, number):
    end = f"os.kill(os.getpid(), {int(number)}) if path.endswith('face007.png') else decode(path, *rest)"
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nfrom ganopt.data import decode as module\n"
        f"decode = module.decode_whole\nmodule.decode_whole = lambda path, *rest: {end}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        refuses("Reading faces.zip ", " while it read face007.png", "leave that file out"),
        opened(archive, 20) as upload,
    ):
        list(upload.pictures)


@linux
def test_the_pictures_at_which_a_process_ended_are_named(tmp_path, draw_faces, monkeypatch, refuses):
    draw_faces(tmp_path / "faces", 20)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\nfrom ganopt.data import decode as module\n"
        "def decode(path, side, decode=module.decode):\n"
        "    if path.endswith('face007.png'):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return decode(path, side)\n"
        "module.decode = decode\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with refuses("Reading the pictures was killed", "face007.png", "leave that file out"):
        run_module(["ganopt.data.image_folder", str(tmp_path / "faces"), "20", "", "1"], task="Reading the pictures")


def test_ctrl_c_ends_reading_at_once_and_leaves_nothing(tmp_path, draw_faces):
    draw_faces(tmp_path / "faces", 40)
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nfrom ganopt.data import decode as module\n"
        "def decode(path, side):\n    print('begun', flush=True)\n    time.sleep(0.5)\n    return 'slow'\n"
        "module.decode = decode\n"
    )
    command = [sys.executable, "-m", "ganopt", "data", "inspect", str(tmp_path / "faces")]
    environment = module_environment() | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), module_environment()["PYTHONPATH"]])
    }
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1]
    assert process.returncode == 130 and errors.endswith(b"ganopt: interrupted.\n") and b"Traceback" not in errors
    assert time.monotonic() - start < 10  # alone, the pictures that were not begun would take longer


@linux
def test_who_leaves_ends_the_process_and_removes_what_it_unpacked(archive, tmp_path):
    with opened(archive, 20) as upload:
        next(upload.pictures)
        assert children() and list((tmp_path / "temporary").iterdir())
    assert not children() and not list((tmp_path / "temporary").iterdir())


@linux
def test_arrays_that_say_they_are_large_are_no_statistics(tmp_path, refuses):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**10},), }}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as zipped:
        zipped.writestr("mu.npy", content)
        zipped.writestr("sigma.npy", content)
    with refuses("a.npz contains no statistics"):
        isolated.statistics(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", mu=np.zeros(3000), sigma=np.zeros((3000, 3000), np.int8))
    with refuses("b.npz contains no statistics"):  # their square root would take minutes
        isolated.statistics(tmp_path / "b.npz")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_damaged_picture_of_any_kind_is_a_reason(tmp_path, draw_face):
    draw_face(0).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for place in random.integers(8, len(content), 3):
            damaged[place] = random.integers(256)
        for start in (12, 37):  # of a chunk, whose sum is set right
            size = int.from_bytes(damaged[start - 4 : start], "big")
            if start + size + 8 <= len(damaged):
                sum_ = zlib.crc32(damaged[start : start + 4 + size]).to_bytes(4, "big")
                damaged[start + 4 + size : start + 8 + size] = sum_
        (tmp_path / "b.png").write_bytes(damaged)
        found = decode_whole(str(tmp_path / "b.png"), UPLOAD_PIXELS)
        assert isinstance(found, np.ndarray) or found.startswith("it ")


@linux
@pytest.mark.parametrize("stops", [True, False])
def test_unpacking_can_be_left_and_has_a_time_limit(archive, tmp_path, monkeypatch, refuses, stops):
    code = "import signal, time\nfrom ganopt.data import archives\narchives.unpack = lambda *_: time.sleep(100)\n"
    limit = "alarm = signal.alarm\nsignal.alarm = lambda seconds: alarm(seconds // 60)\n"  # two seconds
    (tmp_path / "sitecustomize.py").write_text(code if stops else code + limit)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    start = time.monotonic()
    with (
        contextlib.nullcontext() if stops else refuses("faces.zip took too long"),
        isolated.opened(archive, 20, UPLOAD_PIXELS) as uploads,
    ):
        assert [next(uploads) for _ in range(3)] == [None] * 3
        if not stops:
            list(uploads)
    assert time.monotonic() - start < 30 and not children() and not list((tmp_path / "temporary").iterdir())


def test_photographs_are_shrunk_and_what_is_none_has_a_reason(draw_face, tmp_path):
    draw_face(0, (300, 100)).save(tmp_path / "a.heic")
    draw_face(1, (100, 200)).save(tmp_path / "b.HEIF")
    (tmp_path / "c.heic").write_bytes(b"hi")
    (tmp_path / "d.txt").write_bytes(b"hi")
    files = [tmp_path / name for name in ("a.heic", "b.HEIF", "c.heic", "d.txt")]
    first, second, damaged, text = isolated.photographs(files, 60)
    assert first.shape == (3, 20, 60) and second.shape == (3, 60, 30)
    assert damaged == text == "it is not a picture"
