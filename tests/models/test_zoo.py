"""The zoo against files on disk and against a stand-in Hub that the real client talks to."""

import dataclasses
import json
import os
import pickle
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from ganopt.errors import UserError
from ganopt.files import sha256
from ganopt.models import checkpoint_files, hub, weights, zoo
from ganopt.models.networks import build_critic, build_generator
from tests.hub import READER, WRITER

GENERATOR, CRITIC = "big/32@32", "critic/8@32"

pytestmark = pytest.mark.usefixtures("checkpoints")


def refused(call, *needles: str) -> str:
    """The one sentence that a call is refused with; it must hold the needles."""
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and "; " in text, text
    for needle in needles:
        assert needle in text, text
    return text


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    """Whether two networks are equal to the last bit."""
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and x.numpy().tobytes() == y.numpy().tobytes() for (a, x), (b, y) in pairs)


def run_folder(folder: Path, critic: bool = True) -> Path:
    """What a run leaves behind: a generator, a critic, its state."""
    recipe = {"recipe": "r1", "data": "/home/somebody/pictures/cats", "lr_g": 0.0002, "steps": 10}
    weights.save(build_generator(GENERATOR), folder / "generator.safetensors", recipe)
    if critic:
        weights.save(build_critic(CRITIC), folder / "critic.safetensors", recipe)
    save_file({"order": torch.zeros(1)}, folder / "state.safetensors", {"counters": json.dumps({"images": 1234})})
    return folder


def describe(path: Path) -> dict:
    architecture = weights.read_metadata(path)["architecture"]
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path), "architecture": architecture}


def entry(name: str, generator: Path, critic: Path | None = None, **facts) -> dict:
    values = {"name": name, "title": "Cats", "role": "teacher", "trained_on": "cats", "licence": "CC BY 4.0"}
    values |= {"images": 5000, "source": "", **describe(generator), **facts}
    return {**values, "critic": describe(critic) if critic else None}


def write_catalogue(checkpoints: Path, *entries: dict) -> None:
    checkpoints.mkdir(exist_ok=True)
    (checkpoints / "catalogue.json").write_text(json.dumps({"models": entries}))


def ship_cats(checkpoints: Path) -> dict:
    """A catalogue of one model with a critic, in checkpoints/."""
    folder = run_folder(checkpoints)
    described = entry("cats-teacher", folder / "generator.safetensors", folder / "critic.safetensors")
    write_catalogue(checkpoints, described)
    return described


@pytest.fixture
def cats(checkpoints) -> dict:
    return ship_cats(checkpoints)


@pytest.fixture
def hub_cats(server, tmp_path) -> str:
    """The name of a model that is only on the Hub, at a pinned commit."""
    folder = run_folder(tmp_path / "made")
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.stem in ("generator", "critic")}
    return f"cat/cats@{server.add('cat/cats', files)}"


@pytest.fixture
def installed(server, hub_cats, tmp_path, monkeypatch) -> None:
    """A package without checkpoints/ beside it: the files, with a catalogue of one model, are on the Hub."""
    paths = tmp_path / "made/generator.safetensors", tmp_path / "made/critic.safetensors"
    write_catalogue(tmp_path / "made", entry("cats-teacher", *paths))
    server.add("cat/cats", {"catalogue.json": (tmp_path / "made/catalogue.json").read_bytes()})
    monkeypatch.delenv("GANOPT_CHECKPOINTS")
    monkeypatch.setenv("GANOPT_HUB", "cat/cats")
    monkeypatch.setattr(checkpoint_files, "__file__", str(tmp_path / "elsewhere/ganopt/models/checkpoint_files.py"))
    checkpoint_files._commit.cache_clear()


