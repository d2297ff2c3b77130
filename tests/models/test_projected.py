"""The critic on frozen features, and its network against one with norms and explicit padding."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import batch_norm, conv2d, pad, relu6

from ganopt.models.checkpoint_files import checkpoints
from ganopt.models.networks import build_critic, projected
from ganopt.models.networks.efficientnet import EfficientNetLite0, fold
from ganopt.models.networks.projected import BACKBONE
from tests.efficientnet import random_state


def same_padded(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Zeros as TensorFlow's "same" padding puts them: as few before as possible."""
    zeros = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        zeros += [total // 2, total - total // 2]
    return pad(x, zeros)


def unfolded(state: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """The four maps, as the network is defined."""

    def convolve(x, convolution, norm, stride=1):
        weight = state[f"{convolution}.weight"]
        x = conv2d(same_padded(x, weight.shape[-1], stride), weight, None, stride, groups=x.shape[1] // weight.shape[1])
        return batch_norm(
            x, *(state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")), eps=1e-3
        )

    maps = []
    x = relu6(convolve(x, "_conv_stem", "_bn0", 2))
    for block in range(16):
        prefix, stride = f"_blocks.{block}.", 2 if block in (1, 3, 5, 11) else 1
        y = relu6(convolve(x, f"{prefix}_expand_conv", f"{prefix}_bn0")) if block else x
        y = relu6(convolve(y, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride))
        y = convolve(y, f"{prefix}_project_conv", f"{prefix}_bn2")
        x = x + y if stride == 1 and x.shape[1] == y.shape[1] else y
        if block in (2, 4, 10, 15):
            maps.append(x)
    return maps


def pictures(count: int, side: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("side", [64, 45])
def test_the_folded_network_is_the_unfolded_one(side):
    state, x = random_state(), pictures(2, side)
    expected, found = unfolded(state, x), EfficientNetLite0(fold(state))(x)
    assert [y.shape for y in found] == [y.shape for y in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < 1e-3 * other.abs().max()


@pytest.mark.parametrize("side", [32, 64, 128])
def test_four_heads_score_pictures_of_any_side(side):
    critic, x = build_critic(f"projected@{side}"), pictures(2, side)
    assert critic.scores(x).shape == (2, 100)
    assert [tuple(y.shape[1:]) for y in critic.features(x)] == [(32, 64, 64), (32, 32, 32), (64, 16, 16), (128, 8, 8)]


def test_the_fine_one_sees_enlarged_pictures():
    coarse, fine, x = build_critic("projected"), build_critic("projected-fine"), pictures(2, 128)
    assert [tuple(y.shape[2:]) for y in fine.features(x)] == [(side, side) for side in (128, 64, 32, 16)]
    assert fine.scores(x).shape == (2, 4 * 13**2)
    large = torch.nn.functional.interpolate(x, 256, mode="bilinear", align_corners=False)
    assert torch.equal(fine.features(x)[0], fine.features(large)[0])
    fine.load_state_dict(coarse.state_dict())


def test_only_the_heads_are_trained_and_saved():
    critic = build_critic("projected")
    assert all(name.startswith("heads.") for name, _ in critic.named_parameters())
    assert all(name.startswith("heads.") for name in critic.state_dict())
    assert {name.rpartition(".")[2] for name in critic.state_dict()} >= {"_u", "_v", "running_mean", "original"}
    assert not any(buffer.requires_grad for buffer in critic.buffers())


def test_the_projections_are_the_same_in_every_run():
    critics = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        critics.append(build_critic("projected"))
    for level in range(4):
        for part in ("lateral", "fused"):
            one, other = (critic.get_buffer(f"{part}_{level}") for critic in critics)
            assert torch.equal(one, other) and one.std() > 0


@pytest.mark.parametrize("autocast", [False, True])
def test_gradients_reach_pixels_and_heads(autocast):
    critic, x = build_critic("projected").train(), pictures(2, 128).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        scores = critic.scores(x)
    scores.float().mean().backward()
    assert x.grad.isfinite().all() and (x.grad.abs().amax(dim=1) > 0).float().mean() > 0.9
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in critic.parameters())


def test_the_network_is_seen_in_float32_where_pixels_get_a_gradient():
    """In bfloat16 the direction of the gradient is another, and the way back slower."""
    critic, seen = build_critic("projected"), []
    critic.backbone.register_forward_hook(lambda module, inputs, maps: seen.append(maps[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        critic.scores(pictures(2, 128))
        critic.scores(pictures(2, 128).requires_grad_())
    assert seen == [torch.bfloat16, torch.float32]


def test_the_file_says_what_it_is():
    with safe_open(checkpoints() / BACKBONE, "pt") as file:
        metadata = file.metadata()
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert metadata["licence"] == "Apache-2.0" and "0.1.0" in metadata["source"] and "BatchNorm" in metadata["folding"]


def test_a_file_that_is_not_finite_is_one_sentence(tmp_path, monkeypatch, refuses):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(projected, "_weights", projected._weights.__wrapped__)  # which keeps them
    save_file({"stem.weight": torch.tensor([1.0, torch.inf])}, tmp_path / BACKBONE)
    with refuses(f"{BACKBONE} is missing or damaged"):
        build_critic("projected")
