"""The page on ZeroGPU, with a stand-in for the module `spaces` that pickles arguments and results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganopt.thesis.release import ship

ROOT = Path(__file__).resolve().parents[2]
SPACES = """
import functools, inspect, pickle
import gradio as gr

calls, asked, left = [], [], [120]

def copied(value):
    return pickle.loads(pickle.dumps(value))

def called(task, duration, arguments):
    seconds = duration(*arguments) if callable(duration) else duration
    asked.append(seconds)
    if seconds > left[0]:
        raise gr.Error(f"You have exceeded your GPU quota ({seconds}s requested vs. {left[0]}s left).")
    try:
        return task(*copied(arguments))
    except gr.Error:
        raise
    except Exception as error:
        raise gr.Error("worker error") from error

def GPU(task, duration):
    @functools.wraps(task)
    def plain(*arguments):
        calls.append(task.__name__)
        return copied(called(task, duration, arguments))

    @functools.wraps(task)
    def stream(*arguments):
        calls.append(task.__name__)
        yield from map(copied, called(task, duration, arguments))

    return stream if inspect.isgeneratorfunction(task) else plain
"""
VISIT = """
import spaces
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from ganopt.ui import build_app

_, address, _ = build_app("cpu").launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
client = Client(address, verbose=False)
for name in ("generate", "map", "walk", "compare", "pair"):
    client.predict(api_name=f"/{name}")
try:
    client.predict(upload=handle_file("spaces.py"), upload_as_reference=True, api_name="/fid")
except AppError as error:
    print(error)
spaces.left[0] = 3
try:
    client.predict(api_name="/generate")
except AppError as error:
    print(error)
print(*spaces.asked)
print(*spaces.calls)
"""


def test_all_computations_run_on_a_gpu_and_their_errors_are_shown(tmp_path, source, thin_inception):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
        ship(source, "tiny", "Tiny faces", "teacher", "drawn faces", "none")
    (tmp_path / "spaces.py").write_text(SPACES)
    environment = os.environ | {
        "GANOPT_CHECKPOINTS": str(tmp_path / "checkpoints"),
        "GANOPT_INCEPTION": str(thin_inception),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
    }
    command = [sys.executable, "-c", VISIT]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    sentence, refusal, asked, calls = done.stdout.splitlines()[-4:]
    assert set(calls.split()) == {"faces", "face_map", "walk", "compare", "cosines", "latencies", "_evaluate"}
    assert sentence == "spaces.py is damaged or not a zip file; make or download it again."
    assert refusal == "You have exceeded your GPU quota (20s requested vs. 3s left)."
    assert all(0 < int(each) <= 120 for each in asked.split())  # more is refused by the Space
