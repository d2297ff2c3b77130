"""The distances, on features that are made up, against other ways to compute them."""

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganopt.metrics import fid
from ganopt.metrics.fid import (
    Gaussian,
    Moments,
    diversity,
    fit,
    frechet_distance,
    from_covariance,
    kernel_distance,
    precision_and_recall,
)


def rows(count: int, size: int, seed: int = 0, shift: float = 0.0) -> Tensor:
    """Correlated features (count, size), float32 as a network's."""
    chance = torch.Generator().manual_seed(seed)
    mixing = torch.randn(size, size, generator=torch.Generator().manual_seed(99)) / size**0.5
    return torch.randn(count, size, generator=chance) @ (mixing + torch.eye(size)) * (1 + 0.1 * seed) + shift


def modes(*centres: float, count: int = 100, seed: int = 0) -> Tensor:
    """`count` rows of 8 features around each centre."""
    chance = torch.Generator().manual_seed(seed)
    return torch.cat([torch.randn(count, 8, generator=chance) + centre for centre in centres])


def by_eigenvalues(first: Tensor, second: Tensor) -> float:
    """The formula as it is written: Tr (S1 S2)^(1/2) by the eigenvalues of the product."""
    x, y = first.double().numpy(), second.double().numpy()
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * root


SIZES = [(20, 30, 48), (300, 200, 12), (20, 300, 48), (300, 20, 48), (33, 32, 32), (2, 2, 5)]  # n1, n2, d


@pytest.mark.parametrize(("n1", "n2", "size"), SIZES)
def test_fid_is_the_formula(n1, n2, size):
    first, second = rows(n1, size, 1), rows(n2, size, 2, shift=0.3)
    assert frechet_distance(fit(first), fit(second)) == pytest.approx(by_eigenvalues(first, second), rel=1e-6)


@pytest.mark.parametrize(("n1", "n2", "size"), SIZES[:4])
def test_fid_is_pytorch_fids(n1, n2, size):
    theirs = pytest.importorskip("pytorch_fid.fid_score")
    first, second = rows(n1, size, 1), rows(n2, size, 2, shift=0.3)
    moments = [value for x in (first, second) for value in (x.double().mean(0).numpy(), np.cov(x.double().T.numpy()))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            expected = theirs.calculate_frechet_distance(*moments)
        except TypeError:
            pytest.skip("pytorch-fid 0.3.0 needs the argument `disp` of sqrtm, which SciPy 1.18 removed")
    assert frechet_distance(fit(first), fit(second)) == pytest.approx(expected, rel=1e-6)


def test_equal_covariances_give_the_squared_distance_of_the_means():
    first, shift = rows(100, 16).double(), torch.linspace(-1, 2, 16).double()
    assert frechet_distance(fit(first), fit(first + shift)) == pytest.approx(float(shift.square().sum()), rel=1e-9)


def test_diagonal_covariances_give_the_squared_distance_of_the_deviations():
    means, deviations = torch.randn(2, 10).double(), torch.rand(2, 10).double() + 0.1
    first, second = (from_covariance(m, torch.diag(s.square())) for m, s in zip(means, deviations, strict=True))
    expected = (means[0] - means[1]).square().sum() + (deviations[0] - deviations[1]).square().sum()
    assert frechet_distance(first, second) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("count", [10, 200])
def test_the_distance_to_itself_is_nothing_and_order_does_not_matter(count):
    first, second = fit(rows(count, 24, 1)), fit(rows(150, 24, 2))
    assert abs(frechet_distance(first, first)) < 1e-3
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first), rel=1e-9)
    assert frechet_distance(first, second) > 0.1


@pytest.mark.parametrize("count", [10, 200])
def test_fit_from_covariance_and_moments_are_one_distribution(count):
    features = rows(count, 24) + 5
    moments = Moments()
    for part in features.split(7):
        moments.add(part)
    assert moments.count == count
    mean, covariance = features.double().mean(0), torch.cov(features.double().T)
    other = fit(rows(50, 24, 3))
    expected = frechet_distance(fit(features), other)
    for same in (fit(features), moments.gaussian(), from_covariance(mean, covariance)):
        assert torch.allclose(same.mean, mean, rtol=1e-9)
        assert torch.allclose(same.covariance, covariance, rtol=1e-9, atol=1e-9)
        assert abs(frechet_distance(same, fit(features))) < 1e-5
        assert frechet_distance(same, other) == pytest.approx(expected, rel=1e-6)


