"""The networks are the thesis's, layer by layer; thinner and smaller ones keep its build."""

import pytest
import torch
from torch import nn

from ganopt.models.networks import (
    Architecture,
    build_critic,
    build_generator,
    count_parameters,
    kinds,
    parse_architecture,
)
from ganopt.models.networks.convolutions import ProductConv2d
from ganopt.models.sampling import draw, inference_copy

# (channels in, channels out, kernel, stride, padding) of each layer, from the thesis's tables
BIG = [
    (100, 2048, 4, 1, 0),
    (2048, 1024, 4, 2, 1),
    (1024, 512, 4, 2, 1),
    (512, 256, 4, 2, 1),
    (256, 128, 4, 2, 1),
    (128, 3, 4, 2, 1),
]
KD = [(100, 512, 4, 1, 0), (512, 256, 8, 4, 2), (256, 128, 4, 2, 1), (128, 64, 4, 2, 1), (64, 3, 4, 2, 1)]
CRITIC = [
    (3, 64, 4, 2, 1),
    (64, 128, 4, 2, 1),
    (128, 256, 4, 2, 1),
    (256, 512, 4, 2, 1),
    (512, 1024, 4, 2, 1),
    (1024, 1, 4, 1, 0),
]


CRITICS = ("critic", "kd-critic", "plain-critic")


def build(name: str) -> nn.Module:
    """A network without memory for its weights: enough to look at its layers."""
    with torch.device("meta"):
        return build_generator(name) if parse_architecture(name).role == "generator" else build_critic(name)


def convolution_plan(network: nn.Module) -> list[tuple[int, ...]]:
    """What the tables say of each layer, read from the convolution it starts with; all of them square and plain."""
    plan = []
    for layer in network.layers:
        convolution = layer[0]
        assert convolution.bias is not None and convolution.dilation == (1, 1) and convolution.groups == 1
        sizes = (convolution.kernel_size, convolution.stride, convolution.padding)
        assert all(first == second for first, second in sizes)
        plan.append((convolution.in_channels, convolution.out_channels, *(first for first, _ in sizes)))
    return plan


def layer_parameters(layer: tuple[int, ...], normed: bool) -> int:
    """Weights and biases of a convolution, and the two numbers a channel of the norm behind it."""
    width_in, width_out, kernel, _, _ = layer
    return width_in * width_out * kernel**2 + width_out + (2 * width_out if normed else 0)


@pytest.mark.parametrize(("name", "count"), [("big", 47_859_331), ("kd", 9_869_123)])
def test_the_generators_have_exactly_the_parameters_of_the_thesis(name, count):
    assert count_parameters(build(name)) == count


@pytest.mark.parametrize(("name", "plan"), [("big", BIG), ("kd", KD)])
def test_each_generator_layer_is_that_of_the_table(name, plan):
    network = build(name)
    assert convolution_plan(network) == plan
    for layer, row in zip(network.layers, plan, strict=True):
        assert isinstance(layer[0], nn.ConvTranspose2d) and layer[0].output_padding == (0, 0)
        assert count_parameters(layer) == layer_parameters(row, normed=row is not plan[-1])
    for layer in network.layers[:-1]:
        assert [type(module) for module in layer[1:]] == [nn.BatchNorm2d, nn.ReLU]
        assert layer[1].num_features == layer[0].out_channels and layer[1].affine and layer[1].track_running_stats
    assert [type(module) for module in network.layers[-1][1:]] == [nn.Tanh]


@pytest.mark.parametrize("kind", CRITICS)
def test_each_critic_layer_is_that_of_the_table(kind):
    network, normalised = build(kind), kind != "plain-critic"
    assert convolution_plan(network) == CRITIC
    for layer, row in zip(network.layers, CRITIC, strict=True):
        assert type(layer[0]) is (ProductConv2d if row == CRITIC[4] else nn.Conv2d)
        assert count_parameters(layer) == layer_parameters(row, normalised and row is not CRITIC[-1])
    for layer in network.layers[:-1]:
        assert type(layer[-1]) is nn.LeakyReLU and layer[-1].negative_slope == 0.2
        assert len(layer) == (3 if normalised else 2)
    assert len(network.layers[-1]) == 1


