"""The DCGAN of digits: counts, shapes and a step as in Keras, digits from files, and what is shipped."""

import copy
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from ganopt.cli.parser import main
from ganopt.errors import UserError
from ganopt.lab.digits import release, shipped
from ganopt.lab.digits.networks import (
    DigitClassifier,
    DigitCritic,
    DigitGenerator,
    Dropout,
    SameConv,
    SameConvTranspose,
)
from ganopt.lab.digits.pictures import read_digits, sheet
from ganopt.lab.digits.release import enter, measured, store, trained_generator
from ganopt.lab.digits.training import gan_step, keras_adam, shifted, train_classifier, unclarity
from ganopt.lab.registry import find_experiment
from ganopt.models.batch_norm import renew_statistics
from ganopt.models.catalogue import catalogue, lab_catalogue
from ganopt.models.checkpoint_files import checkpoints
from ganopt.models.latents import latents


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shapes_of(network: nn.Sequential, x: torch.Tensor) -> list[tuple]:
    """The shapes, without the batch, that leave the layers with weights and those that change a shape."""
    seen: list[tuple] = []
    hooks = [layer.register_forward_hook(lambda *given: seen.append(tuple(given[-1].shape[1:]))) for layer in network]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return [shape for index, shape in enumerate(seen) if not index or shape != seen[index - 1]]


def draw_digit(label: int, shift: int = 0) -> np.ndarray:
    """A bar whose place tells the label, uint8 (28, 28)."""
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 2 + 2 * label + shift : 5 + 2 * label + shift] = 250
    return digit


