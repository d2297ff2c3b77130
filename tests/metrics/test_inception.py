"""Our Inception against pytorch-fid's, and every way in which its weights can be missing or wrong."""

import os
import pickle
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ganopt.files import sha256
from ganopt.metrics import inception_weights
from ganopt.metrics.inception import Inception, load
from ganopt.metrics.inception_weights import fold
from ganopt.models import zoo
from ganopt.thesis import release

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 43555064\n"


@pytest.fixture(autouse=True)
def ours(monkeypatch) -> None:
    """Whatever this machine's environment says of weights."""
    for name in ("GANOPT_INCEPTION", "GANOPT_CHECKPOINTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def empty(ours, tmp_path, monkeypatch) -> Path:
    """No weights: no checkpoints, an empty torch home."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


def noise(count: int, height: int, width: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(height)
    small = torch.randint(0, 256, (count, 3, height // 8 + 1, width // 8 + 1), generator=chance, dtype=torch.uint8)
    return small.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)[:, :, :height, :width]


class TestNetwork:
    def test_it_is_pytorch_fids_network(self, inception_state, monkeypatch):
        theirs = pytest.importorskip("pytorch_fid.inception")
        state = inception_state()
        monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
        reference, ours = theirs.InceptionV3().eval(), Inception(fold(state))
        for pictures in (noise(2, 48, 48), noise(2, 310, 350)):
            with torch.inference_mode():
                expected, found = reference(pictures.float() / 255)[0][:, :, 0, 0], ours(pictures)
            assert found.shape == (2, 2048) and found.dtype == torch.float32
            assert (found - expected).norm() < 1e-4 * (expected[0] - expected[1]).norm()

    def test_the_shipped_weights_are_there_and_bfloat16_is_close(self):
        pictures = noise(2, 64, 64)
        exact, close = (load("", precision)(pictures) for precision in ("float32", "bfloat16"))
        assert exact.shape == close.shape == (2, 2048) and close.dtype == torch.float32
        assert exact.min() >= 0 and 0.1 < exact.mean() < 1  # behind a ReLU
        assert torch.cosine_similarity(exact, close).min() > 0.99
        assert (exact - close).norm() < 0.2 * (exact[0] - exact[1]).norm()

    def test_loading_from_a_file_is_folding_and_bfloat16_spares_the_first_layer(self, thin_inception, inception_state):
        pictures = noise(3, 40, 56)
        network, rounded = load(str(thin_inception)), load(str(thin_inception), "bfloat16")
        assert torch.equal(network(pictures), Inception(fold(inception_state(16)))(pictures))
        kinds = {name.split(":")[0]: value.dtype for name, value in rounded.named_buffers()}
        assert kinds.pop("Conv2d_1a_3x3") == torch.float32 and set(kinds.values()) == {torch.bfloat16}
        assert network.digest == rounded.digest == sha256(thin_inception)
        assert not network.training

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_packed_weights_give_the_same_features(self, thin_inception, precision):
        plain, packed = load(str(thin_inception), precision), load(str(thin_inception), precision)
        packed.pack(3)
        assert packed.get_buffer("Mixed_7c:stem:weight").is_mkldnn == torch.backends.mkldnn.is_available()
        for pictures in (noise(3, 48, 48), noise(1, 310, 350)):
            with torch.inference_mode():
                expected, found = plain(pictures), packed(pictures)
            assert (found - expected).norm() < (1e-5 if precision == "float32" else 1e-2) * expected.norm()

    def test_pictures_do_not_see_each_other(self, thin_inception):
        network, pictures = load(str(thin_inception)), noise(3, 64, 64)
        together, alone = network(pictures), torch.cat([network(picture[None]) for picture in pictures])
        assert torch.allclose(together, alone, atol=1e-5)


class TestSources:
    def test_a_named_file_comes_before_the_environment_and_that_before_the_shipped_one(
        self, thin_inception, inception_state, tmp_path, monkeypatch
    ):
        assert load().digest == sha256(zoo.checkpoints() / inception_weights.SHIPPED)
        torch.save(inception_state(8), tmp_path / "other.pth")
        monkeypatch.setenv("GANOPT_INCEPTION", str(tmp_path / "other.pth"))
        assert load().digest == sha256(tmp_path / "other.pth")
        assert load(str(thin_inception)).digest == sha256(thin_inception)

    def test_what_is_shipped_is_loaded_as_float32(self, empty, thin_inception):
        release.ship_inception(thin_inception)
        shipped, original = load(), load(str(thin_inception))
        assert {value.dtype for value in shipped.buffers()} == {torch.float32}
        pictures = noise(2, 64, 64)
        assert (shipped(pictures) - original(pictures)).norm() < 0.1 * original(pictures).std(dim=0).norm()
        assert shipped.digest == sha256(empty / "checkpoints/inception.safetensors")

    @pytest.mark.parametrize("name", ["nowhere.pth", "", "folder", "x" * 5000, "a\0b"])
    def test_no_such_file(self, tmp_path, refuses, name):
        (tmp_path / "folder").mkdir()
        with refuses("There is no file", "check the name"):
            load(str(tmp_path / name))

    @pytest.mark.parametrize("content", [b"", b"some text\n", POINTER, b"\x80\x02}", b"PK\x03\x04" + bytes(100), None])
    def test_a_file_of_something_else(self, tmp_path, refuses, content, thin_inception):
        content = thin_inception.read_bytes()[:-1000] if content is None else content
        for name in ("weights.pth", "weights.safetensors"):
            (tmp_path / name).write_bytes(content)
            with refuses(name, "choose another file"):
                load(str(tmp_path / name))

    @pytest.mark.parametrize("change", ["resnet", "list", "absent", "shape", "texts", "torchvision"])
    def test_weights_of_another_network(self, tmp_path, refuses, inception_state, change):
        state = inception_state(16)
        state |= {
            "absent": {"Mixed_7c.branch1x1.bn.bias": None},
            "shape": {"Mixed_7c.branch1x1.conv.weight": torch.zeros(3, 128, 1, 1)},
            "texts": {"Mixed_7c.branch1x1.conv.weight": "text"},
            "torchvision": {"fc.bias": torch.zeros(1000)},
        }.get(change, {})
        others = {"resnet": {"conv1.weight": torch.zeros(2)}, "list": [1, 2]}
        wrong = others.get(change, {name: value for name, value in state.items() if value is not None})
        torch.save(wrong, tmp_path / "weights.pth")
        with refuses("weights.pth", "choose another file"):
            load(str(tmp_path / "weights.pth"))

    def test_code_in_a_file_is_never_run(self, tmp_path, refuses):
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "burst"),)

        for write in (lambda path: path.write_bytes(pickle.dumps(Bomb(), 2)), lambda path: torch.save(Bomb(), path)):
            write(tmp_path / "weights.pth")
            with refuses("weights.pth", "choose another file"):
                load(str(tmp_path / "weights.pth"))
        assert not (tmp_path / "burst").exists()

    def test_a_damaged_shipped_file(self, empty, refuses, thin_inception):
        release.ship_inception(thin_inception)
        path = empty / "checkpoints/inception.safetensors"
        content = path.read_bytes()
        for damaged in (b"", POINTER, content[:5], content[:1000], content[:-1]):
            path.write_bytes(damaged)
            with refuses("inception.safetensors", "restore it"):
                load()
        save_file({"weight": torch.zeros(2)}, path)
        with refuses("inception.safetensors", "restore it"):
            load()


class _Site(BaseHTTPRequestHandler):
    """Sends the server's file; says that it is longer, or has none, where it is told to."""

    def do_GET(self):  # noqa: N802
        self.server.asked += 1
        self.send_response(404 if self.server.trouble == "absent" else 200)
        self.send_header("Content-Length", str(len(self.server.content) + 10 * (self.server.trouble == "short")))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(thin_inception) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.content, server.trouble, server.asked = thin_inception.read_bytes(), "", 0
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class TestDownload:
    def url(self, monkeypatch, port: int, path: Path) -> None:
        """pytorch-fid's address is one on this machine; the name holds the beginning of the hash, as its own does."""
        theirs = pytest.importorskip("pytorch_fid.inception")
        assert theirs.FID_WEIGHTS_URL.endswith("-6726825d.pth")
        address = f"http://127.0.0.1:{port}/pt_inception-{sha256(path)[:8]}.pth"
        monkeypatch.setattr(theirs, "FID_WEIGHTS_URL", address)

    def files(self, folder: Path) -> list[Path]:
        return [path for path in folder.rglob("*") if path.is_file()]

    def test_it_is_fetched_once(self, empty, site, thin_inception, monkeypatch, capsys):
        self.url(monkeypatch, site.server_port, thin_inception)
        assert load().digest == load("official").digest == sha256(thin_inception)
        assert site.asked == 1
        assert "Downloading the Inception network" in capsys.readouterr().err
        assert [path.parent for path in self.files(empty)] == [empty / "torch/hub/checkpoints"]

    def test_official_means_the_download_whatever_is_shipped(self, empty, site, thin_inception, monkeypatch):
        self.url(monkeypatch, site.server_port, thin_inception)
        release.ship_inception(thin_inception)
        shipped, official = load(), load("official")
        assert site.asked == 1 and shipped.digest != official.digest == sha256(thin_inception)

    @pytest.mark.parametrize("trouble", ["absent", "short", "wrong"])
    def test_what_arrives_damaged_is_not_kept(self, empty, site, thin_inception, monkeypatch, refuses, trouble):
        self.url(monkeypatch, site.server_port, thin_inception)
        site.trouble = trouble
        if trouble != "absent":
            site.content = site.content[:-10] + b"0123456789" * (trouble == "wrong")
        with refuses("cannot be downloaded", "--inception"):
            load()
        assert site.asked == 1 and not self.files(empty)

    def test_without_a_network(self, empty, thin_inception, monkeypatch, refuses):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.url(monkeypatch, port, thin_inception)
        for source in ("", "official"):
            with refuses("cannot be downloaded", "check the network", "--inception"):
                load(source)
        assert not self.files(empty)

    def test_where_nothing_can_be_written(self, empty, site, thin_inception, monkeypatch, refuses):
        self.url(monkeypatch, site.server_port, thin_inception)
        monkeypatch.setenv("TORCH_HOME", "/dev/null/torch")
        with refuses("cannot be written"):
            load()