@pytest.mark.parametrize("kind", ["critic", "kd-critic"])
def test_the_critic_is_normalised_as_by_instance_norm(kind):
    critic = build_critic(f"{kind}/8@32")
    x = torch.randn(3, 3, 32, 32)
    for layer in critic.layers[:-1]:
        convolution, norm, _ = layer
        nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
        plain = convolution(x)
        expected = nn.functional.instance_norm(plain, weight=norm.weight, bias=norm.bias, eps=1e-5)
        torch.testing.assert_close(norm(plain), expected)
        assert not dict(norm.named_buffers())  # no running statistics: training and evaluation are alike
        x = layer(x)


def test_no_critic_mixes_the_pictures_of_a_batch():
    """A gradient penalty is of single pictures, so a score must not depend on the others."""
    x = torch.randn(4, 3, 32, 32)
    for kind in CRITICS:
        critic = build_critic(f"{kind}/8@32")
        torch.testing.assert_close(critic(x)[1:2], critic(x[1:2]))


@pytest.mark.parametrize("side", [32, 64, 128])
def test_a_shuffle_spreads_what_it_finds_on_few_pixels(side):
    network = build(f"shuffle/4@{side}")
    factor = side // 32
    plan = [(100, 48 * 64, 1, 1, 0), (48, 24 * 4, 3, 1, 1), (24, 16 * 4, 3, 1, 1), (16, 3 * factor**2, 3, 1, 1)]
    assert convolution_plan(network) == plan
    assert [layer[1].upscale_factor for layer in network.layers] == [8, 2, 2, factor]
    for layer, width in zip(network.layers[:-1], (48, 24, 16), strict=True):
        assert [type(module) for module in layer[2:]] == [nn.BatchNorm2d, nn.ReLU] and layer[2].num_features == width
    assert isinstance(network.layers[-1][2], nn.Tanh)


def first_convolution(stage):
    return next(module for module in stage.modules() if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)))


