"""Who is a visitor of a public page, on a real server: private is what is proven, or asked for by a setting."""

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import httpx
import pytest

from ganopt.models import zoo
from ganopt.runs.queue import LOCK
from ganopt.training.run_folder import CONFIG
from ganopt.ui import build_app

TINY = {"network": "big/64", "side": 32, "method": "r1"}
HERE: dict[str, str] = {}
FOREIGN = [
    {"X-Forwarded-For": "203.0.113.9"},
    {"X-Forwarded-Host": "cats.example"},
    {"Forwarded": "for=203.0.113.9"},
    {"X-Real-IP": "203.0.113.9"},
    {"Via": "1.1 proxy"},
    {"Cf-Connecting-Ip": "203.0.113.9"},
    {"Host": "cats.gradio.live"},
    {"Host": "192.168.0.7:7860"},
    {"Host": "127.0.0.1.cats.example"},
    {"Host": "localhost.cats.example:7860"},
    {"Referer": "https://cats.example/"},
]


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_ID", "GANOPT_PRIVATE", "GANOPT_TRAIN_MINUTES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, source):
    """A folder with one run, as the page finds it."""
    runs = tmp_path_factory.mktemp("runs")
    shutil.copytree(source, runs / "mine")
    values = json.loads((runs / "mine" / CONFIG).read_text())
    (runs / "mine" / CONFIG).write_text(json.dumps(values | {"data": "/home/me/secret/cats"}))
    (runs / "mine" / LOCK).touch()
    return runs


@pytest.fixture(scope="module")
def launch(runs, three_models, thin_inception) -> Iterator[Callable[..., gr.Blocks]]:
    """Builds and launches a page; all are closed at the end."""
    pages: list[gr.Blocks] = []

    def start(**settings: Any) -> gr.Blocks:
        pages.append(build_app("cpu"))
        pages[-1].launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **settings)
        return pages[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANOPT_CHECKPOINTS", str(three_models))
        patch.setenv("GANOPT_INCEPTION", str(thin_inception))
        patch.setenv("GANOPT_RUNS", str(runs))
        patch.delenv("GRADIO_SERVER_NAME", raising=False)
        yield start
        for page in pages:
            page.close()


@pytest.fixture(scope="module")
def demo(launch) -> gr.Blocks:
    """A page on 127.0.0.1."""
    return launch()


def address(demo: gr.Blocks) -> str:
    return f"http://127.0.0.1:{demo.server_port}/gradio_api"


def asks_for_a_folder(demo: gr.Blocks, headers: dict[str, str]) -> str:
    """What a program is told that wants to train on a folder which is not there."""
    wanted = TINY | {"data": "/no/such/folder", "minutes": 1}
    joined = httpx.post(f"{address(demo)}/call/v2/train", json=wanted, headers=headers).json()["event_id"]
    return httpx.get(f"{address(demo)}/call/v2/train/{joined}", timeout=60).text


def does(demo: gr.Blocks, handler: str, values: list, headers: dict[str, str], session: str) -> dict:
    """What a handler of the page answers to values that are sent to it: the last message of the queue."""
    named = [(number, function) for number, function in demo.fns.items() if function.name == handler]
    if handler == "show":  # of which other tabs have theirs
        named = [each for each in named if any(block.elem_id == "runs" for block in each[1].outputs)]
    number = named[0][0]
    sent = {"data": values, "fn_index": number, "session_hash": session}
    assert httpx.post(f"{address(demo)}/queue/join", json=sent, headers=headers).status_code == 200
    said = httpx.get(f"{address(demo)}/queue/data", params={"session_hash": session}, timeout=60).text
    messages = [json.loads(line.removeprefix("data: ")) for line in said.splitlines() if line.startswith("data: ")]
    [end] = [message for message in messages if message["msg"] == "process_completed"]
    return end


def is_public(demo: gr.Blocks, headers: dict[str, str] = HERE) -> bool:
    said = asks_for_a_folder(demo, headers)
    refused = "This public page cannot read folders on the server; upload pictures instead." in said
    assert refused or "There is no folder" in said, said
    return refused


def test_on_its_own_machine_a_page_is_private(demo):
    assert not is_public(demo)
    for name in ("127.0.0.1", "localhost", "127.0.0.2", "[::1]"):
        assert not is_public(demo, {"Host": f"{name}:{demo.server_port}"})


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: ", ".join(map(": ".join, headers.items())))
def test_what_was_passed_on_or_names_another_host_is_public(demo, headers):
    assert is_public(demo, headers)


def test_what_an_older_proxy_passes_on_without_a_header_is_public(demo, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "_http_vsn", 10)
    monkeypatch.setattr(http.client.HTTPConnection, "_http_vsn_str", "HTTP/1.0")
    connection = http.client.HTTPConnection("127.0.0.1", demo.server_port)
    body = json.dumps(TINY | {"data": "/no/such/folder", "minutes": 1})
    connection.request("POST", "/gradio_api/call/v2/train", body, {"Content-Type": "application/json"})
    event = json.load(connection.getresponse())["event_id"]
    said = httpx.get(f"{address(demo)}/call/v2/train/{event}", timeout=60).text
    assert "cannot read folders on the server" in said


