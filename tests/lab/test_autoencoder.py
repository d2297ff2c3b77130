"""Autoencoders beside what is known of them: principal components, Jacobians, double sums, draws, and plain pairs."""

import dataclasses
import itertools
import math

import pytest
import torch

from ganopt.lab.encoders import kinds, objects, pca, penalties
from ganopt.lab.encoders.probe import accuracy
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("autoencoder")
SMALL = "data=vectors,code=6,hidden=32,iterations=400,objects=400"


def last(text: str):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    return frame


def preset(name: str, seed: int = 0):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.configure(EXPERIMENT.presets[name] | {"seed": seed}))
    return frame


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestLinear:
    @pytest.mark.parametrize("name", ["Linear: principal components", "Linear in two layers"])
    @pytest.mark.parametrize("seed", range(2))
    def test_a_narrow_one_is_pca(self, name, seed):
        figures = preset(name, seed).figures
        error = figures["error on the objects of training"]
        assert error.measured == pytest.approx(error.exact, rel=0.01) and error.is_right
        assert figures["angle to the principal space (degrees)"].measured < 2

    def test_a_wide_one_keeps_everything(self):
        figure = preset("Linear and wide").figures["error on the objects of training"]
        assert figure.measured < 1e-3 and figure.is_right

    def test_error_and_angle_are_scikit_learn_s_and_known(self):
        decomposition = pytest.importorskip("sklearn.decomposition")
        x = torch.randn(200, 8, generator=chance()) * torch.arange(1, 9)
        x = x - x.mean(0)
        theirs = decomposition.PCA(3).fit(x.numpy())
        again = torch.from_numpy(theirs.inverse_transform(theirs.transform(x.numpy())))
        axes = pca.components(x, 3)
        assert pca.error(x, axes) == pytest.approx((x - again).square().mean().item(), rel=1e-4)
        assert pca.angle(axes, torch.from_numpy(theirs.components_).float()) < 0.1
        turned = torch.tensor([[math.cos(0.3), math.sin(0.3), 0.0]])
        assert pca.angle(torch.tensor([[1.0, 0.0, 0.0]]), turned) == pytest.approx(math.degrees(0.3), abs=1e-3)


class TestPenalties:
    def test_contraction_is_autograd_s_jacobian(self):
        x = torch.randn(6, 5, generator=chance(), dtype=torch.float64)
        weight, bias = torch.randn(4, 5, generator=chance(1)).double(), torch.randn(4, generator=chance(2)).double()

        def encode(x: torch.Tensor) -> torch.Tensor:
            return (x @ weight.T + bias).sigmoid()

        exact = sum(torch.autograd.functional.jacobian(encode, each).square().sum() for each in x) / len(x)
        assert penalties.contraction(encode(x), weight).item() == pytest.approx(exact.item(), abs=1e-5)

    @pytest.mark.parametrize("least", [0.0, 0.2])
    def test_relations_are_the_double_sum(self, least):
        x, y = (torch.randn(7, 5, generator=chance(seed), dtype=torch.float64) for seed in (0, 1))

        def s(one: torch.Tensor, other: torch.Tensor) -> float:
            return max((one @ other).item() / 5 - least, 0.0)

        pairs = [(s(y[i], y[j]) - s(x[i], x[j])) ** 2 for i, j in itertools.combinations(range(7), 2)]
        assert penalties.relations(x, y, least).item() == pytest.approx(sum(pairs) / len(pairs))

    def test_sparseness_is_the_divergence_of_bernoulli_s(self):
        codes = torch.rand(50, 3, generator=chance())
        means = codes.mean(0).tolist()
        exact = sum(0.1 * math.log(0.1 / rho) + 0.9 * math.log(0.9 / (1 - rho)) for rho in means)
        assert penalties.sparseness(codes, 0.1).item() == pytest.approx(exact, rel=1e-5)
        assert penalties.sparseness(torch.full((4, 3), 0.1), 0.1).item() == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("deviation", [1.0, 0.5])
    def test_the_closed_divergence_is_that_of_draws_and_of_torch(self, deviation):
        mean, log_variance = torch.tensor([[0.7, -0.2, 1.5]]), torch.tensor([[-1.0, 0.3, -3.0]])
        closed = penalties.gaussian_kl(mean, log_variance, deviation).item()
        draws = penalties.drawn_kl(mean, log_variance, deviation, torch.randn(100_000, 3, generator=chance()))
        assert closed == pytest.approx(draws.mean().item(), abs=4 * draws.std().item() / math.sqrt(100_000))
        one = torch.distributions.Normal(mean, (log_variance / 2).exp())
        other = torch.distributions.Normal(0.0, deviation)
        assert closed == pytest.approx(torch.distributions.kl_divergence(one, other).sum().item(), rel=1e-5)

    def test_norms_of_weights_and_codes(self):
        weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0]])]
        assert penalties.weights_l1(weights) == 6 and penalties.weights_l2(weights) == 14
        assert penalties.codes_l1(torch.tensor([[1.0, -2.0], [0.0, 1.0]])) == 2


