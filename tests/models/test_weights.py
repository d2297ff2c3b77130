"""Networks survive being saved, explain themselves, and no file can do harm or end in a stack trace."""

import errno
import io
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ganopt.models import weights, zoo
from ganopt.models.networks import build_critic, build_generator, parse_architecture
from ganopt.training import methods
from ganopt.training.recipe_text import describe, parse

RECIPE = describe(methods.recipe("r1", data="cats", steps=5, augment=("color", "cutout")))


def network_of(name: str) -> nn.Module:
    """A network none of whose tensors is at its first value."""
    torch.manual_seed(1)
    network = build_generator(name) if parse_architecture(name).role == "generator" else build_critic(name)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand_like(tensor))
        else:
            tensor.fill_(7)
    return network


@pytest.fixture
def saved(tmp_path) -> Path:
    weights.save(network_of("big/32@32"), tmp_path / "model.safetensors", RECIPE)
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    "name", ["big/32@32", "kd/16@64", "shuffle/16@64", "critic/16@32", "kd-critic/16@32", "plain-critic/16@64"]
)
def test_a_round_trip_in_float32_changes_no_bit(tmp_path, name):
    network = network_of(name)
    weights.save(network, tmp_path / "model.safetensors", RECIPE)
    loaded = weights.load(tmp_path / "model.safetensors")
    assert type(loaded) is type(network) and loaded.architecture == network.architecture
    for (key, before), (same_key, after) in zip(network.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert key == same_key and before.dtype == after.dtype
        assert before.numpy().tobytes() == after.numpy().tobytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int8])
def test_weights_that_are_not_finite_are_refused(tmp_path, refuses, value, dtype):
    network = network_of("big/32@32")
    network.layers[0][1].running_mean[3] = value
    path = tmp_path / "model.safetensors"
    weights.save(network, path, dtype=dtype)
    for load in (weights.load, zoo.load):
        with refuses(f"{path} has weights that are NaN or infinite"):
            load(path)


def test_a_loaded_network_is_ready_to_draw_and_to_be_trained(saved):
    loaded = weights.load(saved)
    assert not loaded.training and not any(module.training for module in loaded.modules())
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in loaded.parameters())
    z = torch.randn(2, 100, 1, 1)
    assert torch.equal(loaded(z), network_of("big/32@32").eval()(z))
    loaded(z).sum().backward()


def test_float16_halves_the_file_and_is_close(tmp_path, saved):
    network = network_of("big/32@32")
    weights.save(network, tmp_path / "half.safetensors", RECIPE, torch.float16)
    stored = load_file(tmp_path / "half.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16, torch.int64}
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * saved.stat().st_size
    loaded = weights.load(tmp_path / "half.safetensors")
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32, torch.int64}
    for key, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], value, rtol=2**-11, atol=1e-7)


KERNEL = "layers.1.0.weight"


@pytest.fixture
def eight_bits(tmp_path) -> Path:
    """A network in 8-bit integers."""
    weights.save(network_of("big/4@64"), tmp_path / "small.safetensors", RECIPE, torch.int8)
    return tmp_path / "small.safetensors"


@pytest.mark.parametrize("name", ["big/4@64", "kd/16@64", "critic/8@64", "plain-critic/8@64"])
def test_8_bit_weights_are_within_half_a_step_and_all_else_is_float16_or_exact(tmp_path, name):
    network, path = network_of(name), tmp_path / "model.safetensors"
    weights.save(network, path, RECIPE, torch.int8)
    stored, loaded = load_file(path), weights.load(path).state_dict()
    for key, value in network.state_dict().items():
        after = loaded[key]
        assert after.dtype == (torch.float32 if value.is_floating_point() else value.dtype)
        if value.ndim == 4:
            assert stored[key].dtype == torch.int8
            step = value.abs().amax(dim=(1, 2, 3), keepdim=True) / 127
            assert ((after - value).abs() <= 0.5001 * step).all() and (after != value).any()
        elif value.is_floating_point():
            assert stored[key].dtype == torch.float16 and torch.equal(after, value.half().float())
        else:
            assert torch.equal(after, value)


def test_8_bits_are_about_a_quarter_of_float32(tmp_path, eight_bits):
    weights.save(network_of("big/4@64"), tmp_path / "float32.safetensors", RECIPE)
    assert 0.25 < eight_bits.stat().st_size / (tmp_path / "float32.safetensors").stat().st_size < 0.27


def test_a_kernel_of_zeros_survives_8_bits(tmp_path):
    network = network_of("big/32@32")
    kernel = network.layers[1][0].weight
    kernel.data[3] = 0
    weights.save(network, tmp_path / "model.safetensors", dtype=torch.int8)
    assert (load_file(tmp_path / "model.safetensors")[KERNEL + weights.SCALES] > 0).all()  # nothing is divided by 0
    after = weights.load(tmp_path / "model.safetensors").layers[1][0].weight
    assert not after[3].any() and after[2].any() and after.isfinite().all()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: {key: value for key, value in tensors.items() if key != KERNEL},
        lambda tensors: tensors | {KERNEL + weights.SCALES: torch.ones(3, 1, 1, 1)},
        lambda tensors: tensors | {KERNEL + weights.SCALES: tensors[KERNEL + weights.SCALES].flatten()},
        lambda tensors: tensors | {KERNEL: tensors[KERNEL].flatten(1)},
        lambda tensors: tensors | {KERNEL: torch.zeros((), dtype=torch.int8)},
        lambda tensors: tensors | {weights.SCALES: torch.ones(1, 1, 1, 1)},
    ],
    ids=["no partner", "of other channels", "flat", "to a flat tensor", "to a number", "of no name"],
)
def test_scales_that_fit_no_tensor_are_one_sentence(eight_bits, change, refuses):
    tensors, metadata = load_file(eight_bits), weights.read_metadata(eight_bits)
    save_file(change(tensors), eight_bits, metadata)
    with refuses("small.safetensors is damaged", "does not match a tensor"):
        weights.load(eight_bits)


