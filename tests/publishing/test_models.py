"""A model is published on a stand-in Hub, and loaded back, by the real client."""

import json

import pytest
from huggingface_hub import constants

from ganopt.models import zoo
from ganopt.publishing import models
from tests.hub import READER, WRITER
from tests.models.test_zoo import GENERATOR, refused, run_folder, same, ship_cats, write_catalogue

pytestmark = pytest.mark.usefixtures("checkpoints")


@pytest.fixture
def cats(checkpoints) -> dict:
    return ship_cats(checkpoints)


def test_and_load_back(server, tmp_path, caplog, capsys):
    caplog.set_level("DEBUG")
    folder = run_folder(tmp_path / "run")
    assert models.publish(folder, "cat/new", WRITER).url == f"{server.url}/cat/new"
    repository = server.repositories["cat/new"]
    assert not repository.private and len(repository.commits) == 1
    assert set(repository.files()) == {"generator.safetensors", "critic.safetensors", "README.md"}
    for name in ("generator.safetensors", "critic.safetensors"):
        assert repository.files()[name] == (folder / name).read_bytes()
    assert same(zoo.load("cat/new"), zoo.load(folder)) and same(zoo.load_critic("cat/new"), zoo.load_critic(folder))
    printed = capsys.readouterr()
    assert WRITER not in caplog.text + printed.out + printed.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and WRITER.encode() in path.read_bytes()]


def test_card(server, cats, checkpoints):
    record = {"kind": "fid", "name": "cats-teacher", "fid": 63.95, "count": 500, "kid": [1, 2]}
    (checkpoints / "results.json").write_text(json.dumps({"records": [record]}))
    models.publish("cats-teacher", "cat/new", WRITER)
    card = server.repositories["cat/new"].files()["README.md"].decode()
    front = card.split("---")[1]
    for line in ("license: cc-by-4.0", "library_name: ganopt", "pipeline_tag: unconditional-image-generation"):
        assert line in front
    for text in (
        "# Cats",
        GENERATOR,
        "5,000",
        "CC BY 4.0",
        "| fid500 | 63.95 |",
        "| lr_g | 0.0002 |",
        "| recipe | r1 |",
    ):
        assert text in card, text
    assert 'load("cat/new")' in card and "/home/somebody" not in card and "kid" not in card


def test_the_code_of_the_card_runs(server, tmp_path):
    models.publish(run_folder(tmp_path / "run"), "cat/new", WRITER)
    card = server.repositories["cat/new"].files()["README.md"].decode()
    exec(card.split("```python\n")[1].split("```")[0], {})
    assert (tmp_path / "face.png").read_bytes().startswith(b"\x89PNG")
    assert "| trained on | cats |" in card and "1,234" in card and "license: unknown" in card


def test_licence_of_ones_own(server, cats, checkpoints):
    write_catalogue(checkpoints, {**cats, "licence": "As AFHQ: not for sale"})
    models.publish("cats-teacher", "cat/new", WRITER)
    card = server.repositories["cat/new"].files()["README.md"].decode()
    assert "license: other" in card and "license_name: as-afhq-not-for-sale" in card


def test_without_a_critic(server, tmp_path):
    run_folder(tmp_path / "run", critic=False)
    models.publish("run", "cat/one", WRITER)
    models.publish("run/generator.safetensors", "cat/two", WRITER)
    for name in ("cat/one", "cat/two"):
        assert set(server.repositories[name].files()) == {"generator.safetensors", "README.md"}


def test_again(server, tmp_path):
    models.publish(run_folder(tmp_path / "run"), "cat/new", WRITER)
    zoo.load("cat/new")
    models.publish(run_folder(tmp_path / "better"), "cat/new", WRITER)
    assert same(zoo.load("cat/new"), zoo.load("better"))
    assert len(server.repositories["cat/new"].commits) == 2


def test_private(server, tmp_path, monkeypatch):
    folder = run_folder(tmp_path / "run")
    models.publish(folder, "cat/secret", WRITER, private=True)
    assert server.repositories["cat/secret"].private
    refused(lambda: zoo.load("cat/secret"), "that you may read")
    monkeypatch.setenv("HF_TOKEN", WRITER)
    assert same(zoo.load("cat/secret"), zoo.load(folder))
    server.add("cat/open", {"README.md": b"for all"})
    refused(lambda: models.publish(folder, "cat/open", WRITER, private=True), "is public")
    assert set(server.repositories["cat/open"].files()) == {"README.md"}


@pytest.mark.parametrize(
    ("repository", "token", "needle"),
    [
        ("cat/new", "hf_wrongSecret", "refused the token"),
        ("cat/new", "", "There is no access token"),
        ("cat/new", "hf_wrongSecret\n", "not an access token"),
        ("cat/new", "hf_wrongSecrät", "not an access token"),
        ("cat/new", READER, "cannot write"),
        ("dog/new", WRITER, "cannot write"),
        ("dog/open", WRITER, "cannot write"),
        ("new", WRITER, "user/name"),
        ("cat/a--b", WRITER, "user/name"),
        ("../cat", WRITER, "user/name"),
        ("cat/new@main", WRITER, "user/name"),
        ("cat/settings", WRITER, "Reserved name"),
    ],
)
def test_refused(server, tmp_path, repository, token, needle):
    server.add("dog/open", {"README.md": b"for all"})
    folder = run_folder(tmp_path / "run")
    text = refused(lambda: models.publish(folder, repository, token), needle)
    assert "Secr" not in text and list(server.repositories) == ["dog/open"]


def test_server_trouble(server, tmp_path, monkeypatch):
    folder = run_folder(tmp_path / "run")
    for trouble, needle in (("garbage", "invalid answer"), ("busy", "cannot be reached")):
        server.trouble = trouble
        refused(lambda: models.publish(folder, "cat/new", WRITER), server.url, needle)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(lambda: models.publish(folder, "cat/new", WRITER), "HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    server.stop()
    refused(lambda: models.publish(folder, "cat/new", WRITER), "cannot be reached")


def test_what_is_no_model(server, tmp_path):
    refused(lambda: models.publish("nothing", "cat/new", WRITER), "Unknown model")
    assert server.requests == []
