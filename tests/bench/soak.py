"""Thousands of calls of /generate, each of a stranger: does the page grow, in memory or on the disk?

    python -m tests.bench.soak [--calls 10000] [--faces 2] [--clients 2]

The models are tiny ones, so what grows is the page's. Memory is resident memory from a tenth of the calls on, when all
that fills up once has been filled: it may differ by 5 %.
"""

import argparse
import itertools
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.tiny import MODELS, call, resident, tiny_page

LIMIT = 0.05


def on_disk(folder: Path) -> tuple[int, float]:
    """Files in the folders for what visitors get, and their megabytes."""
    files = [path for name in ("gradio_temp_dir", "tmpdir") for path in (folder / name).rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--faces", type=int, default=2)
    parser.add_argument("--clients", type=int, default=2)
    options = parser.parse_args()
    memory: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as temporary, tiny_page(Path(temporary)) as (address, process):
        numbers, guard, begun = itertools.count(1), threading.Lock(), time.monotonic()

        def client(_: int) -> None:
            while (number := next(numbers)) <= options.calls:
                first = number * options.faces
                body = {"data": [MODELS[0], f"{first}-{first + options.faces - 1}", 1]}
                event, answer = call(f"{address}/gradio_api/call/generate", body)
                assert event == "complete" and len(answer[0]) == options.faces, answer
                if number % (options.calls // 10) == 0:
                    with guard:
                        memory.append((number, resident(process)))
                        print(f"{number} calls, {time.monotonic() - begun:.0f} s, {memory[-1][1]:.0f} MB", flush=True)

        with ThreadPoolExecutor(options.clients) as pool:
            list(pool.map(client, range(options.clients)))
        count, size = on_disk(Path(temporary))
    figures = [megabytes for _, megabytes in sorted(memory)]
    change = max(figures) / figures[0] - 1
    print(
        f"{options.calls} calls of {options.faces} faces: {figures[0]:.0f} MB after {sorted(memory)[0][0]}, at most "
        f"{max(figures):.0f} MB later ({100 * change:+.1f} %); {count} files of {size:.0f} MB left on the disk"
    )
    assert change < LIMIT, "the page has grown"


if __name__ == "__main__":
    main()
