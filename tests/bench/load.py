"""A hundred visitors who draw faces at once while a run trains: do they get them, when, and is their place told?

    python -m tests.bench.load [--clients 100] [--seconds 60] [--leave 20]

The page is a real one with the shipped models. Then some visitors leave while they wait: their jobs must not be done.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from ganopt.runs import manager
from ganopt.runs.status import ACTIVE, read
from tests.bench.tiny import call, resident
from tests.browser.conftest import served

FACES = 4
LIMIT = 0.05


class Visitor:
    """Somebody with a session of their own, as the client of Gradio has one."""

    def __init__(self, http: httpx.AsyncClient, address: str, function: int):
        self.http, self.address, self.function = http, f"{address}/gradio_api/queue", function
        self.session = uuid.uuid4().hex

    async def messages(self, seeds: str) -> AsyncIterator[dict[str, Any]]:
        """What the page says about a call of /generate, to its end."""
        body = {"data": ["cats-teacher", seeds, 1], "fn_index": self.function, "session_hash": self.session}
        (await self.http.post(f"{self.address}/join", json=body)).raise_for_status()
        async with self.http.stream("GET", f"{self.address}/data", params={"session_hash": self.session}) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    async def stay(self, end: float, waits: list[float], places: list[int]) -> None:
        """Draw other faces again and again until a moment."""
        number = int(self.session[:6], 16)
        while time.monotonic() < end:
            begun, number = time.monotonic(), number + FACES
            async for message in self.messages(f"{number}-{number + FACES - 1}"):
                if message["msg"] == "estimation":
                    places.append(message["rank"])
                if message["msg"] == "process_completed":
                    assert message["success"], message
                    assert len(message["output"]["data"][0]) == FACES
                    waits.append(time.monotonic() - begun)

    async def leave(self, seeds: str) -> int:
        """Go away when the place in the queue is told, which is returned."""
        async for message in self.messages(seeds):
            if message["msg"] == "estimation":
                return message["rank"]
        raise AssertionError("no place was told")


async def crowd(address: str, process: int, function: int, clients: int, seconds: float) -> None:
    """Many visitors for some time; their waits, and the page's memory after as many answers and at the end."""
    waits: list[float] = []
    places: list[int] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=600, limits=limits) as http:
        visitors = [Visitor(http, address, function) for _ in range(clients)]
        end = time.monotonic() + seconds
        stays = [asyncio.create_task(each.stay(end, waits, places)) for each in visitors]
        while len(waits) < clients:  # the first time fills what is kept for each
            done, _ = await asyncio.wait(stays, timeout=0.1, return_when=asyncio.FIRST_EXCEPTION)
            for each in done:
                each.result()
        before = resident(process)
        await asyncio.gather(*stays)
        after = resident(process)
    fast, slow = statistics.median(waits), statistics.quantiles(waits, n=20)[-1]
    print(f"{clients} visitors, {seconds:.0f} s: {len(waits)} answers of {FACES} faces, none failed")
    print(f"waits: median {fast:.1f} s, 95th percentile {slow:.1f} s; {len(places)} places told, up to {max(places)}")
    print(f"memory: {before:.0f} MB after the first {clients} answers, {after:.0f} MB at the end")
    assert after < before * (1 + LIMIT), "the page has grown"


async def desertion(address: str, function: int, leave: int, made: Path) -> None:
    """Visitors who leave behind one who stays; zip files in the page's folder tell whose faces were drawn."""
    async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=None)) as http:
        before = len(list(made.rglob("*.zip")))
        seeds = [f"{1000 * number}-{1000 * number + 63}" for number in range(leave)]
        ranks = await asyncio.gather(*(Visitor(http, address, function).leave(each) for each in seeds))
        waits: list[float] = []
        await Visitor(http, address, function).stay(time.monotonic() + 0.01, waits, [])
        drawn = len(list(made.rglob("*.zip"))) - before - len(waits)
    print(f"{leave} visitors left, from places up to {max(ranks)}: {drawn} of their jobs were done, others dropped")
    assert drawn <= leave / 4, "the jobs of those who left were done"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--leave", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        made, folder = Path(temporary, "made"), Path(temporary, "runs")
        with served(GANOPT_RUNS=str(folder), GRADIO_TEMP_DIR=str(made)) as (address, process):
            functions = httpx.get(f"{address}/config").json()["dependencies"]
            [function] = [each["id"] for each in functions if each["api_name"] == "generate"]
            _, (_, name) = call(f"{address}/gradio_api/call/v2/train", {"minutes": 30})
            while not (folder / name / "metrics.jsonl").exists():
                time.sleep(0.2)
            try:
                asyncio.run(crowd(address, process, function, options.clients, options.seconds))
                asyncio.run(desertion(address, function, options.leave, made))
            finally:
                manager.stop(folder, name)
                while read(folder / name).status in ACTIVE:
                    time.sleep(0.2)


if __name__ == "__main__":
    main()
