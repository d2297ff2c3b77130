"""Private and public requests, on a real server: a request is private with the page's token, or by a setting."""

import contextlib
import html
import http.client
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from ganopt import ui
from ganopt.publishing import models
from ganopt.publishing.upload import Published
from ganopt.runs.queue import LOCK
from ganopt.runs.status import folder_of
from ganopt.training import profiling
from ganopt.training.run_folder import CONFIG
from ganopt.ui import access, build_app

TINY = {"network": "big/64", "side": 32, "method": "r1"}
VISITOR: dict[str, str] = {}  # on this machine, like a proxy's or a tunnel's requests
OTHERS: list[dict[str, Any]] = [  # of a raw tunnel, of a proxy, and with tokens that are not the page's
    {"Host": "localhost"},
    {"X-Forwarded-For": "127.0.0.1"},
    {access.TOKEN_HEADER: ""},
    {access.TOKEN_HEADER: "a" * 43},
    {access.TOKEN_HEADER: b"\xff"},
    {"Cookie": "ganopt-7860="},
    {"Authorization": "Bearer private"},
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
        ui.launch(pages[-1], prevent_thread_lock=True, quiet=True, **settings)
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


def shown(demo: gr.Blocks, handler: str, values: list, headers: dict[str, str], session: str) -> str:
    """What the page shows after the answer of a handler."""
    [answering] = [each.name for each in demo.fns.values() if (each.name or "").lstrip("_") == handler]
    assert call(demo, answering, values, headers, session)["success"]
    return sentence(call(demo, f"show_{handler}", [None, *values], headers, session))


def owner(demo: gr.Blocks) -> dict[str, str]:
    return {access.TOKEN_HEADER: demo.token}


def is_public(demo: gr.Blocks, headers: dict[str, str] = VISITOR) -> bool:
    answer = train_on_a_folder(demo, headers)
    refused = "This public page cannot read folders on the server; upload pictures instead." in answer
    assert refused or "There is no folder" in answer, answer
    return refused


@pytest.mark.parametrize("headers", [VISITOR, *OTHERS], ids=str)
def test_requests_without_the_token_are_public(demo, headers):
    assert is_public(demo, headers)


def test_requests_of_a_proxy_that_adds_no_header_are_public(demo):
    connection = http.client.HTTPConnection("127.0.0.1", demo.server_port)
    body = json.dumps(TINY | {"data": "/no/such/folder", "minutes": 1})
    connection.request("POST", "/gradio_api/call/v2/train", body, {"Content-Type": "application/json"})
    event = json.load(connection.getresponse())["event_id"]
    connection.request("GET", f"/gradio_api/call/v2/train/{event}")
    assert b"cannot read folders on the server" in connection.getresponse().read()


def test_the_token_makes_a_request_private_wherever_it_comes_from(demo):
    for headers in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"Host": "cats.example"}):
        assert not is_public(demo, owner(demo) | headers)


