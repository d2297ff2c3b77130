"""Private and public requests, on a real server: a request is private if that is proven, or by a setting."""

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
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_ID", "GANOPT_PRIVATE", "GANOPT_TRAIN_MINUTES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, source):
    """A folder with one run."""
    runs = tmp_path_factory.mktemp("runs")
    shutil.copytree(source, runs / "mine")
    values = json.loads((runs / "mine" / CONFIG).read_text())
    (runs / "mine" / CONFIG).write_text(json.dumps(values | {"data": "/home/me/secret/cats"}))
    (runs / "mine" / LOCK).touch()
    return runs


@pytest.fixture(scope="module")
def launch(runs, three_models, thin_inception) -> Iterator[Callable[..., gr.Blocks]]:
    """Builds and launches pages, which are closed after the tests."""
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


def train_on_a_folder(demo: gr.Blocks, headers: dict[str, str]) -> str:
    """The answer to a request to train on a folder that does not exist."""
    request = TINY | {"data": "/no/such/folder", "minutes": 1}
    event = httpx.post(f"{address(demo)}/call/v2/train", json=request, headers=headers).json()["event_id"]
    return httpx.get(f"{address(demo)}/call/v2/train/{event}", timeout=60).text


def call(demo: gr.Blocks, handler: str, values: list, headers: dict[str, str], session: str) -> dict:
    """Call a handler of the page with some values; returns the last message of the queue."""
    named = [(number, function) for number, function in demo.fns.items() if function.name == handler]
    if handler == "show":  # several tabs have one
        named = [each for each in named if any(block.elem_id == "runs" for block in each[1].outputs)]
    number = named[0][0]
    body = {"data": values, "fn_index": number, "session_hash": session}
    assert httpx.post(f"{address(demo)}/queue/join", json=body, headers=headers).status_code == 200
    stream = httpx.get(f"{address(demo)}/queue/data", params={"session_hash": session}, timeout=60).text
    messages = [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]
    [end] = [message for message in messages if message["msg"] == "process_completed"]
    return end


def is_public(demo: gr.Blocks, headers: dict[str, str] = HERE) -> bool:
    answer = train_on_a_folder(demo, headers)
    refused = "This public page cannot read folders on the server; upload pictures instead." in answer
    assert refused or "There is no folder" in answer, answer
    return refused


def test_requests_from_the_same_machine_are_private(demo):
    assert not is_public(demo)
    for name in ("127.0.0.1", "localhost", "127.0.0.2", "[::1]"):
        assert not is_public(demo, {"Host": f"{name}:{demo.server_port}"})


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: ", ".join(map(": ".join, headers.items())))
def test_forwarded_requests_and_other_host_names_are_public(demo, headers):
    assert is_public(demo, headers)


def test_requests_of_a_proxy_that_uses_http_1_0_are_public(demo, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "_http_vsn", 10)
    monkeypatch.setattr(http.client.HTTPConnection, "_http_vsn_str", "HTTP/1.0")
    connection = http.client.HTTPConnection("127.0.0.1", demo.server_port)
    body = json.dumps(TINY | {"data": "/no/such/folder", "minutes": 1})
    connection.request("POST", "/gradio_api/call/v2/train", body, {"Content-Type": "application/json"})
    event = json.load(connection.getresponse())["event_id"]
    answer = httpx.get(f"{address(demo)}/call/v2/train/{event}", timeout=60).text
    assert "cannot read folders on the server" in answer


def test_a_share_link_a_root_path_and_a_space_are_public(demo, monkeypatch):
    for name, value in (("share", True), ("share_url", "https://cats.gradio.live"), ("root_path", "/cats")):
        with monkeypatch.context() as patch:
            patch.setattr(demo, name, value)
            assert is_public(demo), name
    monkeypatch.setenv("SPACE_ID", "me/cats")
    assert is_public(demo)


def test_a_page_served_to_other_machines_is_public(launch):
    assert is_public(launch(server_name="0.0.0.0"))


