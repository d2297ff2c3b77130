"""What a server meets in the end: full disks, damaged weights, a Hub that hangs, processes killed in the middle.

    python -m tests.bench.faults

Each must end in one sentence, leave nothing half-written, and work again when the fault is gone. The page is a real one
with tiny models; the Hub is the stand-in of the tests, and the client the real one. Full disks need root. Saves of a
run are killed by `tests.bench.kills`; the other faults of Hub, disk and files are in the tests beside each module.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ganopt.models import weights
from ganopt.models.networks import build_critic, build_generator
from tests.bench.tiny import MODELS, call, tiny_page
from tests.browser.conftest import ROOT
from tests.conftest import mounted
from tests.hub import WRITER, Hub

TINY = {"network": "big/64", "side": 32, "minutes": 1}


def said(answer: tuple) -> str:
    """The one sentence of an answer. Raises AssertionError for anything else."""
    event, error = answer
    assert event == "error" and error["error"].endswith(".") and "\n" not in error["error"], answer
    return error["error"]


def full_disks(address: str, folder: Path) -> None:
    generate, train = (f"{address}/gradio_api/call/v2/{name}" for name in ("generate", "train"))
    with mounted(folder / "gradio_temp_dir", "256k") as is_small:
        if not is_small:
            return print("full disks: skipped, for a small disk cannot be mounted here")
        for first in range(0, 6400, 64):
            answer = call(generate, {"seeds": f"{first}-{first + 63}"})
            if answer[0] == "error":
                break
        print(f"the disk of what visitors get is full: {said(answer)}")
    assert call(generate, {"seeds": "0-3"})[0] == "complete"
    with mounted(folder / "ganopt_runs", "4k"):
        (folder / "ganopt_runs" / "filler").write_bytes(bytes(4096))
        print(f"the disk of runs is full: {said(call(train, TINY | {'data': str(folder / 'pictures')}))}")
        left = [path.name for path in (folder / "ganopt_runs").iterdir()]
        assert left == ["filler"], left


def damaged_weights(address: str, folder: Path) -> None:
    path, url = folder / "ganopt_checkpoints" / f"{MODELS[1]}.safetensors", f"{address}/gradio_api/call/v2/generate"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    print(f"damaged weights: {said(call(url, {'model': MODELS[1]}))}")
    path.write_bytes(good)
    assert call(url, {"model": MODELS[1]})[0] == "complete"


def start(hub: Hub, folder: Path, *words: str) -> subprocess.Popen:
    """A command of ours that uses the stand-in Hub."""
    places = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": WRITER}
    command = [sys.executable, "-m", "ganopt", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | places, **pipes)


def end(process: subprocess.Popen) -> tuple[int, str]:
    """How a command ended, and the last line that it printed."""
    output, _ = process.communicate(timeout=300)
    assert "Traceback" not in output, output
    return process.returncode, output.strip().splitlines()[-1]


def hub_in_trouble(folder: Path) -> None:
    made = folder / "made"
    weights.save(build_generator("big/8"), made / "generator.safetensors")
    weights.save(build_critic("plain-critic/8"), made / "critic.safetensors")
    fetched, published = folder / "fetched", ("publish", str(made), "cat/new")
    drawn = ("generate", "--model", "cat/cats", "--seeds", "0", "--out", str(fetched))
    with Hub() as hub:
        hub.add("cat/cats", {path.name: path.read_bytes() for path in made.iterdir()})
        for words, left in (
            (drawn, lambda: fetched.exists()),
            (published, lambda: hub.repositories["cat/new"].commits),
        ):
            hub.trouble = "stuck"
            hub.stuck.clear()
            process = start(hub, folder, *words)
            assert hub.stuck.wait(120), "nothing was transferred"
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not left(), "something half-written is left"
            hub.trouble = ""
            status, line = end(start(hub, folder, *words))
            assert status == 0 and left(), line
            print(f"killed during {words[0]}: nothing half-written, and the next time it ends well")
        hub.trouble, begun = "silent", time.monotonic()
        words = ("generate", "--model", "cat/silent", "--seeds", "0", "--out", str(folder / "none"))
        status, line = end(start(hub, folder, *words))
        assert status == 1 and line.startswith("ganopt: ") and not (folder / "none").exists(), line
        print(f"a Hub that says nothing, after {time.monotonic() - begun:.0f} s: {line}")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        with tiny_page(folder) as (address, _):
            damaged_weights(address, folder)
            full_disks(address, folder)
            log = (folder / "log.txt").read_text()
            assert "Traceback" not in log, log
        hub_in_trouble(folder)


if __name__ == "__main__":
    main()