def test_a_share_link_a_root_path_and_a_space_are_public(demo, monkeypatch):
    for name, value in (("share", True), ("share_url", "https://cats.gradio.live"), ("root_path", "/cats")):
        with monkeypatch.context() as patch:
            patch.setattr(demo, name, value)
            assert is_public(demo), name
    monkeypatch.setenv("SPACE_ID", "me/cats")
    assert is_public(demo)


def test_a_page_for_other_machines_is_public(launch):
    assert is_public(launch(server_name="0.0.0.0"))


def test_a_setting_decides(demo, monkeypatch):
    monkeypatch.setenv("GANOPT_PRIVATE", "1")
    assert not any(is_public(demo, headers) for headers in (HERE, FOREIGN[0], FOREIGN[6]))
    monkeypatch.setattr(demo, "share", True)
    assert not is_public(demo)
    monkeypatch.setattr(demo, "share", False)
    monkeypatch.setenv("GANOPT_PRIVATE", "0")
    assert is_public(demo)
    monkeypatch.setenv("GANOPT_PRIVATE", "yes")
    assert "GANOPT_PRIVATE is 'yes'; set it to 1" in asks_for_a_folder(demo, HERE)


@pytest.mark.parametrize("headers", [HERE, FOREIGN[0]], ids=["here", "visitor"])
def test_what_is_private_is_hidden_from_visitors(demo, headers):
    limits, pictures, *parts = does(demo, "fit_visitor", [], headers, "looks")["output"]["data"]
    private = not headers
    assert [part["visible"] for part in parts] == [private, private] and limits["visible"] != private
    assert ("folder" in [value for _, value in pictures["choices"]]) == private
    assert private or "This page is public" in limits["value"]


def test_before_anybody_looks_it_is_hidden(demo):
    hidden = {block.label for block in demo.blocks.values() if isinstance(block, gr.Accordion) and not block.visible}
    assert hidden == {"Publish on the Hugging Face Hub", "Rename or delete"}
    [pictures] = [block for block in demo.blocks.values() if block.elem_id == "train-data"]
    assert "folder" not in [value for _, value in pictures.choices]


def test_visitors_are_refused_by_what_is_hidden_from_them(demo, runs, monkeypatch):
    published = []
    monkeypatch.setattr(zoo, "publish", lambda *values: published.append(values) or "https://hub.example")
    visitor, session = FOREIGN[0], "stranger"
    does(demo, "show", [None, 100, None], visitor, session)  # whereby the session knows the run
    renamed = does(demo, "give", ["mine", "theirs"], visitor, session)
    assert not renamed["success"] and "cannot rename runs" in renamed["output"]["error"]
    does(demo, "ask", ["mine"], visitor, session)
    deleted = does(demo, "remove", [None], visitor, session)
    assert not deleted["success"] and "cannot delete runs" in deleted["output"]["error"]
    said = does(demo, "publish", ["mine", "me/cats", "token", True], visitor, session)["output"]["data"][0]
    assert "cannot publish runs" in said and not published
    assert [path.name for path in runs.iterdir() if path.name != ".queue"] == ["mine"]
    told = [does(demo, "_told", ["mine"], headers, session)["output"]["data"][0] for headers in (visitor, HERE)]
    assert ["/home/me/secret" in text for text in told] == [False, True]
    assert (
        "hub.example" in does(demo, "publish", ["mine", "me/cats", "token", True], HERE, session)["output"]["data"][0]
    )


def test_their_limits_hold_for_visitors_alone(demo):
    wanted = TINY | {"data": "sample:cats-teacher", "minutes": 1, "settings": {"batch": 64}}
    for headers, refused in ((HERE, False), (FOREIGN[0], True)):
        joined = httpx.post(f"{address(demo)}/call/v2/cost", json=wanted, headers=headers).json()["event_id"]
        said = httpx.get(f"{address(demo)}/call/v2/cost/{joined}", timeout=120).text
        assert ("Batches may hold 32 pictures" in said) == refused and ("A step takes" in said) != refused


def test_on_its_own_machine_runs_get_other_names_and_are_deleted(demo, runs):
    shutil.copytree(runs / "mine", runs / "old")
    does(demo, "show", [None, 100, None], HERE, "owner")
    assert does(demo, "give", ["old", "new"], HERE, "owner")["success"] and (runs / "new").exists()
    does(demo, "show", [None, 100, None], HERE, "owner")
    does(demo, "ask", ["new"], HERE, "owner")
    assert does(demo, "remove", [None], HERE, "owner")["success"] and not (runs / "new").exists()