def test_a_setting_overrides_everything(demo, monkeypatch):
    monkeypatch.setenv("GANOPT_PRIVATE", "1")
    assert not any(is_public(demo, headers) for headers in (HERE, FOREIGN[0], FOREIGN[6]))
    monkeypatch.setattr(demo, "share", True)
    assert not is_public(demo)
    monkeypatch.setattr(demo, "share", False)
    monkeypatch.setenv("GANOPT_PRIVATE", "0")
    assert is_public(demo)
    monkeypatch.setenv("GANOPT_PRIVATE", "yes")
    assert "GANOPT_PRIVATE is 'yes'; set it to 1" in train_on_a_folder(demo, HERE)


@pytest.mark.parametrize("headers", [HERE, FOREIGN[0]], ids=["private", "public"])
def test_private_parts_are_hidden_from_visitors(demo, headers):
    limits, pictures, *parts = call(demo, "show_limits", [], headers, "visit")["output"]["data"]
    private = not headers
    assert [part["visible"] for part in parts] == [private, private] and limits["visible"] != private
    assert ("folder" in [value for _, value in pictures["choices"]]) == private
    assert private or "This page is public" in limits["value"]


def test_private_parts_are_hidden_at_first(demo):
    hidden = {block.label for block in demo.blocks.values() if isinstance(block, gr.Accordion) and not block.visible}
    assert hidden == {"Publish on the Hugging Face Hub", "Rename or delete"}
    [pictures] = [block for block in demo.blocks.values() if block.elem_id == "train-data"]
    assert "folder" not in [value for _, value in pictures.choices]


def test_hidden_actions_are_refused_for_visitors(demo, runs, monkeypatch):
    published = []
    monkeypatch.setattr(zoo, "publish", lambda *values: published.append(values) or "https://hub.example")
    visitor, session = FOREIGN[0], "stranger"
    call(demo, "show", [None, 100, None], visitor, session)  # puts the run into the session
    renamed = call(demo, "rename_run", ["mine", "theirs"], visitor, session)
    assert not renamed["success"] and "cannot rename runs" in renamed["output"]["error"]
    call(demo, "ask_to_confirm", ["mine"], visitor, session)
    deleted = call(demo, "delete_run", [None], visitor, session)
    assert not deleted["success"] and "cannot delete runs" in deleted["output"]["error"]
    refused = call(demo, "publish", ["mine", "me/cats", "token", True], visitor, session)["output"]["data"][0]
    assert "cannot publish runs" in refused and not published
    assert [path.name for path in runs.iterdir() if path.name != ".queue"] == ["mine"]
    texts = [
        call(demo, "_command_and_log", ["mine"], headers, session)["output"]["data"][0] for headers in (visitor, HERE)
    ]
    assert ["/home/me/secret" in text for text in texts] == [False, True]
    done = call(demo, "publish", ["mine", "me/cats", "token", True], HERE, session)["output"]["data"][0]
    assert "Published at" in done and "hub.example" in done


def test_limits_apply_to_visitors_only(demo):
    request = TINY | {"data": "sample:cats-teacher", "minutes": 1, "settings": {"batch": 64}}
    for headers, refused in ((HERE, False), (FOREIGN[0], True)):
        event = httpx.post(f"{address(demo)}/call/v2/cost", json=request, headers=headers).json()["event_id"]
        answer = httpx.get(f"{address(demo)}/call/v2/cost/{event}", timeout=120).text
        assert ("Batches may have at most 32 pictures" in answer) == refused and ("A step takes" in answer) != refused


def test_private_requests_may_rename_and_delete_runs(demo, runs):
    shutil.copytree(runs / "mine", runs / "old")
    call(demo, "show", [None, 100, None], HERE, "owner")
    assert call(demo, "rename_run", ["old", "new"], HERE, "owner")["success"] and (runs / "new").exists()
    call(demo, "show", [None, 100, None], HERE, "owner")
    call(demo, "ask_to_confirm", ["new"], HERE, "owner")
    assert call(demo, "delete_run", [None], HERE, "owner")["success"] and not (runs / "new").exists()