@pytest.mark.parametrize("kind", kinds("generator"))
def test_a_face_is_the_same_in_any_company(kind):
    """Also with steep weights, where the last bit of a float shows in the bytes."""
    torch.manual_seed(0)
    generator, z = build_generator(f"{kind}/8").eval(), torch.randn(19, 100, 1, 1)
    for layer in generator.layers:
        first_convolution(layer).weight.data *= 20
    generator = inference_copy(generator, torch.device("cpu"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(draw(generator, z), torch.cat([draw(generator, each) for each in z.split(1)]))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", kinds("generator"))
def test_a_fused_generator_draws_the_same_and_leaves_the_other_as_it_was(kind):
    torch.manual_seed(0)
    generator, z = build_generator(f"{kind}/8"), torch.randn(8, 100, 1, 1)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_var, module.running_mean, module.bias.data, module.weight.data):
                values.uniform_(0.5, 1.5)
    first_convolution(generator.layers[-1]).weight.data *= 10
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    faster = inference_copy(generator, torch.device("cpu"))
    assert generator.training and all(torch.equal(before[name], t) for name, t in generator.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())
    with torch.inference_mode():
        expected, result = generator.eval()(z), faster(z)
    assert expected.std() > 0.05
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("side", [32, 64, 128])
@pytest.mark.parametrize("kind", kinds("generator"))
def test_generators_draw_pictures_of_their_side_in_range(kind, side):
    generator = build_generator(f"{kind}/8@{side}")
    pictures = generator(30 * torch.randn(2, 100, 1, 1))
    assert pictures.shape == (2, 3, side, side)
    assert pictures.abs().max() <= 1


@pytest.mark.parametrize("side", [32, 64, 128])
@pytest.mark.parametrize("kind", CRITICS)
def test_critics_score_and_describe_pictures_of_their_side(kind, side):
    critic = build_critic(f"{kind}/8@{side}")
    pictures = torch.randn(2, 3, side, side)
    assert critic(pictures).shape == critic.scores(pictures).shape == (2, 1)
    assert critic.features(pictures).shape == (2, side // 4 * 64 // 8 // 2, 4, 4)


def test_only_the_kd_critic_ends_in_a_sigmoid():
    x = torch.randn(3, 3, 32, 32)
    for kind in CRITICS:
        critic = build_critic(f"{kind}/8@32")
        logits = critic.scores(x)
        expected = 1 / (1 + (-logits).exp()) if kind == "kd-critic" else logits
        torch.testing.assert_close(critic(x), expected)


@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize(("kind", "plan"), [("big", BIG), ("kd", KD), ("critic", CRITIC)])
def test_the_thin_family_divides_every_width_and_keeps_the_depth(kind, plan, divisor):
    thin = [(width_in // divisor, width_out // divisor, *rest) for width_in, width_out, *rest in plan]
    outer_in, outer_out = plan[0][0], plan[-1][1]  # latents, pictures and scores keep their size
    thin[0] = (outer_in, *thin[0][1:])
    thin[-1] = (thin[-1][0], outer_out, *thin[-1][2:])
    assert convolution_plan(build(f"{kind}/{divisor}")) == thin


@pytest.mark.parametrize(("kind", "depths"), [("big", (4, 5, 6)), ("kd", (3, 4, 5)), ("critic", (4, 5, 6))])
def test_smaller_pictures_take_fewer_layers(kind, depths):
    assert tuple(len(build(f"{kind}@{side}").layers) for side in (32, 64, 128)) == depths


def test_first_weights_have_the_spread_that_the_papers_give():
    torch.manual_seed(0)
    generator, plain = build_generator("big/8"), build_critic("plain-critic")
    assert generator.layers[1][0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert generator.layers[1][1].weight.mean().item() == pytest.approx(1, abs=0.01)
    he = (2 / (1 + 0.2**2) / (64 * 16)) ** 0.5
    assert plain.layers[1][0].weight.std().item() == pytest.approx(he, rel=0.02)
    assert not any(layer[0].bias.any() for network in (generator, plain) for layer in network.layers)


@pytest.mark.parametrize("name", ["big", "big/4", "kd@64", "big/8@32", "plain-critic/2", "kd-critic/16@64"])
def test_a_name_is_read_and_written_alike(name):
    assert str(parse_architecture(name)) == name
    assert parse_architecture(f" {name} ") == parse_architecture(name)


def test_a_name_may_spell_out_what_is_usual():
    assert parse_architecture("big/1@128") == Architecture("big", 1, 128) == parse_architecture("big")


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("", "Unknown network"),
        ("small", "Unknown network 'small'"),
        ("BIG", "Unknown network 'BIG'"),
        ("big/", "Unknown network"),
        ("big@", "Unknown network"),
        ("big/4/4", "Unknown network"),
        ("big/-4", "Unknown network"),
        ("big/1000", "Unknown network"),
        ("big@64/4", "Unknown network"),
        ("../big", "Unknown network"),
        ("big/0", "divides its widths by 0"),
        ("big/3", "divides its widths by 3"),
        ("big/128", "divides its widths by 128"),
        ("kd@48", "is for pictures of 48 pixels"),
        ("kd@256", "is for pictures of 256 pixels"),
        ("kd@0", "is for pictures of 0 pixels"),
    ],
)
def test_a_bad_name_is_refused(name, fragment, refuses):
    with refuses(fragment):
        parse_architecture(name)


def test_a_critic_is_no_generator_nor_the_other_way_round(refuses):
    with refuses("Unknown network 'critic'", "big, kd"):
        build_generator("critic")
    with refuses("Unknown network 'big'", "critic, kd-critic, plain-critic"):
        build_critic("big")