class TestNetworks:
    def test_the_generator_has_the_article_s_values(self):
        generator = DigitGenerator(seeded())
        trained = sum(each.numel() for each in generator.parameters())
        statistics = sum(each.numel() for each in generator.buffers() if each.ndim)
        assert (trained, statistics, trained + statistics) == (2_305_472, 25_472, 2_330_944)
        dense, norm = generator[0], generator[1]
        assert dense.weight.numel() == 1_254_400 and 4 * norm.num_features == 50_176
        assert not any(getattr(layer, "bias", None) is not None for layer in (dense, generator[4], generator[7]))

    def test_the_critic_has_the_article_s_values(self):
        critic = DigitCritic(seeded())
        layers = [layer for layer in critic if isinstance(layer, (nn.Conv2d, nn.Linear))]
        assert [layer.weight.numel() + layer.bias.numel() for layer in layers] == [1_664, 204_928, 6_273]
        assert sum(each.numel() for each in critic.parameters()) == 212_865

    def test_shapes_of_every_layer(self):
        assert shapes_of(DigitGenerator(seeded()).eval(), torch.zeros(2, 100)) == [
            (12_544, 1, 1),
            (256, 7, 7),
            (128, 7, 7),
            (64, 14, 14),
            (1, 28, 28),
        ]
        x = torch.zeros(2, 1, 28, 28)
        assert shapes_of(DigitCritic(seeded()).eval(), x) == [(64, 14, 14), (128, 7, 7), (6272,), (1,)]
        assert DigitClassifier(seeded())(x).shape == (2, 10)

    def test_the_dense_layer_is_reshaped_with_channels_last(self):
        features = torch.arange(12_544.0).reshape(1, -1, 1, 1)
        picture = DigitGenerator(seeded())[3](features)
        assert picture[0, 5, 2, 3] == (2 * 7 + 3) * 256 + 5

    def test_keras_s_defaults(self):
        generator, critic = DigitGenerator(seeded()), DigitCritic(seeded())
        assert {(each.eps, each.momentum) for each in generator if isinstance(each, nn.BatchNorm2d)} == {(0.001, 0.01)}
        slopes = {each.negative_slope for each in [*generator, *critic] if isinstance(each, nn.LeakyReLU)}
        assert slopes == {0.3}
        bound = (6 / (25 * (64 + 128))) ** 0.5  # Glorot
        assert 0.99 * bound < critic[3].weight.abs().max() <= bound and not critic[3].bias.any()

    def test_same_padding_at_stride_2_is_one_before_and_two_after(self):
        layer, x = SameConv(1, 1), torch.zeros(1, 1, 28, 28)
        with torch.no_grad():
            layer.weight.copy_(torch.arange(25.0).reshape(1, 1, 5, 5))
            layer.bias.zero_()
            x[0, 0, 0, 0] = 1
            assert layer(x)[0, 0, 0, 0] == 6  # the kernel's second row and column
            assert layer(x)[0, 0].count_nonzero() == 1

    def test_a_transposed_convolution_is_the_transpose_of_a_convolution(self):
        down, up = SameConv(3, 2).double(), SameConvTranspose(2, 3, 2).double()
        with torch.no_grad():
            up.weight.copy_(down.weight)
            down.bias.zero_()
            x, y = torch.randn(1, 3, 14, 14).double(), torch.randn(1, 2, 7, 7).double()
            assert (down(x) * y).sum().item() == pytest.approx((x * up(y)).sum().item())
            whole = conv_transpose2d(y, up.weight, stride=2)  # (1, 3, 17, 17)
            assert torch.allclose(up(y), whole[:, :, 1:15, 1:15])

    def test_dropout_scales_and_repeats(self):
        x = torch.ones(100, 100)
        first, again = (Dropout(seeded(3))(x) for _ in range(2))
        assert torch.equal(first, again) and first.unique().tolist() == pytest.approx([0, 1 / 0.7])
        assert (first == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
        assert torch.equal(Dropout(seeded()).eval()(x), x)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_is_the_hand_made_one(layout):
    """Both networks are updated once from the same fakes, by Adam's first step, rate times the gradient's sign."""
    generator, critic = DigitGenerator(seeded()).to(memory_format=layout), DigitCritic(seeded(1)).eval()
    critic.to(memory_format=layout)  # in evaluation mode, so without dropout
    first_g, first_d = copy.deepcopy(generator), copy.deepcopy(critic)
    real, latents = torch.rand(4, 1, 28, 28) * 2 - 1, torch.randn(4, 100)

    def score(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor, e, f):
        pad = nn.ZeroPad2d((1, 2, 1, 2))
        x = leaky_relu(conv2d(pad(x), a, b, stride=2), 0.3)
        x = leaky_relu(conv2d(pad(x), c, d, stride=2), 0.3)
        return x.flatten(1) @ e.T + f

    weights, fake = [*first_d.parameters()], first_g(latents)
    chances = [score(x, *weights).sigmoid() for x in (real, fake)]
    loss_d = -chances[0].log().mean() - (1 - chances[1]).log().mean()
    loss_g = -chances[1].log().mean()
    gradients_d = torch.autograd.grad(loss_d, weights, retain_graph=True)
    gradients_g = torch.autograd.grad(loss_g, [*first_g.parameters()])

    learners = keras_adam(generator, 1e-3), keras_adam(critic, 1e-3)
    losses = gan_step(generator, critic, *learners, real, latents)
    assert losses == pytest.approx((loss_g.item(), loss_d.item()), rel=1e-5)
    for network, before, gradients in ((generator, first_g, gradients_g), (critic, first_d, gradients_d)):
        for new, old, gradient in zip(network.parameters(), before.parameters(), gradients, strict=True):
            assert torch.allclose(new.grad, gradient, atol=1e-3 * gradient.abs().max().item())
            assert torch.allclose(new - old, -1e-3 * new.grad / (new.grad.abs() + 1e-7), atol=1e-6)


def test_digits_of_sure_classes_that_are_equally_frequent_are_rewarded():
    sure, unsure = 50 * torch.eye(10), torch.zeros(20, 10)
    assert unclarity(sure).item() == pytest.approx(-math.log(10))
    always_the_same = sure[:1].expand(20, -1)
    assert [unclarity(each).item() for each in (unsure, always_the_same)] == pytest.approx([0, 0], abs=1e-6)

    def generator_after_a_step(classifier: nn.Module | None) -> tuple[DigitGenerator, DigitCritic]:
        generator, critic = DigitGenerator(seeded()), DigitCritic(seeded(1)).eval()
        learners = keras_adam(generator, 1e-3), keras_adam(critic, 1e-3)
        gan_step(
            generator, critic, *learners, torch.zeros(4, 1, 28, 28), torch.randn(4, 100, generator=seeded()), classifier
        )
        return generator, critic

    (plain, critic), (clear, same_critic) = map(generator_after_a_step, (None, DigitClassifier(seeded()).eval()))
    assert not torch.equal(plain[0].weight, clear[0].weight)
    assert all(map(torch.equal, critic.parameters(), same_critic.parameters()))


def test_the_critic_sees_all_digits_augmented():
    generator, critic, seen = DigitGenerator(seeded()), DigitCritic(seeded(1)).eval(), []
    critic[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    real, latents = torch.rand(4, 1, 28, 28), torch.randn(4, 100)
    drawn = copy.deepcopy(generator)(latents)
    learners = keras_adam(generator, 1e-3), keras_adam(critic, 1e-3)
    gan_step(generator, critic, *learners, real, latents, augment=lambda pictures: -pictures)
    assert torch.equal(seen[0], -drawn) and torch.equal(seen[1], -real)


class TestDigitsOfFiles:
    def test_an_npz_file(self, tmp_path):
        images = np.stack([draw_digit(index % 10) for index in range(20)])
        np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(20) % 10)
        pictures, labels = read_digits(str(tmp_path / "digits.npz"))
        assert pictures.shape == (20, 1, 28, 28) and labels.tolist() == [*range(10)] * 2
        assert torch.equal((pictures[:, 0] * 127.5 + 127.5).round().byte(), torch.from_numpy(images))

    @pytest.mark.parametrize("inside", [False, True])
    def test_a_folder_whose_folders_are_labels(self, tmp_path, inside):
        for index in range(20):
            folder = tmp_path / (str(index % 2 + 3) if inside else "mixed")
            folder.mkdir(exist_ok=True)
            Image.fromarray(draw_digit(index % 10)).save(folder / f"{index:02}.png")
        pictures, labels = read_digits(str(tmp_path))
        assert pictures.shape == (20, 1, 28, 28) and pictures.max() == pytest.approx(250 / 127.5 - 1)
        assert (labels.tolist() == [3] * 10 + [4] * 10) if inside else labels is None

    @pytest.mark.parametrize(
        ("arrays", "fragment"),
        [
            ({"pictures": np.zeros((20, 28, 28), np.uint8)}, "give one with an array 'images'"),
            ({"images": np.zeros((20, 28, 28))}, "must be uint8 (N, 28, 28)"),
            ({"images": np.zeros((20, 32, 32), np.uint8)}, "must be uint8 (N, 28, 28)"),
            ({"images": np.zeros((3, 28, 28), np.uint8)}, "contains 3 digits; at least 16"),
            ({"images": np.zeros((20, 28, 28), np.uint8), "labels": np.full(20, 12)}, "do not fit"),
            ({"images": np.zeros((20, 28, 28), np.uint8), "labels": np.zeros(19)}, "do not fit"),
            ({"images": np.array([{}] * 20)}, "give one with an array 'images'"),
        ],
    )
    def test_a_wrong_file_is_a_sentence(self, tmp_path, refuses, arrays, fragment):
        np.savez(tmp_path / "digits.npz", **arrays)
        with refuses(fragment):
            read_digits(str(tmp_path / "digits.npz"))

    def test_no_file_is_a_sentence(self, tmp_path, refuses):
        (tmp_path / "text.npz").write_text("digits")
        for name in ("missing", "text.npz"):
            with refuses("is no folder and no .npz file of digits"):
                read_digits(str(tmp_path / name))


def test_a_sheet_is_shown_as_stated():
    pictures = torch.full((5, 1, 28, 28), -1.0)
    pictures[1], pictures[2] = 1, 0
    shown = sheet(pictures, 2)
    assert shown.shape == (84, 56, 3) and shown[0, 28, 0] == 255 and shown[28, 0, 0] == 128 and shown[0, 0, 0] == 0


def test_shifts_move_whole_digits_by_at_most_two_pixels():
    pictures = torch.full((200, 1, 28, 28), -1.0)
    pictures[:, 0, 10, 12] = 1
    places = (shifted(pictures, seeded())[:, 0] > 0).nonzero()
    assert places[:, 0].tolist() == [*range(200)]
    assert {*places[:, 1].tolist()} == {*range(8, 13)} and {*places[:, 2].tolist()} == {*range(10, 15)}


def test_a_classifier_learns():
    labels = torch.arange(100) % 10
    pictures = torch.from_numpy(np.stack([draw_digit(int(each)) for each in labels])).float()[:, None] / 127.5 - 1
    pictures = pictures[labels % 3 == 0]
    labels = labels[labels % 3 == 0]
    classifier = DigitClassifier(seeded(), 4)
    losses = [*train_classifier(classifier, pictures, labels, seeded(), 60, 32, 1e-2)]
    assert len(losses) == 60 and (shipped.probabilities(classifier, pictures).argmax(1) == labels).all()


class TestShipped:
    def test_files_give_back_the_networks(self, tmp_path, monkeypatch):
        monkeypatch.setattr(release, "STATISTICS", 1)
        monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
        monkeypatch.setattr(release, "CLASSIFIER_STEPS", 2)
        generator = trained_generator(torch.rand(32, 1, 28, 28), torch.arange(32) % 10, steps=1)
        store(generator, shipped.GENERATOR, {"steps": "2"}, torch.int8)
        assert (tmp_path / shipped.GENERATOR).stat().st_size < 2_600_000
        latents = torch.randn(8, 100)
        assert (shipped.load_generator()(latents) - generator(latents)).abs().max() < 0.05
        store(generator, shipped.CLASSIFIER, {}, torch.int8)
        with pytest.raises(UserError, match="does not contain this network"):
            shipped.load_classifier()
        with torch.no_grad():
            generator[1].running_mean[3] = float("nan")
        store(generator, shipped.GENERATOR, {"steps": "2"}, torch.float32)
        with pytest.raises(UserError, match="has weights that are NaN or infinite"):
            shipped.load_generator()

    def test_new_statistics_are_those_of_the_latents(self):
        generator = DigitGenerator(seeded()).eval()
        renew_statistics(generator, torch.randn(3 * shipped.BATCH, 100, generator=seeded()).split(shipped.BATCH))
        with torch.no_grad():
            drawn = generator[0](torch.randn(2000, 100, 1, 1))
        assert generator[1].running_var.mean().item() == pytest.approx(drawn.var(0).mean().item(), rel=0.05)
        assert generator[1].momentum == 0.01 and not generator.training

    def test_the_shipped_generator_draws_digits_of_all_classes(self):
        share, counts = measured()
        assert sum(count >= 20 for count in counts) >= 9
        assert share >= 0.79  # 0.80 of these thousand, 0.76 to 0.79 of three others; 0.80 was aimed at

    def test_the_catalogue_describes_the_shipped_generator(self, tmp_path, monkeypatch, refuses):
        entry = lab_catalogue()[shipped.NAME]
        assert entry.describes(checkpoints() / shipped.GENERATOR) and entry.licence == "cc-by-sa-3.0"
        monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
        store(DigitGenerator(seeded()), shipped.GENERATOR, {}, torch.int8)
        enter("drawn bars", 1000, "none")
        assert lab_catalogue()[shipped.NAME].trained_on == "1,000 digits of drawn bars" and catalogue() == {}
        assert shipped.load_generator()
        store(DigitGenerator(seeded(1)), shipped.GENERATOR, {}, torch.int8)
        with refuses("is not the file that the catalogue describes"):
            shipped.load_generator()

    def test_a_seed_is_the_same_digit_in_any_company(self):
        generator = shipped.load_generator()
        alone, together = (shipped.digits_of(generator, latents(seeds)) for seeds in ([7], range(5, 130)))
        assert alone.shape == (1, 3, 28, 28) and alone.dtype == torch.uint8
        assert (alone[0].int() - together[2].int()).abs().max() <= 1

    def test_drawn_digits_have_labels(self):
        pictures, labels = shipped.drawn_digits(120, seeded())
        assert pictures.shape == (120, 1, 28, 28) and labels.shape == (120,) and len(labels.unique()) >= 8


class TestExperiment:
    def test_it_draws_with_the_shipped_generator(self):
        experiment = find_experiment("digits")
        noise, *_, last = experiment.frames(experiment.parse("count=100"))
        assert noise.said == "Noise of an untrained generator." and last.progress == 1
        assert last.figures["trained values of the generator, in thousands"].is_right
        assert {*last.pictures} == {"Sixteen fixed latents", "By class"}

    def test_it_trains_on_the_digits_given(self, tmp_path):
        np.savez(tmp_path / "digits.npz", images=np.stack([draw_digit(index % 10) for index in range(32)]))
        experiment = find_experiment("digits")
        config = experiment.configure({"digits": str(tmp_path / "digits.npz"), "epochs": 2, "batch": 16})
        first, second, third = experiment.frames(config)
        assert [frame.progress for frame in (first, second, third)] == [0, 0.5, 1]
        assert [x for x, _ in third.series["Losses"]["G"]] == [1, 2]
        assert first.pictures["Sixteen fixed latents"].svg() != third.pictures["Sixteen fixed latents"].svg()


class TestCommands:
    def test_generate_draws_digits(self, tmp_path, capsys):
        main(["generate", "--model", shipped.NAME, "--seeds", "3, 42", "--scale", "0.8", "--out", str(tmp_path)])
        assert capsys.readouterr().out == f"2 digits and sheet.png are in {tmp_path}.\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["seed-0003.png", "seed-0042.png", "sheet.png"]
        [expected] = shipped.digits_of(shipped.load_generator(), 0.8 * latents([42]))
        with Image.open(tmp_path / "seed-0042.png") as image:
            assert np.abs(np.asarray(image).astype(int) - expected.permute(1, 2, 0).numpy()).max() <= 1

    @pytest.mark.parametrize(
        "command",
        [
            f"fid --model {shipped.NAME}",
            f"distill --teacher {shipped.NAME} --alpha 0 --steps 2",
            f"transfer --source {shipped.NAME} --data sample:cats-fast --steps 2",
            f"train --data sample:{shipped.NAME} --steps 2",
            f"publish {shipped.NAME} me/digits --dry-run",
        ],
    )
    def test_what_is_for_faces_refuses_digits(self, command):
        with pytest.raises(SystemExit) as caught:
            main(command.split())
        assert "digits-generator draws digits of 28x28 pixels, no faces; draw with it by `generate`" in str(
            caught.value
        )

    def test_digits_have_no_eyes(self):
        with pytest.raises(SystemExit) as caught:
            main(["generate", "--model", shipped.NAME, "--best", "2"])
        assert "which digits do not have; leave it out." in str(caught.value)
