"""Kill a run again and again, at random moments, and compare its end with that of a run that was left in peace.

python -m tests.bench.kills [--kills 20] [--seed 0]
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from ganopt.errors import UserError
from ganopt.runs import manager, monitor
from ganopt.runs.queue import PROCESS
from ganopt.runs.status import ACTIVE, read
from ganopt.training import loop, methods, run_folder
from tests.conftest import _draw_faces

SAVE_EVERY = 20
TIMED = ("seconds", "memory", "progress")  # what no two runs share


def wait_until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


def saved_step(folder: Path) -> int:
    with contextlib.suppress(UserError):
        return run_folder.read_counters(folder)["step"]
    return 0


def kill_once(folder: Path, moment: float) -> int:
    """Kill a run some seconds after its first step of this time, and return how many logged steps that cost."""
    before = len(monitor.follow(folder)[0])
    wait_until(lambda: len(monitor.follow(folder)[0]) != before)
    time.sleep(moment)
    with contextlib.suppress(ProcessLookupError):
        os.kill(int((folder / PROCESS).read_text()), signal.SIGKILL)
    wait_until(lambda: read(folder).status not in ACTIVE)
    lines = monitor.follow(folder)[0]
    return lines[-1]["step"] - saved_step(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        os.environ["GANOPT_CACHE"] = str(root / "cache")
        _draw_faces(root / "pictures", 20, (32, 32))
        tiny = {"generator": "big/32@32", "critic": "plain-critic/32", "batch": 8, "device": "cpu"}
        recipe = methods.recipe("r1", data=str(root / "pictures"), steps=1_000_000, save_every=SAVE_EVERY, **tiny)
        folder, lost = manager.start(root / "runs", "killed", recipe), []
        for number in range(options.kills):
            lost.append(kill_once(folder, chance.uniform(0, 1.5)))
            print(f"kill {number + 1}: at step {saved_step(folder) + lost[-1]}, {lost[-1]} steps lost", flush=True)
            manager.resume(root / "runs", "killed")
        saved = saved_step(folder)
        wait_until(lambda: saved_step(folder) > saved)
        manager.stop(root / "runs", "killed")
        wait_until(lambda: read(folder).status not in ACTIVE)
        for _ in loop.train(dataclasses.replace(recipe, steps=saved_step(folder)), root / "straight"):
            pass
        compare(root / "straight", folder)
        print(f"{options.kills} kills, at most {max(lost)} steps lost where {SAVE_EVERY} lie between saves")


def compare(straight: Path, killed: Path) -> None:
    """End with an error unless both logged the same losses at the same steps and ended in the same state."""
    logs = [
        [{key: value for key, value in line.items() if key not in TIMED} for line in monitor.follow(folder)[0]]
        for folder in (straight, killed)
    ]
    assert json.dumps(logs[0]) == json.dumps(logs[1]), "the logs differ"
    first, second = (load_file(folder / run_folder.STATE) for folder in (straight, killed))
    assert all(torch.equal(first[name], second[name]) for name in first), "the states differ"
    print(f"{len(logs[0])} steps logged alike, the states equal bit for bit")


if __name__ == "__main__":
    main()