class TestCatalogue:
    def test_reads_what_is_written(self, cats):
        found = zoo.catalogue()["cats-teacher"]
        assert (found.title, found.images, found.licence, found.notes) == ("Cats", 5000, "CC BY 4.0", "")
        assert found.critic.architecture == CRITIC
        assert dataclasses.is_dataclass(found) and found.sha256 == cats["sha256"]

    def test_no_catalogue_is_an_empty_one(self):
        assert zoo.catalogue() == {}

    @pytest.mark.parametrize(
        "text",
        ["", "[]", '{"models": [', '{"modells": []}', '{"models": [1]}', '{"models": [{}]}', '{"models": null}', "\0"],
    )
    def test_damaged(self, checkpoints, text):
        checkpoints.mkdir()
        (checkpoints / "catalogue.json").write_text(text)
        refused(zoo.catalogue, "catalogue.json", "damaged")

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"bytes": "1"}, "models.0.bytes: Input should be a valid integer"),
            ({"role": "boss"}, "models.0.role: Input should be 'teacher', 'student' or 'transfer'"),
            ({"colour": "red"}, "models.0.colour: Unexpected keyword argument"),
            ({"critic": {"file": "x"}}, "models.0.critic.bytes: Field required"),
            ({"critic": [1]}, "models.0.critic: Input should be an object"),
        ],
    )
    def test_wrong_facts(self, checkpoints, cats, change, reason):
        write_catalogue(checkpoints, {**cats, **change})
        refused(zoo.catalogue, f"catalogue.json is damaged ({reason})")

    def test_what_version_0_1_wrote_is_read(self, checkpoints, cats):
        write_catalogue(checkpoints, {**cats, "repository": "", "revision": ""})
        assert "repository" not in dataclasses.asdict(zoo.catalogue()["cats-teacher"])

    def test_two_of_one_name(self, checkpoints, cats):
        write_catalogue(checkpoints, cats, cats)
        refused(zoo.catalogue, "(two models have the same name)")


