"""Odd, huge and hostile arguments for every endpoint of a real page with tiny models, over HTTP.

    python -m tests.bench.fuzz_api [--cases 2400] [--seed 0]

Every answer must be a result or one sentence, with no HTTP 500, no Python trace there or in the server's log, and no
file from outside the page's folders; nothing may be written outside them, and the faces must stay the same to the byte.
"""

import argparse
import collections
import hashlib
import json
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st

from tests.bench.tiny import MODELS, call, tiny_page
from tests.browser.conftest import ROOT

META = {"_type": "gradio.FileData"}
PATHS = [
    "../../etc/passwd",
    "/etc/passwd",
    "/",
    "..",
    "a\0b",
    "~/.bashrc",
    "\\\\host\\share",
    "sample:../x",
    "run:../../x",
    "user/repository",
    "http://127.0.0.1:1/x",
    "file:///etc/passwd",
    "\u202e\U0001f408\ud800",
    "%2e%2e%2fetc",
    "x" * 10_000,
    "",
]
numbers = st.integers() | st.integers(-(10**400), 10**400) | st.floats() | st.sampled_from([1e308, -0.0, 2**63])
texts = st.text(max_size=200) | st.sampled_from(PATHS)
files = st.fixed_dictionaries(
    {"path": texts},
    optional={"meta": st.just(META), "url": texts, "size": numbers, "orig_name": texts, "is_stream": st.booleans()},
)
scalars = st.none() | st.booleans() | numbers | texts | files
nested = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)
depths = st.sampled_from([50, 500, 900, 5000]).map(lambda depth: "[" * depth + "]" * depth)  # as text, for the body
odd = scalars | nested
model, seed = st.sampled_from(MODELS), st.integers(0, 2**32 - 1)
number = st.floats(0.05, 1)
settings_of_run = st.dictionaries(
    st.sampled_from(["batch", "lr_g", "penalty", "alpha", "freeze_g", "seed", "source", "device"]), odd, max_size=3
)
run = {
    "method": st.sampled_from(["r1", "r3", "dcgan", "distill", "transfer", "magic"]),
    "minutes": st.sampled_from([-1, 0, 0.001, 1e9]),
    "data": st.sampled_from(["", "upload", "sample:cats-teacher", "sample:nobody", "/etc"]),
    "origin": model,
    "network": st.sampled_from(["big/64", "big", "critic", "big/3", "big/64@1024"]),
    "side": st.sampled_from([32, 33, -1, 2**40]),
    "settings": settings_of_run,
}
FITTING: dict[str, dict[str, st.SearchStrategy]] = {  # what an endpoint takes, and what fits, in its order
    "generate": {"model": model, "seeds": st.sampled_from(["0", "1-3", "5,5"]), "scale": number},
    "map": {"model": model, "x": numbers, "y": numbers, "spacing": number, "scale": number},
    "walk": {"model": model, "first": seed, "last": seed, "frames": st.integers(3, 5), "scale": number},
    "compare": {"models": st.lists(model, max_size=6), "seeds": st.sampled_from(["0", "1-3"])},
    "pair": {"first": model, "second": model, "seed": seed},
    "fid": {
        "models": st.lists(model, max_size=6),
        "reference": texts,
        "count": st.sampled_from([50, 0, 10**9]),
        "repeats": st.sampled_from([1, 0, 4]),
        "seed": seed,
        "against": model,
        "upload": files,
        "upload_as_reference": st.booleans(),
    },
    "cost": run,
    "train": run | {"files": st.lists(files, min_size=1, max_size=3), "name": texts},
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """An endpoint, how it is called, and the body."""
    name = draw(st.sampled_from(list(FITTING)))
    often = st.sampled_from([True] * 9 + [False])
    values = {key: draw(fits if draw(often) else odd) for key, fits in FITTING[name].items()}
    for key in [key for key in values if not draw(often)]:
        del values[key]
    if draw(st.booleans()):
        extra = {} if draw(often) else draw(st.dictionaries(texts, odd, max_size=1))
        return name, f"call/v2/{name}", json.dumps(values | extra).encode()
    body: dict[str, Any] = {"data": [*values.values(), *([] if draw(often) else draw(st.lists(odd, max_size=2)))]}
    if not draw(often):
        body |= draw(st.dictionaries(st.sampled_from(["data", "session_hash", "event_data"]), odd, min_size=1))
    text = json.dumps(body)
    if not draw(often):
        text = draw(depths.map(lambda deep: f'{{"data": [{deep}]}}') | st.sampled_from(["", "{", "null", "NaN", "[]"]))
    return name, f"call/{name}", text.encode()


def check(address: str, folder: Path, path: str, body: bytes) -> str:
    """Call, and raise AssertionError for an answer that no caller should get. `refused`, `error` or `complete`."""
    try:
        event, answer = call(f"{address}/gradio_api/{path}", body)
    except urllib.error.HTTPError as error:
        said = error.read().decode()
        assert error.code < 500 and "Traceback" not in said, (error.code, said)
        return "refused"
    if event == "error":
        said = answer["error"]
        assert said and "\n" not in said and len(said) < 1000 and "Traceback" not in said, answer
        assert said.endswith("."), said
        return "error"
    assert event == "complete", event
    for place in paths_in(answer):
        assert Path(place).resolve().is_relative_to(folder / "gradio_temp_dir"), place
    return "complete"


def paths_in(answer: Any) -> list[str]:
    """The files that an answer names."""
    inner = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else []
    own = [answer["path"]] if isinstance(answer, dict) and "path" in answer else []
    return own + [path for each in inner for path in paths_in(each)]


def faces(address: str) -> str:
    """A hash of four faces."""
    _, (pictures, *_) = call(f"{address}/gradio_api/call/v2/generate", {"model": MODELS[0], "seeds": "0-3"})
    answers = [urllib.request.urlopen(picture["image"]["url"]).read() for picture in pictures]
    return hashlib.sha256(b"".join(answers)).hexdigest()


def outside(folder: Path) -> list[str]:
    """What lies where the page must not write: beside its folders, in the user's, and in the project."""
    places = (folder, folder / "home", ROOT, ROOT / "ganopt", ROOT / "checkpoints")
    return sorted(str(path) for place in places for path in place.iterdir() if path.name[0] not in "._")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        with tiny_page(folder, GANOPT_TRAIN_MINUTES="0.001") as (address, _):
            begun, drawn, before = time.monotonic(), faces(address), outside(folder)

            @hypothesis.seed(options.seed)
            @hypothesis.settings(
                max_examples=options.cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )
            @hypothesis.given(cases())
            def fuzz(case: tuple[str, str, bytes]) -> None:
                name, path, body = case
                counts[name, check(address, folder, path, body)] += 1

            fuzz()
            assert faces(address) == drawn, "the faces have changed"
            assert outside(folder) == before, set(outside(folder)) ^ set(before)
            seconds = time.monotonic() - begun
        log = (folder / "log.txt").read_text()
        assert "Traceback" not in log, log[log.index("Traceback") :][:4000]
    each = ", ".join(
        f"{name} {'/'.join(str(counts[name, end]) for end in ('complete', 'error', 'refused'))}" for name in FITTING
    )
    print(f"{counts.total()} cases in {seconds:.0f} s (result/sentence/refused by HTTP): {each}")


if __name__ == "__main__":
    main()
