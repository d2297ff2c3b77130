"""A page with tiny models in a process of its own, all that it writes in one folder, and calls of it over HTTP."""

import contextlib
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganopt.errors import UserError
from ganopt.runs import manager
from ganopt.runs.status import ACTIVE, find
from ganopt.thesis import release
from ganopt.training import loop, methods
from tests.browser.conftest import served
from tests.conftest import _draw_faces, _inception_state

MODELS = ("cats-teacher", "dogs-transfer")
PLACES = ("GANOPT_RUNS", "GANOPT_CACHE", "GANOPT_CHECKPOINTS", "GRADIO_TEMP_DIR", "TMPDIR", "HOME")


@contextlib.contextmanager
def tiny_page(folder: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """The address of the page, and its process; `log.txt` in the folder takes what it says of errors."""
    places = {name: str(folder / name.lower()) for name in PLACES}
    for place in places.values():
        Path(place).mkdir()
    _draw_faces(folder / "pictures", 60, (32, 32))
    torch.save(_inception_state(16), folder / "inception.pth")
    os.environ |= places | {"GANOPT_INCEPTION": str(folder / "inception.pth")}
    recipe = methods.recipe(
        "wgan-gp",
        data=str(folder / "pictures"),
        generator="big/32@32",
        critic="critic/16",
        batch=4,
        device="cpu",
        steps=4,
    )
    for _ in loop.train(recipe, folder / "source"):
        pass
    for name in MODELS:
        release.ship(folder / "source", name, name.title(), "teacher", "drawn faces", "none")
    try:
        with served(log=folder / "log.txt", **settings) as page:
            yield page
    finally:
        while at_work := [run for run in find(Path(places["GANOPT_RUNS"])) if run.status in ACTIVE]:
            with contextlib.suppress(UserError):  # it has just ended
                manager.stop(at_work[-1].folder.parent, at_work[-1].name)
            time.sleep(0.1)


def post(url: str, body: Any) -> Any:
    """What is answered to a body: bytes as they are, else as JSON."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.load(response)


def call(url: str, body: Any) -> tuple[str, Any]:
    """The last event of a call, `complete` or `error`, and its data."""
    name = post(url, body)["event_id"]
    with urllib.request.urlopen(f"{url}/{name}", timeout=300) as response:
        *_, event, data = filter(None, response.read().decode().splitlines())
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def resident(process: int) -> float:
    """Resident memory of a process, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000