class TestLocal:
    def test_by_name_folder_and_file(self, cats, checkpoints):
        generator = zoo.load("cats-teacher")
        assert str(generator.architecture) == GENERATOR and not generator.training
        assert {p.dtype for p in generator.parameters()} == {torch.float32}
        assert {p.device.type for p in generator.parameters()} == {"cpu"}
        assert same(generator, zoo.load(checkpoints)) and same(generator, zoo.load("checkpoints/generator.safetensors"))
        assert same(zoo.load_critic("cats-teacher"), zoo.load_critic(str(checkpoints)))
        assert zoo.locate("cats-teacher") == checkpoints / "generator.safetensors"

    def test_a_path_with_the_name_of_a_shipped_model(self, cats, tmp_path):
        (tmp_path / "cats-teacher").mkdir()
        assert not zoo.ambiguity("cats-teacher")  # it has no model
        weights.save(build_generator("big/32@64"), tmp_path / "cats-teacher/generator.safetensors")
        assert zoo.ambiguity("cats-teacher") == "cats-teacher is both a path and a shipped model; the path is used."
        assert not zoo.ambiguity("checkpoints") and not zoo.ambiguity("./cats-teacher")
        for name in ("./cats-teacher", Path("cats-teacher")):
            assert str(zoo.load(name).architecture) == "big/32@64"
        assert str(zoo.load("cats-teacher").architecture) == GENERATOR

    def test_float16_is_loaded_as_float32(self, tmp_path):
        weights.save(build_generator(GENERATOR), tmp_path / "half.safetensors", dtype=torch.float16)
        assert {p.dtype for p in zoo.load("half.safetensors").parameters()} == {torch.float32}

    def test_unknown_name_lists_the_catalogue(self, cats):
        refused(lambda: zoo.load("cats-techer"), "did you mean cats-teacher?", "a run folder")
        refused(lambda: zoo.load(""), "cats-teacher")
        refused(lambda: zoo.load("x" * 5000), "cats-teacher")
        refused(lambda: zoo.load("a\nb\0c"), "cats-teacher")
        refused(lambda: zoo.load("runs/no.safetensors"), "cats-teacher")

    @pytest.mark.parametrize(
        "name",
        [
            "../x",
            "./x",
            "/etc/passwd",
            "checkpoints",
            "checkpoints/generator.safetensors",
            "a/b/c",
            "a/..",
            "..",
            "~/x",
            "C:\\x",
            "a/b@../../c",
            "a/b@/etc",
            "a/b@",
            "@main",
            "https://huggingface.co/a/b",
            "",
        ],
    )
    def test_no_paths_unless_local(self, cats, name):
        refused(lambda: zoo.load(name, local=False), "Unknown model", "cats-teacher")
        refused(lambda: zoo.load_critic(name, local=False), "Unknown model")

    def test_catalogue_without_paths(self, cats):
        assert zoo.load("cats-teacher", local=False) and zoo.load_critic("cats-teacher", local=False)

    def test_wrong_hash(self, cats, checkpoints):
        path = checkpoints / "generator.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        refused(lambda: zoo.load("cats-teacher"), "not the file that the catalogue describes", "restore")
        assert path.exists()

    def test_wrong_size(self, cats, checkpoints):
        (checkpoints / "critic.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
        refused(lambda: zoo.load_critic("cats-teacher"), "not the file that the catalogue describes")

    def test_missing_and_not_on_the_hub(self, cats, checkpoints):
        (checkpoints / "generator.safetensors").unlink()
        refused(lambda: zoo.load("cats-teacher"), "is missing", "restore")

    def test_no_critic(self, cats, checkpoints, tmp_path):
        write_catalogue(checkpoints, {**cats, "critic": None})
        refused(lambda: zoo.load_critic("cats-teacher"), "has no critic")
        refused(lambda: zoo.load_critic(run_folder(tmp_path / "run", critic=False)), "critic.safetensors")

    def test_the_other_kind(self, checkpoints, cats):
        refused(lambda: zoo.load("checkpoints/critic.safetensors"), "contains a critic, not a generator")
        refused(lambda: zoo.load_critic("checkpoints/generator.safetensors"), "contains a generator, not a critic")

    def test_truncated(self, cats, tmp_path):
        content = Path(zoo.locate("cats-teacher")).read_bytes()
        for size in (0, 5, 100, len(content) - 1):
            (tmp_path / "cut.safetensors").write_bytes(content[:size])
            refused(lambda: zoo.load("cut.safetensors"), "cut.safetensors is damaged")

    def test_foreign(self, tmp_path):
        save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors", {"format": "pt"})
        refused(lambda: zoo.load("foreign.safetensors"), "was not written by ganopt")
        save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
        refused(lambda: zoo.load("foreign.safetensors"), "was not written by ganopt")

    @pytest.mark.parametrize("architecture", ["", "bigger", "big/3", "../x"])
    def test_no_such_network(self, tmp_path, architecture):
        metadata = {"format": "ganopt", "architecture": architecture}
        save_file({"weight": torch.zeros(2)}, tmp_path / "odd.safetensors", metadata)
        refused(lambda: zoo.load("odd.safetensors"), "which network it contains")

    @pytest.mark.parametrize("change", ["absent", "extra", "shape", "complex", "integer"])
    def test_other_tensors(self, tmp_path, change):
        tensors = build_generator(GENERATOR).state_dict()
        name = "layers.0.0.weight"
        if change == "absent":
            del tensors[name]
        else:
            key = "more" if change == "extra" else name
            kind = {"complex": torch.complex64, "integer": torch.int32}.get(change, torch.float32)
            tensors[key] = (
                tensors[name].transpose(0, 1).contiguous() if change == "shape" else tensors[name].to(kind, copy=True)
            )
        try:
            save_file(tensors, tmp_path / "odd.safetensors", {"format": "ganopt", "architecture": GENERATOR})
        except KeyError:
            pytest.skip("this version of safetensors has no complex numbers")
        refused(lambda: zoo.load("odd.safetensors"), f"does not contain the weights of a {GENERATOR}")

    def test_a_pickle_is_never_opened(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "burst"),)

        for write in (lambda path: path.write_bytes(pickle.dumps(Bomb())), lambda path: torch.save(Bomb(), path)):
            write(tmp_path / "generator.safetensors")
            refused(lambda: zoo.load("generator.safetensors"), "not a safetensors file")
            refused(lambda: zoo.load(tmp_path), "not a safetensors file")
        assert not (tmp_path / "burst").exists()