def test_8_bit_weights_without_their_scales_are_one_sentence(eight_bits, refuses):
    tensors, metadata = load_file(eight_bits), weights.read_metadata(eight_bits)
    del tensors[KERNEL + weights.SCALES]
    save_file(tensors, eight_bits, metadata)
    with refuses("small.safetensors", "does not contain the weights of a big/4@64"):
        weights.load(eight_bits)


def test_the_metadata_say_what_the_file_holds(saved):
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["architecture"] == "big/32@32"
    assert parse(json.loads(metadata["recipe"])) == parse(RECIPE)
    assert weights.read(saved)[1] == metadata


def test_a_file_may_be_without_a_recipe(tmp_path):
    weights.save(network_of("critic/16@32"), tmp_path / "critic.safetensors")
    assert json.loads(weights.read(tmp_path / "critic.safetensors")[1]["recipe"]) == {}


def test_saving_a_network_leaves_it_as_it_was(tmp_path):
    network = network_of("big/32@32").to(memory_format=torch.channels_last).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    weights.save(network, tmp_path / "model.safetensors", dtype=torch.float16)
    assert network.training
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]) and value.dtype == before[key].dtype


@pytest.mark.parametrize("length", [0, 4, 8, 100, 2000, 10_000, -1])
def test_a_truncated_file_is_one_sentence(saved, length, refuses):
    saved.write_bytes(saved.read_bytes()[:length])
    with refuses("model.safetensors", "damaged"):
        weights.load(saved)


@pytest.mark.parametrize("content", [b"just text\n", b"\xff" * 500, b"{}", json.dumps(RECIPE).encode(), bytes(64)])
def test_a_file_that_is_no_safetensors_is_one_sentence(tmp_path, content, refuses):
    (tmp_path / "notes.safetensors").write_bytes(content)
    with refuses("notes.safetensors", "damaged or not a safetensors"):
        weights.load(tmp_path / "notes.safetensors")


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"architecture": "big/32@32"}])
def test_a_file_of_another_program_is_one_sentence(tmp_path, metadata, refuses):
    save_file(network_of("big/32@32").state_dict(), tmp_path / "foreign.safetensors", metadata)
    with refuses("foreign.safetensors", "not written by ganopt"):
        weights.load(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("metadata", [{}, {"architecture": ""}, {"architecture": "huge"}, {"architecture": "big@999"}])
def test_a_file_that_names_no_network_is_one_sentence(tmp_path, metadata, refuses):
    path = tmp_path / "model.safetensors"
    save_file(network_of("big/32@32").state_dict(), path, {"format": "ganopt", **metadata})
    with refuses():
        weights.load(path)


def lacking(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value for key, value in tensors.items() if key != "layers.1.0.weight"}


def reshaped(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"layers.1.0.weight": torch.zeros(2, 2)}


def of_whole_numbers(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"layers.1.0.weight": tensors["layers.1.0.weight"].int()}


@pytest.mark.parametrize("change", [lacking, reshaped, of_whole_numbers, lambda tensors: {}])
def test_tensors_of_another_network_are_one_sentence(tmp_path, change, refuses):
    path = tmp_path / "model.safetensors"
    metadata = {"format": "ganopt", "architecture": "big/32@32", "recipe": "{}"}
    save_file(change(network_of("big/32@32").state_dict()), path, metadata)
    with refuses("model.safetensors", "does not contain the weights of a big/32@32"):
        weights.load(path)


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path, refuses):
    for path in (tmp_path / "nothing.safetensors", tmp_path):
        with refuses("There is no file", str(path)):
            weights.load(path)


class Malicious:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("write", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_pickle_is_refused_and_never_run(tmp_path, write, name, refuses):
    path, mark = tmp_path / name, tmp_path / "mark"
    write({"layers.0.0.weight": Malicious(mark)}, path)
    with refuses(name, "damaged or not a safetensors"):
        weights.load(path)
    assert not mark.exists()
    content = io.BytesIO(path.read_bytes())
    torch.load(content, weights_only=False) if write is torch.save else pickle.load(content)
    assert mark.exists()  # so the file was indeed harmful


def test_an_honest_checkpoint_of_torch_is_refused(tmp_path, refuses):
    torch.save(network_of("big/32@32").state_dict(), tmp_path / "model.pt")
    with refuses("model.pt", "not a safetensors"):
        weights.load(tmp_path / "model.pt")


def test_where_nothing_can_be_written_it_is_one_sentence(refuses):
    with refuses("/dev/null/model.safetensors", "cannot be written"):
        weights.save(network_of("critic/16@32"), Path("/dev/null/model.safetensors"))


@pytest.mark.parametrize(
    ("error", "fragment"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "disk is full"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "cannot be written"),
    ],
)
def test_a_save_that_fails_half_way_leaves_the_old_file_alone(saved, monkeypatch, error, fragment, refuses):
    before = saved.read_bytes()

    def fail(tensors, path, metadata):
        Path(path).write_bytes(b"half a file")
        raise error

    monkeypatch.setattr(weights, "save_file", fail)
    with refuses(fragment):
        weights.save(network_of("big/32@32"), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]
