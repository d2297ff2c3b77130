"""The project is published on a stand-in Hub by the real client: its weights, and its page as a Space."""

import hashlib
import posixpath
import re
import shutil
from pathlib import Path

import pytest
import yaml

from ganopt.cli.parser import main
from ganopt.models import checkpoint_files, zoo
from tests.hub import READER, WRITER

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "checkpoints"
SPACE, WEIGHTS = "spaces/cat/page", "cat/weights"


@pytest.fixture
def server(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.delenv("GANOPT_CHECKPOINTS", raising=False)
    monkeypatch.chdir(tmp_path)
    return server


@pytest.fixture
def publish(capsys):
    """Runs the command; returns what it printed on standard output. No token may be in it, or on standard error."""

    def run(*words: str) -> str:
        try:
            main(["publish", *words])
        finally:
            printed = capsys.readouterr()
            assert WRITER not in printed.out + printed.err and READER not in printed.out + printed.err
        return printed.out

    return run


@pytest.fixture
def refusal(publish):
    """Runs the command, which must be refused; returns its one sentence."""

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as caught:
            publish(*words)
        sentence = str(caught.value)
        assert sentence.startswith("ganopt: ") and sentence.endswith(".") and "\n" not in sentence, sentence
        return sentence

    return run


def listed(printed: str) -> dict[str, int]:
    """The files and their bytes that a listing names."""
    lines = re.findall(r"^ +([\d,]+)  (.+)$", printed, re.MULTILINE)
    return {name: int(size.replace(",", "")) for size, name in lines}


def test_a_dry_run_lists_files_and_bytes_and_asks_nobody(server, publish, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    printed = publish("--space", "cat/page", "--dry-run")
    files = listed(printed)
    assert printed.startswith(f"space cat/page: {len(files)} files, {sum(files.values()):,} bytes\n")
    assert files["app.py"] == (ROOT / "app.py").stat().st_size and "checkpoints/cats-teacher.safetensors" in files
    tops = {name.split("/")[0] for name in files}
    assert tops == {"app.py", "README.md", "docs", "requirements.txt", "LICENSE", "ganopt", "checkpoints"}
    assert not [name for name in files if name.endswith(".pyc") or "/." in name]
    assert not server.requests


def test_a_space_has_every_listed_file_byte_for_byte(server, publish):
    files = listed(publish("--space", "cat/page"))
    stored = server.repositories[SPACE].files()
    assert stored.keys() - {".gitattributes"} == files.keys()
    for name, size in files.items():
        assert stored[name] == (ROOT / name).read_bytes() and len(stored[name]) == size
    package = {path for path in (ROOT / "ganopt").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(ROOT).as_posix() for path in package} <= files.keys()
    front = yaml.safe_load(stored["README.md"].decode().split("---")[1])
    assert (front["sdk"], front["app_file"]) == ("gradio", "app.py")


@pytest.mark.parametrize("weights", [[], ["--weights", WEIGHTS]], ids=["with-weights", "without"])
def test_every_link_and_picture_of_a_space_leads_somewhere(server, publish, weights):
    publish("--space", "cat/page", *weights)
    stored = server.repositories[SPACE].files()
    there = f"{server.url}/{WEIGHTS}/resolve/main/"
    texts = {name: text.decode() for name, text in stored.items() if name == "README.md" or name.startswith("docs/")}
    links = [(name, link) for name, text in texts.items() for link in re.findall(r"\]\(([^)#]+)", text)]
    for name, link in links:
        if link.startswith(there):
            assert link.removeprefix(there) in server.repositories[WEIGHTS].files()
        elif not link.startswith("https://"):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), link)) in stored, (name, link)
    pictures = [link for _, link in links if link.endswith(".png")]
    assert len(texts) > 5 and pictures and all(link.startswith(there) == bool(weights) for link in pictures)


def test_again_sends_only_what_has_changed_and_removes_what_is_gone(server, publish):
    publish("--space", "cat/page")
    server.repositories[SPACE].commit({"ganopt/old.py": b"", "app.py": b"changed"})
    sent = len(server.requests)
    publish("--space", "cat/page")
    files = server.repositories[SPACE].files()
    assert "ganopt/old.py" not in files and files["app.py"] == (ROOT / "app.py").read_bytes()
    assert not [each for each in server.requests[sent:] if each.method == "PUT"]