class TestHub:
    def test_download_once_then_from_the_cache(self, server, hub_cats, tmp_path, capsys):
        first = zoo.load(hub_cats)
        assert same(first, zoo.load(tmp_path / "made"))
        assert "Downloading generator.safetensors (0." in capsys.readouterr().err
        server.requests.clear()
        assert same(first, zoo.load(hub_cats)) and server.requests == []
        server.stop()
        assert same(first, zoo.load(hub_cats))
        assert capsys.readouterr().err == ""

    def test_critic(self, hub_cats, tmp_path):
        assert same(zoo.load_critic(hub_cats), zoo.load_critic(tmp_path / "made"))

    def test_a_model_of_the_catalogue(self, installed, tmp_path, capsys):
        assert same(zoo.load("cats-teacher"), zoo.load(tmp_path / "made"))
        assert same(zoo.load_critic("cats-teacher"), zoo.load_critic(tmp_path / "made"))
        assert "Downloading critic.safetensors (0." in capsys.readouterr().err

    def test_wrong_hash_then_a_correct_file(self, server, installed, tmp_path):
        right = server.repositories["cat/cats"].files()
        good = right["generator.safetensors"]
        right["generator.safetensors"] = good[:-1] + bytes([good[-1] ^ 1])
        wrong = "generator.safetensors of cats-teacher is not the file that the catalogue describes"
        refused(lambda: zoo.load("cats-teacher"), wrong, "try again")
        right["generator.safetensors"] = good
        assert same(zoo.load("cats-teacher"), zoo.load(tmp_path / "made"))

    def test_a_spoilt_cache_mends_itself(self, server, installed):
        path = zoo.locate("cats-teacher")
        path.resolve().write_bytes(b"spoilt")
        before = server.downloads()
        refused(lambda: zoo.load("cats-teacher"), "not the file that the catalogue describes", "try again")
        assert zoo.load("cats-teacher") and server.downloads() == before + 1

    def test_by_repository(self, server, hub_cats, tmp_path):
        made = zoo.load(tmp_path / "made")
        assert same(made, zoo.load("cat/cats")) and same(made, zoo.load("cat/cats", local=False))
        assert same(made, zoo.load(hub_cats))
        assert zoo.load_critic("cat/cats") and server.downloads() == 2
        server.stop()
        assert same(made, zoo.load("cat/cats"))

    def test_a_repository_that_moved_on(self, server, hub_cats, tmp_path):
        before = zoo.load("cat/cats")
        new = run_folder(tmp_path / "new")
        server.add("cat/cats", {"generator.safetensors": (new / "generator.safetensors").read_bytes()})
        assert same(zoo.load("cat/cats"), zoo.load(new))
        assert same(zoo.load(hub_cats), before)

    def test_missing_parts(self, server, hub_cats):
        server.add("cat/empty", {"README.md": b"nothing"})
        refused(lambda: zoo.load("cat/dogs"), "has no model cat/dogs", "check the name")
        refused(lambda: zoo.load("cat/cats@v2"), "no revision v2")
        refused(lambda: zoo.load("cat/empty"), "cat/empty has no generator.safetensors")
        refused(lambda: zoo.load_critic("cat/empty"), "cat/empty has no critic.safetensors")

    def test_private(self, server, hub_cats, monkeypatch):
        server.repositories["cat/cats"].private = True
        refused(lambda: zoo.load(hub_cats), "that you may read", "hf auth login")
        monkeypatch.setenv("HF_TOKEN", READER)
        refused(lambda: zoo.load(hub_cats), "that you may read")
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        text = refused(lambda: zoo.load(hub_cats), "refused your token")
        assert "hf_wrong" not in text
        monkeypatch.setenv("HF_TOKEN", WRITER)
        assert zoo.load(hub_cats)
        assert {request.token for request in server.requests if request.path.startswith("/cdn/")} == {""}

    def test_gated(self, server, hub_cats, monkeypatch):
        server.repositories["cat/cats"].gated = True
        refused(lambda: zoo.load(hub_cats), "terms that you must accept", "hf auth login")
        monkeypatch.setenv("HF_TOKEN", READER)
        refused(lambda: zoo.load(hub_cats), "terms that you must accept")
        monkeypatch.setenv("HF_TOKEN", WRITER)
        assert zoo.load(hub_cats)

    def test_server_down(self, server, hub_cats):
        server.stop()
        refused(lambda: zoo.load(hub_cats), server.url, "cannot be reached")
        refused(lambda: zoo.load("cat/cats"), "cannot be reached")

    def test_offline(self, server, hub_cats, monkeypatch):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        refused(lambda: zoo.load(hub_cats), "HF_HUB_OFFLINE")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        found = zoo.load("cat/cats")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert same(zoo.load(hub_cats), found) and same(zoo.load("cat/cats"), found)

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("HF_TOKEN", "hf_wrong"),
            ("HF_TOKEN", "k\u00e4tzchen"),
            ("HTTP_PROXY", "nonsense"),
            ("HTTP_PROXY", "http://[::1"),
            ("HTTP_PROXY", "socks9://127.0.0.1:1"),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
        ],
    )
    def test_what_the_client_cannot_use_does_not_stop_a_cached_model(
        self, server, hub_cats, monkeypatch, setting, value, capsys
    ):
        found = zoo.load("cat/cats")
        server.repositories["cat/cats"].private = setting == "HF_TOKEN"
        for name in ("NO_PROXY", "no_proxy", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(setting, value)
        huggingface_hub.close_session()  # or it would keep its settings
        try:
            assert same(zoo.load("cat/cats"), found)
        finally:
            monkeypatch.delenv(setting)
            huggingface_hub.close_session()

    def test_a_server_that_is_no_hub_does_not_stop_a_cached_model(self, server, hub_cats):
        found = zoo.load("cat/cats")
        server.trouble = "garbage"
        assert same(zoo.load("cat/cats"), found)

    def test_trouble(self, server, hub_cats):
        for trouble, needle in (
            ("garbage", "does not answer like a Hub"),
            ("busy", "cannot be reached"),
            ("short", "invalid answer"),
        ):
            server.trouble = trouble
            refused(lambda: zoo.load(hub_cats), server.url, needle)
        server.trouble = ""
        assert zoo.load(hub_cats)

    def test_what_is_no_model_leaves_the_cache(self, server, hub_cats):
        good = server.repositories["cat/cats"].files()["generator.safetensors"]
        critic = server.repositories["cat/cats"].files()["critic.safetensors"]
        for content, needle in (
            (b"<html></html>", "damaged"),
            (pickle.dumps([b"\0"]), "damaged"),
            (critic, "a critic"),
        ):
            server.add("cat/odd", {"generator.safetensors": content})
            refused(lambda: zoo.load("cat/odd"), "generator.safetensors of cat/odd", needle)
        server.repositories["cat/odd"].files()["generator.safetensors"] = good
        assert zoo.load("cat/odd")

    def test_too_large(self, server, hub_cats, monkeypatch):
        monkeypatch.setattr(hub, "LARGEST", 1000)
        refused(lambda: zoo.load("cat/cats"), "more than ganopt downloads")
        assert server.downloads() == 0


class TestDelta:
    @pytest.fixture
    def source(self, cats, checkpoints) -> dict:
        """The catalogue's model, with its generator stored as float16."""
        weights.save(zoo.load("cats-teacher"), checkpoints / "generator.safetensors", dtype=torch.float16)
        critic = checkpoints / "critic.safetensors"
        described = entry("cats-teacher", checkpoints / "generator.safetensors", critic)
        write_catalogue(checkpoints, described)
        return described

    def transferred(self, source: torch.nn.Module, frozen: int) -> torch.nn.Module:
        """The source after a transfer that left its first layers alone."""
        with torch.no_grad():
            for layer in source.layers[frozen:]:
                for tensor in layer.state_dict().values():
                    tensor.add_(1)
        return source

    def test_round_trip(self, source, tmp_path):
        network = self.transferred(zoo.load("cats-teacher"), 2)
        zoo.save_delta(network, "cats-teacher", tmp_path / "dogs.safetensors", {"recipe": "transfer"})
        assert same(zoo.load("dogs.safetensors"), network)
        weights.save(network, tmp_path / "whole.safetensors")
        assert (tmp_path / "dogs.safetensors").stat().st_size * 4 < (tmp_path / "whole.safetensors").stat().st_size
        metadata = weights.read_metadata(tmp_path / "dogs.safetensors")
        assert metadata["source"] == "cats-teacher" and metadata["source_sha256"] == source["sha256"]
        assert json.loads(metadata["recipe"]) == {"recipe": "transfer"}

    def test_critic(self, source, tmp_path):
        critic = self.transferred(zoo.load_critic("cats-teacher"), 2)
        zoo.save_delta(critic, "cats-teacher", tmp_path / "critic.safetensors")
        assert same(zoo.load_critic("critic.safetensors"), critic)

    def test_in_8_bits(self, source, tmp_path):
        network = self.transferred(zoo.load("cats-teacher"), 2)
        for name, dtype in (("float32", torch.float32), ("int8", torch.int8)):
            zoo.save_delta(network, "cats-teacher", tmp_path / f"{name}.safetensors", dtype=dtype)
        loaded = zoo.load("int8.safetensors")
        assert same(loaded.layers[:2], network.layers[:2]) and not same(loaded.layers[2:], network.layers[2:])
        for name, tensor in network.state_dict().items():
            assert ((loaded.state_dict()[name] - tensor).abs() <= tensor.abs().max() / 254 + 1e-6).all()
        small, large = (tmp_path / f"{name}.safetensors" for name in ("int8", "float32"))
        assert small.stat().st_size < 0.5 * large.stat().st_size

    def test_nothing_changed_and_signs_of_zero(self, source, tmp_path):
        network = zoo.load("cats-teacher")
        network.layers[0][0].bias.data.zero_()
        zoo.save_delta(network, "cats-teacher", tmp_path / "same.safetensors")
        assert weights.read(tmp_path / "same.safetensors")[0] == {}
        network.layers[0][0].bias.data.neg_()
        zoo.save_delta(network, "cats-teacher", tmp_path / "minus.safetensors")
        assert same(zoo.load("minus.safetensors"), network)

    def test_another_source(self, source, checkpoints, tmp_path):
        network = self.transferred(zoo.load("cats-teacher"), 2)
        zoo.save_delta(network, "cats-teacher", tmp_path / "dogs.safetensors")
        weights.save(build_generator(GENERATOR), checkpoints / "generator.safetensors")
        write_catalogue(checkpoints, entry("cats-teacher", checkpoints / "generator.safetensors"))
        refused(lambda: zoo.load("dogs.safetensors"), "difference to another version of cats-teacher")
        write_catalogue(checkpoints)
        refused(lambda: zoo.load("dogs.safetensors"), "difference to cats-teacher", "Unknown model")

    def test_sources_that_cannot_be(self, source, tmp_path):
        network = build_generator(GENERATOR)
        path = tmp_path / "delta.safetensors"
        refused(lambda: zoo.save_delta(network, str(run_folder(tmp_path / "run")), path), "Unknown model")
        refused(lambda: zoo.save_delta(build_generator("big/64@32"), "cats-teacher", path), "not a big/64@32")
        assert not path.exists()

    def test_a_delta_cannot_point_into_the_disk(self, source, tmp_path):
        folder = run_folder(tmp_path / "run")
        digest = sha256(folder / "generator.safetensors")
        metadata = {"format": "ganopt", "architecture": GENERATOR, "source": str(folder), "source_sha256": digest}
        save_file({}, tmp_path / "sly.safetensors", metadata)
        for load in (zoo.load, zoo.load_critic):
            refused(lambda load=load: load("sly.safetensors"), "Unknown model")

    def test_not_without_the_zoo(self, source, tmp_path):
        zoo.save_delta(zoo.load("cats-teacher"), "cats-teacher", tmp_path / "delta.safetensors")
        refused(lambda: weights.load(tmp_path / "delta.safetensors"), "difference to cats-teacher")

    def test_from_the_hub(self, server, hub_cats, tmp_path):
        network = self.transferred(zoo.load(hub_cats), 2)
        zoo.save_delta(network, hub_cats, tmp_path / "dogs.safetensors")
        server.add("cat/dogs", {"generator.safetensors": (tmp_path / "dogs.safetensors").read_bytes()})
        assert same(zoo.load("cat/dogs"), network)
        assert same(zoo.load_critic("cat/dogs"), zoo.load_critic(hub_cats))


class TestRuns:
    """A run by the name `run:NAME`."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch, source):
        monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))
        shutil.copytree(source, tmp_path / "runs" / "my cats")
        return tmp_path / "runs"

    def test_it_is_a_model_safe_to_name_from_anywhere(self, source):
        expected = zoo.load(source).state_dict()
        found = zoo.load("run:my cats", local=False).state_dict()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert zoo.load_critic("run:my cats", local=False).architecture.kind == "critic"
        entry = zoo.entry("run:my cats")
        assert (entry.title, entry.role, entry.architecture, entry.images) == ("my cats", "teacher", "big/32@32", 16)
        assert zoo.runs() == ["run:my cats"]

    @pytest.mark.parametrize("name", ["run:", "run:../my cats", "run:/etc", "run:a/b", "run:.hidden", "run:gone"])
    def test_no_name_leads_elsewhere(self, name, refuses):
        with refuses(name):
            zoo.load(name, local=False)
        with refuses(name):
            zoo.entry(name)

    def test_a_run_that_has_saved_nothing_is_no_model(self, folder, refuses):
        (folder / "new").mkdir()
        with refuses("run:new", "generator.safetensors"):
            zoo.load("run:new")
        assert zoo.runs() == ["run:my cats"]

    def test_no_delta_is_made_of_it(self, tmp_path, refuses):
        with refuses("only on this machine"):
            zoo.save_delta(zoo.load("run:my cats"), "run:my cats", tmp_path / "delta.safetensors")