@pytest.fixture(scope="module")
def printed(launch) -> tuple[gr.Blocks, str]:
    """Another page, and what its start has printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        page = launch()
    return page, out.getvalue()


def test_the_token_of_another_page_is_not_accepted(demo, printed):
    other, _ = printed
    assert len(demo.token) == len(other.token) == 43 and demo.token != other.token
    assert is_public(demo, owner(other)) and not is_public(other, owner(other))


def test_the_private_link_is_printed_and_its_script_gets_a_cookie(printed):
    page, out = printed
    [link] = re.findall(r"http://\S+#\S+", out)
    address, _, token = link.partition("#")
    assert address == f"http://127.0.0.1:{page.server_port}/private" and token == page.token
    assert token not in httpx.get(address).text
    refused = httpx.post(address, headers={access.TOKEN_HEADER: "guessed"})
    assert refused.status_code == 403 and refused.text.endswith(".") and "set-cookie" not in refused.headers
    cookie = httpx.post(address, headers={access.TOKEN_HEADER: token}).headers["set-cookie"]
    assert cookie == f"ganopt-{page.server_port}={token}; HttpOnly; SameSite=strict"
    assert not is_public(page, {"Cookie": cookie.partition(";")[0]})


def test_a_program_becomes_private_by_a_header(demo):
    request = TINY | {"data": "/no/such/folder", "minutes": 1}
    for headers, answer in ((None, "cannot read folders"), (owner(demo), "There is no folder")):
        with pytest.raises(AppError, match=answer):
            Client(demo.local_url, headers=headers, verbose=False).predict(**request, api_name="/train")


def test_a_page_that_is_launched_in_another_way_is_public(launch):
    page = build_app("cpu")
    page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    try:
        assert is_public(page) and is_public(page, {access.TOKEN_HEADER: ""})
    finally:
        page.close()


def test_a_setting_overrides_the_token(demo, launch, monkeypatch, capsys):
    monkeypatch.setenv("GANOPT_PRIVATE", "1")
    assert not is_public(demo) and not is_public(demo, {"X-Forwarded-For": "203.0.113.9"})
    monkeypatch.setenv("GANOPT_PRIVATE", "0")
    assert is_public(demo) and is_public(demo, owner(demo))
    page = launch()
    assert not page.token and "private" not in capsys.readouterr().out
    assert httpx.post(f"{page.local_url}private", headers={access.TOKEN_HEADER: ""}).status_code == 403


@pytest.mark.parametrize("private", [True, False])
def test_private_parts_are_hidden_from_visitors(demo, private):
    headers = owner(demo) if private else VISITOR
    limits, pictures, *parts = call(demo, "show_limits", [], headers, "visit")["output"]["data"]
    assert [part["visible"] for part in parts] == [private, private] and limits["visible"] != private
    assert ("folder" in [value for _, value in pictures["choices"]]) == private
    assert private or re.search("This page is public.* open the private link", limits["value"])


def test_private_parts_are_hidden_at_first(demo):
    hidden = {block.label for block in demo.blocks.values() if isinstance(block, gr.Accordion) and not block.visible}
    assert hidden == {"Publish on the Hugging Face Hub", "Rename or delete"}
    [pictures] = [block for block in demo.blocks.values() if block.elem_id == "train-data"]
    assert "folder" not in [value for _, value in pictures.choices]


def sentence(answer: dict) -> str:
    """The error of an answer, or what it shows, the sentence beside a control among it."""
    return html.unescape(str(answer["output"]["data"] if answer["success"] else answer["output"]["error"]))


def test_hidden_actions_are_refused_for_visitors(demo, runs, monkeypatch):
    published = []
    done = Published("https://hub.example", "")
    monkeypatch.setattr(models, "publish", lambda *values: published.append(values) or done)
    visitor, session = VISITOR, "stranger"
    call(demo, "show", [None, 100, None, None], visitor, session)  # puts the run into the session
    renamed = call(demo, "rename_run", ["mine", "theirs"], visitor, session)
    assert "cannot rename runs" in sentence(renamed)
    call(demo, "ask_to_confirm", ["mine"], visitor, session)
    deleted = call(demo, "delete_run", [None], visitor, session)
    assert "cannot delete runs" in sentence(deleted)
    refused = call(demo, "publish", ["mine", "me/cats", "token", True], visitor, session)["output"]["data"][0]
    assert "cannot publish runs" in refused and not published
    assert [path.name for path in runs.iterdir() if path.name != ".queue"] == ["mine"]
    texts = [shown(demo, "command_and_log", ["mine"], headers, session) for headers in (visitor, owner(demo))]
    assert ["/home/me/secret" in text for text in texts] == [False, True]
    done = call(demo, "publish", ["mine", "me/cats", "token", True], owner(demo), session)["output"]["data"][0]
    assert "Published at" in done and "hub.example" in done


def test_limits_apply_to_visitors_only(demo, monkeypatch):
    cost = SimpleNamespace(seconds=0.1, images=64.0, peak=1e9, peak_of="the process")
    monkeypatch.setattr(profiling, "follow_trial", lambda recipe: (each for each in [cost]))
    request = TINY | {"data": "sample:cats-teacher", "minutes": 1, "settings": {"batch": 64}}
    for headers, refused in ((owner(demo), False), (VISITOR, True)):
        event = httpx.post(f"{address(demo)}/call/v2/cost", json=request, headers=headers).json()["event_id"]
        answer = httpx.get(f"{address(demo)}/call/v2/cost/{event}", timeout=120).text
        assert ("Batches may have at most 32 pictures" in answer) == refused and ("A step takes" in answer) != refused


def test_private_requests_may_rename_and_delete_runs(demo, runs):
    shutil.copytree(runs / "mine", runs / "old")
    call(demo, "show", [None, 100, None, None], owner(demo), "owner")
    assert call(demo, "rename_run", ["old", "new"], owner(demo), "owner")["success"] and (runs / "new").exists()
    call(demo, "show", [None, 100, None, None], owner(demo), "owner")
    call(demo, "ask_to_confirm", ["new"], owner(demo), "owner")
    assert call(demo, "delete_run", [None], owner(demo), "owner")["success"] and not (runs / "new").exists()


@pytest.mark.parametrize("name", ["../mine", "..", "/etc", "", "none", "mine/previews", "x" * 70])
def test_names_of_runs_are_checked_before_they_become_paths(runs, name, refuses):
    assert folder_of(runs, "mine") == runs / "mine"
    with refuses("There is no run"):
        folder_of(runs, name)


def test_the_page_checks_the_names_of_runs_itself(demo, monkeypatch, runs):
    monkeypatch.setattr(gr.Radio, "preprocess", lambda self, value: value)  # as if Gradio did not
    (runs.parent / "outside").mkdir(exist_ok=True)
    (runs.parent / "outside" / "log.txt").write_text("secret")
    answers = [sentence(call(demo, "stop_run", ["../outside"], VISITOR, "stranger"))]
    answers += [shown(demo, name, ["../outside"], VISITOR, "stranger") for name in ("make", "command_and_log")]
    answers.append(sentence(call(demo, "resume_run", ["../outside", ""], VISITOR, "stranger")))
    for said in answers:
        assert re.search("There is no run|A run's name", said) and "secret" not in said, said