def test_an_interrupted_upload_continues(server, publish, refusal):
    server.trouble = "full"
    assert "The storage of cat/page" in refusal("--space", "cat/page")
    assert server.repositories[SPACE].files().keys() == {".gitattributes", "README.md"}  # nothing half-written
    server.trouble = ""
    one = (CHECKPOINTS / "inception.safetensors").read_bytes()
    server.stored[hashlib.sha256(one).hexdigest()] = one  # sent before the interruption
    publish("--space", "cat/page")
    assert server.repositories[SPACE].files()["checkpoints/inception.safetensors"] == one
    puts = [each.path for each in server.requests if each.method == "PUT"]
    assert puts and f"/lfs/{hashlib.sha256(one).hexdigest()}" not in puts


def test_weights_have_a_card_of_every_model(server, publish):
    printed = publish("--weights", WEIGHTS)
    stored = server.repositories[WEIGHTS].files()
    assert stored.keys() == listed(printed).keys()
    card = stored.pop("README.md").decode()
    for name, content in stored.items():
        assert content == (CHECKPOINTS / name).read_bytes()
    assert yaml.safe_load(card.split("---")[1])["license"] == "cc-by-nc-4.0"
    for name, entry in zoo.catalogue().items():
        section = card.split(f"## {entry.title}: {name}\n")[1].split("\n## ")[0]
        assert f"| SHA-256 | {entry.sha256} |" in section and entry.trained_on in section and "| fid500 |" in section
    assert printed.splitlines()[-1] == f"{server.url}/{WEIGHTS} (commit {server.repositories[WEIGHTS].head()})"


def test_a_space_beside_weights_holds_code_and_a_pinned_revision(server, publish, monkeypatch, tmp_path):
    publish("--space", "cat/page")
    printed = publish("--space", "cat/page", "--weights", WEIGHTS)
    space, commit = server.repositories[SPACE], server.repositories[WEIGHTS].head()
    assert not [name for name in space.files() if name.startswith("checkpoints/")]
    assert space.variables == {"GANOPT_HUB": f"{WEIGHTS}@{commit}"}
    assert f"variable  GANOPT_HUB={WEIGHTS}" in printed
    monkeypatch.setattr(checkpoint_files, "__file__", str(tmp_path / "elsewhere/ganopt/models/checkpoint_files.py"))
    monkeypatch.setenv("GANOPT_HUB", space.variables["GANOPT_HUB"])
    checkpoint_files._commit.cache_clear()
    assert zoo.locate("cats-student").read_bytes() == (CHECKPOINTS / "cats-student.safetensors").read_bytes()


def test_what_is_no_part_of_the_weights_stays_here(server, publish, monkeypatch, three_models, tmp_path):
    folder = shutil.copytree(three_models, tmp_path / "models")
    for name in (".secret.json", "notes.txt", "sub/.git/config.json", "half.safetensors.part"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(folder))
    files = listed(publish("--weights", WEIGHTS, "--dry-run"))
    assert files.keys() == {"README.md", *(path.name for path in three_models.iterdir())}


@pytest.mark.parametrize("form", ["--space", "--weights"])
def test_each_refusal_is_a_sentence(server, refusal, monkeypatch, form):
    server.add("spaces/cat/taken", {"app.py.bak": b"another page"})
    server.add("cat/taken", {"model.bin": b"another model"})
    taken = "cat/taken already exists and holds something else; choose another name."
    assert taken in refusal(form, "cat/taken")
    assert "dog/page" in (sentence := refusal(form, "dog/page")) and "cannot write" in sentence
    assert "user/name" in refusal(form, "page")
    server.trouble = "full"
    assert "is full; delete other files there or get more." in refusal(form, "cat/page")
    server.trouble = ""
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "refused the token" in refusal(form, "cat/new")
    monkeypatch.delenv("HF_TOKEN")
    asked = len(server.requests)
    assert "There is no access token" in refusal(form, "cat/new")
    assert len(server.requests) == asked and "cat/new" not in server.repositories
    assert "spaces/cat/new" not in server.repositories


def test_what_does_not_go_together_is_refused(server, refusal, monkeypatch, tmp_path):
    assert "There is nothing to publish" in refusal()
    assert "There is nothing to publish" in refusal("cats-teacher")
    assert "published alone" in refusal("cats-teacher", "cat/new", "--space", "cat/page")
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    assert "contains no models" in refusal("--weights", WEIGHTS)
    assert not server.requests