class TestKinds:
    def test_the_mean_activation_comes_near_its_target(self):
        figures = last(f"kind=sparse,target=0.1,strength=5,{SMALL}").figures
        assert figures["mean activation"].measured == pytest.approx(0.1, abs=0.02)
        assert figures["mean activation, plain"].measured > 0.2

    @pytest.mark.parametrize("penalty", ["codes L1", "weights L1", "weights L2"])
    def test_what_a_penalty_holds_small_is_smaller_than_the_plain_one_s(self, penalty):
        figures = last(f"kind=sparse,penalty={penalty},{SMALL}").figures
        assert figures[f"sum of {penalty}"].measured < 0.9 * figures[f"sum of {penalty}, plain"].measured
        if penalty.endswith("L1"):
            assert figures["share of them near 0"].measured > figures["share of them near 0, plain"].measured

    @pytest.mark.parametrize("noise", ["Gaussian", "zeros"])
    def test_denoising_beats_plain_on_noisy_objects(self, noise):
        figures = last(f"kind=denoising,noise={noise},amount=0.5,{SMALL},code=20").figures
        ours, plain = figures["error on noisy objects"], figures["error on noisy objects, plain"]
        assert ours.measured < 0.97 * plain.measured < figures["error of the noise itself"].measured

    def test_contractive_codes_change_less(self):
        figures = last(f"kind=contractive,{SMALL}").figures
        assert figures["squared Jacobian of four objects"].is_right
        assert figures["squared Jacobian"].measured < 0.8 * figures["squared Jacobian, plain"].measured

    def test_relational_keeps_products(self):
        figures = last(f"kind=relational,{SMALL},code=2,strength=0.3").figures
        assert figures["squared error of products"].measured < figures["squared error of products, plain"].measured

    def test_stacked_sigmoids_learn_what_they_do_not_from_scratch(self):
        figures = preset("Stacked").figures
        ours, scratch = figures["cross-entropy, stacked"], figures["cross-entropy, from scratch"]
        assert ours.measured < 0.1 and ours.is_right and scratch.measured > 0.5

    def test_a_variational_one_draws_faces_similar_to_a_given_one(self):
        figures = last("side=8,hidden=64,objects=96,iterations=300").figures
        assert figures["divergence of one code"].is_right
        assert figures["distance of draws to their object / of objects"].measured < 0.8

    def test_without_lambda_a_semi_supervised_one_is_the_plain_one(self):
        config = EXPERIMENT.parse(f"kind=semi-supervised,strength=0,{SMALL}")
        curves = [*EXPERIMENT.frames(config)][-1].series["Error on new objects / variance"]
        assert curves["semi-supervised"] == curves["plain"]

    def test_a_semi_supervised_one_learns_the_class(self):
        accuracies = {name: figure.measured for name, figure in preset("Semi-supervised").figures.items()}
        assert accuracies["accuracy of the trained classifier"] > 0.85

    def test_every_kind_has_a_short_run(self):
        for kind in kinds.KINDS:
            frame = last(f"kind={kind},data=vectors,code=2,hidden=8,iterations=10,objects=40")
            assert frame.progress == 1 and frame.figures and frame.pictures


class TestObjects:
    def test_they_are_centred_of_variance_1_and_in_two_parts(self):
        found = objects.split(torch.randn(80, 6, generator=chance()) * 3 + 5, torch.arange(80), 0)
        assert len(found.x) == 60 and len(found.new) == 20
        assert sorted([*found.labels.tolist(), *found.new_labels.tolist()]) == [*range(80)]
        assert found.x.mean(0).abs().max() < 1e-5 and found.x.square().mean().item() == pytest.approx(1, abs=1e-5)

    def test_pictures_come_back(self):
        pictures = torch.randint(256, (40, 3, 4, 4), generator=chance(), dtype=torch.uint8)
        found = objects.split(pictures.flatten(1).float(), torch.arange(40), 4)
        assert torch.equal(found.pictures(found.x), pictures[found.labels])

    def test_the_folders_in_a_folder_are_classes(self, tmp_path, draw_faces, cache):
        for name in ("cats", "dogs"):
            draw_faces(tmp_path / name, 40)
        frame = last(f"kind=semi-supervised,folder={tmp_path},side=8,code=2,hidden=8,iterations=10")
        assert "accuracy of the trained classifier" in frame.figures

    def test_faces_have_sides_that_divide_those_drawn(self, refuses):
        with refuses("--side is 48; it must be 4, 8, 16, 32 or 64"):
            EXPERIMENT.parse("side=48")
        with refuses("choose that side or less"):
            objects.drawn("cats-fast", 0, 256)


def test_a_linear_classifier_separates_what_can_be_separated():
    x = torch.randn(300, 3, generator=chance())
    labels = (x[:, 0] - x[:, 1] > 0).long()
    assert accuracy(x[:200], labels[:200], x[200:], labels[200:]) > 0.95
    assert accuracy(x[:200], labels[:200], x[200:], 1 - labels[200:]) < 0.05


def test_seeds_change_weights_but_no_faces():
    configs = [EXPERIMENT.parse(f"data=vectors,seed={seed}") for seed in (0, 1)]
    one, other, again = (kinds.build(each, 20).weight for each in (*configs, dataclasses.replace(configs[0])))
    assert torch.equal(one, again) and not torch.equal(one, other)