def test_a_covariance_with_a_slightly_negative_eigenvalue_is_taken():
    covariance = torch.diag(torch.tensor([1.0, -1e-9]))
    assert frechet_distance(*[from_covariance(torch.zeros(2), covariance)] * 2) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("covariance", "fragment"),
    [
        ([[1.0, 0.5], [0.1, 1.0]], "not symmetric"),
        ([[1.0, 0.0], [0.0, -0.1]], "negative eigenvalue, -0.1"),
        ([[1.0, 2.0], [2.0, 1.0]], "negative eigenvalue, -1"),
        ([[-1.0, 0.0], [0.0, -1.0]], "negative eigenvalue, -1"),
    ],
)
def test_what_is_no_covariance_is_refused(refuses, covariance, fragment):
    with refuses(fragment):
        from_covariance(torch.zeros(2), torch.tensor(covariance))


def test_the_covariance_of_equal_pictures_is_one_in_spite_of_rounding():
    moments, features = Moments(), rows(1, 40).mul(3).expand(100, -1)
    moments.add(features)
    assert diversity(fit(rows(30, 40)), moments.gaussian()) is None
    assert diversity(fit(rows(30, 40)), fit(features)) is None
    assert diversity(fit(features), fit(rows(30, 40))) == pytest.approx(0, abs=1e-6)


def test_what_is_no_distribution_is_refused(refuses):
    broken = rows(10, 4)
    broken[3, 2] = float("nan")
    with refuses("at least 2 pictures", "not 1"):
        fit(rows(1, 4))
    with refuses("at least 2 pictures", "not 0"):
        Moments().gaussian()
    for count in (3, 10):  # fewer rows than features, and more
        with refuses("contain NaN or infinity"):
            fit(broken[10 - count :, :] if count == 10 else broken[2:5])
    moments = Moments()
    moments.add(broken)
    with refuses("contain NaN or infinity"):
        moments.gaussian()
    with refuses("contain NaN or infinity"):
        from_covariance(torch.zeros(2), torch.full((2, 2), torch.inf))
    for mean, covariance in (((2,), (3, 3)), ((2,), (2,)), ((), ()), ((1, 2), (2, 2))):
        with refuses("do not match"):
            from_covariance(torch.zeros(mean), torch.zeros(covariance))


def test_features_of_two_networks_are_not_compared(refuses):
    first, second = rows(10, 4), rows(10, 5)
    with refuses("4 features", "5"):
        frechet_distance(fit(first), fit(second))
    with refuses("4 features", "5"):
        kernel_distance(first, second)
    with refuses("4 features", "5"):
        precision_and_recall(first, second)


def test_a_gaussian_is_its_mean_and_a_factor_of_its_covariance():
    factor = rows(3, 5).double()
    assert torch.equal(Gaussian(torch.zeros(5), factor).covariance, factor.T @ factor)


def test_diversity_is_a_ratio_of_distances_between_pictures():
    real, fake = torch.randn(40, 6), 3 * torch.randn(30, 6) + 5
    distances = [torch.pdist(rows.double()).square().mean().sqrt() for rows in (fake, real)]
    assert diversity(fit(fake), fit(real)) == pytest.approx(float(distances[0] / distances[1]))
    assert diversity(fit(fake[:1].repeat(9, 1)), fit(real)) < 1e-6  # one and the same picture


