"""From an empty folder to a Space: the project is published on a stand-in Hub, laid out, installed, started and used.

The stand-in takes the place of the Hub, the real client uploads. Then the page runs as in a Space: with the files of
the repository only, in an environment with its requirements only, and the settings that a Space has. What was measured
is printed: the bytes, the seconds from the start to the first faces, the memory at rest, a public visitor's limits, a
run of a minute, FID of 100 faces, and what a restart keeps.

python -m tests.bench.space --folder FOLDER [--base PYTHON]     # installed with PYTHON, by default with this one
python -m tests.bench.space --folder FOLDER --python PYTHON     # nothing is installed
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.bench.tiny import call, resident
from tests.hub import WRITER, Hub

ROOT = Path(__file__).resolve().parents[2]
PERSONAL = ("GANOPT_", "GRADIO_", "HF_", "HOME", "PYTHON", "VIRTUAL_ENV")  # beginnings of variables of our own
USER = 1000 if hasattr(os, "getuid") and os.getuid() == 0 else None  # that of a Space, which only root can become
SECONDS, MEMORY = 20, 2000  # to the first faces at most, and megabytes at rest


def publish(hub: Hub, folder: Path, *words: str) -> str:
    """Run `ganopt publish` with the stand-in as the Hub; returns what it printed."""
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": WRITER}
    command = [sys.executable, "-m", "ganopt", "publish", *words]
    environment = os.environ | settings
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert WRITER not in done.stdout
    return done.stdout


def lay_out(files: dict[str, bytes], folder: Path) -> None:
    """Write the files of a repository into a new folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def environment_of_a_space(home: Path, port: int, **settings: str) -> dict[str, str]:
    """The environment of a Space's process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PERSONAL)}
    space = {"SPACE_ID": "cat/page", "SYSTEM": "spaces", "HOME": str(home), "PYTHONUNBUFFERED": "1"}
    server = {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    return inherited | space | server | settings


@contextlib.contextmanager
def started(
    app: Path, home: Path, python: str = sys.executable, user: int | None = None, **settings: str
) -> Iterator[tuple[str, int]]:
    """The address of a page that runs as in a Space, and its process, once it answers; `page.log` is beside `home`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = environment_of_a_space(home, port, **settings)
    log = open(home.parent / "page.log", "a")
    command = [python, "app.py"]
    with log, subprocess.Popen(command, cwd=app, env=environment, stdout=log, stderr=log, user=user) as process:
        try:
            while not _answers(address := f"http://127.0.0.1:{port}"):
                assert process.poll() is None, Path(log.name).read_text()
                time.sleep(0.1)
            yield address, process.pid
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=10).status == 200
    except OSError:
        return False


def ask(address: str, name: str, **values: object) -> object:
    """The answer of an endpoint of the page."""
    event, data = call(f"{address}/gradio_api/call/v2/{name}", values)
    assert event == "complete", data
    return data


def refused(address: str, name: str, **values: object) -> object:
    """What an endpoint refuses a call with."""
    event, data = call(f"{address}/gradio_api/call/v2/{name}", values)
    assert event == "error", data
    return data


def install(folder: Path, app: Path, base: str) -> str:
    """A new environment of the Python `base` with the requirements of a Space; returns its Python."""
    begun = time.monotonic()
    subprocess.run([base, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", "-r", app / "requirements.txt"], check=True)
    print(f"installed in {time.monotonic() - begun:.0f} s")
    return str(folder / "bin" / "python")


def use(app: Path, home: Path, python: str, **settings: str) -> None:
    """Start the page, use it as a visitor, and start it again."""
    begun = time.monotonic()
    with started(app, home, python, USER, **settings) as (address, process):
        ask(address, "generate", seeds="0-15")
        seconds, memory = time.monotonic() - begun, resident(process)
        print(f"first faces {seconds:.1f} s after the start; {memory:.0f} MB at rest")
        print(f"refused: {refused(address, 'train', minutes=60)}")
        print(f"run: {ask(address, 'train', minutes=1)}")
        while not (found := list(app.glob("runs/*/generator.safetensors"))):
            time.sleep(1)
        [run] = found
        print(f"FID: {ask(address, 'fid', models=['cats-student'], count=100)}")
    with started(app, home, python, USER, **settings) as (address, _):
        ask(address, "generate", model=f"run:{run.parent.name}", seeds="0-3")
        shutil.rmtree(app / "runs")  # as a Space does that is moved or rebuilt
        ask(address, "generate", seeds="0-3")
        print(f"without the runs: {refused(address, 'generate', model=f'run:{run.parent.name}')}")
    assert seconds < SECONDS and memory < MEMORY  # last, so that a busy machine hides nothing else


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="new folder for everything")
    parser.add_argument("--python", help="a Python with the requirements installed")
    parser.add_argument("--base", default=sys.executable, help="the Python to install the requirements for")
    options = parser.parse_args()
    chosen = options.python or options.base
    try:
        subprocess.run([chosen, "-c", ""], user=USER, cwd="/", check=True)
    except PermissionError:
        parser.error(f"user {USER} cannot run {chosen}; choose another with --base")
    app, home = options.folder / "app", options.folder / "home"
    home.mkdir(parents=True)
    with Hub() as hub:
        for words in (["--space", "cat/page"], ["--space", "cat/page", "--weights", "cat/weights"]):
            printed = publish(hub, options.folder, *words).splitlines()
            print(*[line for line in printed if not line.startswith(" ")], sep="\n")
            space = hub.repositories["spaces/cat/page"]
            shutil.rmtree(app, ignore_errors=True)
            lay_out(space.files(), app)
            python = options.python or install(options.folder / "venv", app, options.base)
            for path in (app, home, *app.rglob("*")):
                if USER:
                    os.chown(path, USER, USER)
            settings = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"} if space.variables else {}
            use(app, home, python, **settings, **space.variables)


if __name__ == "__main__":
    main()
