"""Uploads are measured and trained on without using the memory of the page's process."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ganopt.subprocesses import module_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is only available on Linux")
PAGE = """
import json, sys, torch
from pathlib import Path
from ganopt.errors import UserError
from ganopt.metrics.evaluation import Plan
from ganopt.ui import fid, requests, train
from ganopt.ui.common import Scratch

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1000

def error_of(task):
    try:
        task()
    except Exception as error:
        return getattr(error, "message", str(error))

def measure(path, as_reference):
    models, sources = ("cats-teacher",) if as_reference else (), fid._sources(Path(ordinary), path, as_reference)
    plan = Plan(models=models, count=50, **sources)
    return list(fid._measure(plan, torch.device("cpu"), scratch, lambda: False))

def start(path):
    request = requests.from_api("r1", 1, train.UPLOAD, "cats-teacher", "big/64", 32, {"batch": 4})
    return requests.start(request, [Path(path)], "mine", True)

folder, ordinary, large = Path(sys.argv[1]), *sys.argv[2:]
scratch = Scratch(folder / "scratch")
measure(ordinary, True)
before = peak()
sentences = [error_of(lambda: measure(large, role)) for role in (True, False)] + [error_of(lambda: start(large))]
print(json.dumps({"sentences": sentences, "megabytes": peak() - before}))
measure(ordinary, True)
"""


def zip_of(path: Path, pictures: list[Path]) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for picture in pictures:
            archive.write(picture, picture.name)
    return str(path)


def test_huge_pictures_are_one_sentence_and_little_memory(tmp_path, draw_faces, three_models, thin_inception):
    ordinary = zip_of(tmp_path / "faces.zip", draw_faces(tmp_path / "faces", 50))
    huge = draw_faces(tmp_path / "huge", 1)[0]
    Image.new("P", (10_000, 10_000)).save(huge)
    with zipfile.ZipFile(tmp_path / "huge.zip", "w") as archive:
        for index in range(50):
            archive.write(huge, f"{index}.png")
    assert (tmp_path / "huge.zip").stat().st_size < 15_000_000
    paths = {"GANOPT_CHECKPOINTS": three_models, "GANOPT_INCEPTION": thin_inception, "GANOPT_RUNS": tmp_path / "runs"}
    environment = module_environment(**{name: str(path) for name, path in paths.items()})
    command = [sys.executable, "-c", PAGE, str(tmp_path), ordinary, str(tmp_path / "huge.zip")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    first, second, third = found["sentences"]
    why = "(50 were skipped, the first because it has more than 16 million pixels)"
    assert first == second == f"Only 0 pictures in huge.zip can be read {why}; FID needs at least 50."
    assert third == "Only 0 of the pictures have up to 16 million pixels, the limit; upload at least 16 such pictures."
    assert found["megabytes"] < 100 and not list((tmp_path / "runs").glob("*"))