class Largest(TorchDispatchMode):
    """Records the number of values in the largest tensor that is computed."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.size = max([self.size, *(each.numel() for each in tree_leaves(result) if isinstance(each, Tensor))])
        return result


@pytest.mark.parametrize("figures", [kernel_distance, precision_and_recall])
def test_many_rows_are_compared_a_part_at_a_time_with_the_same_result(figures, monkeypatch):
    first, second = modes(0, count=400), torch.cat([modes(0.5, count=250, seed=1), modes(0, count=50)])
    whole = figures(first, second)
    monkeypatch.setattr(fid, "ROWS", 70)
    with Largest() as largest:
        assert figures(first, second) == pytest.approx(whole, rel=1e-12)
    assert largest.size < len(first) * len(second) / 2


class TestKernelDistance:
    def test_two_halves_of_one_set_are_at_no_distance(self):
        first, second = rows(600, 16).chunk(2)
        value, deviation = kernel_distance(first, second)
        assert deviation > 0 and abs(value) < 2 * deviation

    def test_other_features_are_further_the_more_they_differ(self):
        first = rows(300, 16)
        near, far = (kernel_distance(first, rows(300, 16, 5, shift))[0] for shift in (0.3, 1.0))
        assert 0 < near < far

    def test_its_mean_is_the_unbiased_estimate_of_all_rows(self):
        first, second = rows(40, 8, 1).double(), rows(30, 8, 2, 0.5).double()
        same = []
        for x in (first, second):
            kernels = (x @ x.T / 8 + 1) ** 3
            same.append((kernels.sum() - kernels.trace()) / (len(x) * (len(x) - 1)))
        expected = float(sum(same) - 2 * ((first @ second.T / 8 + 1) ** 3).mean())
        value, deviation = kernel_distance(first, second)
        assert value == pytest.approx(expected, abs=4 * deviation / 100**0.5)
        assert kernel_distance(second, first)[0] == pytest.approx(expected, abs=4 * deviation / 100**0.5)

    def test_the_same_number_again(self):
        first, second = rows(100, 8, 1), rows(80, 8, 2)
        before = torch.get_rng_state()
        assert kernel_distance(first, second) == kernel_distance(first, second)
        assert torch.equal(before, torch.get_rng_state())

    def test_too_few_rows_are_refused(self, refuses):
        with refuses("at least 4 pictures", "not 3"):
            kernel_distance(rows(10, 4), rows(3, 4))
        assert len(kernel_distance(rows(10, 4), rows(4, 4))) == 2


class TestPrecisionAndRecall:
    def test_a_lost_mode_costs_recall_only(self):
        real, fake = modes(-20, 20), modes(-20, 20, seed=1)
        before, after = precision_and_recall(real, fake), precision_and_recall(real, fake[:100])
        assert abs(after[0] - before[0]) < 0.1 and before[0] > 0.7
        assert after[1] == pytest.approx(before[1] / 2, abs=0.1) and before[1] > 0.7

    def test_junk_costs_precision_only(self):
        real, fake = modes(-20, 20), modes(-20, 20, seed=1)
        before = precision_and_recall(real, fake)
        after = precision_and_recall(real, torch.cat([fake, modes(500, count=200)]))
        assert after[0] == before[0] / 2 and after[1] == before[1] > 0.8

    def test_equal_pictures_are_near_each_other(self):
        equal = torch.randn(1, 200, generator=torch.Generator().manual_seed(0)).expand(52, -1)
        assert precision_and_recall(equal, equal.clone()) == (1, 1)
        doubled = rows(30, 200).repeat(4, 1)
        assert precision_and_recall(doubled, doubled.flip(0)) == (1, 1)

    def test_it_is_counted_as_the_paper_says(self):
        real, fake = modes(0, count=30), modes(0.5, count=25, seed=1)

        def share_near(points: Tensor, support: Tensor) -> float:
            hits = 0
            for point in points.double():
                for centre in support.double():
                    radius = (support.double() - centre).norm(dim=1).sort().values[3]
                    if (point - centre).norm() <= radius:
                        hits += 1
                        break
            return hits / len(points)

        assert precision_and_recall(real, fake) == pytest.approx((share_near(fake, real), share_near(real, fake)))
        assert precision_and_recall(real, real) == (1, 1)

    def test_too_few_rows_are_refused(self, refuses):
        with refuses("at least 4 pictures"):
            precision_and_recall(rows(10, 4), rows(3, 4))
        assert len(precision_and_recall(rows(4, 4), rows(4, 4))) == 2
