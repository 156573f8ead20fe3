"""The oracles against Bayes' rule, integrated over the data."""

import math

import numpy as np
import pytest
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, rectified

DATA = np.linspace(-12, 12, 48001)


def posterior_mean(x, rates, density):
    weight = density * np.exp(-((x - rates.alpha * DATA) ** 2) / (2 * rates.sigma**2))
    return (weight * DATA).sum() / weight.sum()


def normal(mean, variance):
    return np.exp(-((DATA - mean) ** 2) / (2 * variance)) / math.sqrt(variance)


@pytest.mark.parametrize("schedule", [cosine(), rectified(), karras(0.1, 3.0)])
@pytest.mark.parametrize("t", [0.3, 0.8])
def test_both_are_the_conditional_mean_of_the_data(schedule, t):
    x, rates = np.array([-1.3, 0.2, 2.0]), schedule(t)
    gaussian = [posterior_mean(each, rates, normal(0.7, 0.3)) for each in x]
    np.testing.assert_allclose(GaussianOracle(schedule, 0.7, 0.3)(x, t), gaussian, rtol=1e-6)
    density = 0.2 * normal(-2.0, 0.3) + 0.5 * normal(0.5, 0.1) + 0.3 * normal(1.5, 0.7)
    oracle = MixtureOracle(schedule, (-2.0, 0.5, 1.5), (0.3, 0.1, 0.7), (0.2, 0.5, 0.3))
    np.testing.assert_allclose(oracle(x, t), [posterior_mean(each, rates, density) for each in x], rtol=1e-6)


def test_the_defaults():
    x = np.array([[-1.3, 0.2]])
    assert (GaussianOracle(cosine())(x, 0.5) == GaussianOracle(cosine(), 0.0, 1.0)(x, 0.5)).all()
    same = MixtureOracle(cosine(), (-1.0, 0.5), (0.05, 0.1), (0.4, 0.6))
    assert (MixtureOracle(cosine())(x, 0.5) == same(x, 0.5)).all()


def test_far_away_the_nearest_mode_decides():
    oracle = MixtureOracle(rectified(), (-1.0, 1.0), (0.01, 0.01), (0.5, 0.5))
    x = np.array([[1e4, -1e3]])
    one = [GaussianOracle(rectified(), mean, 0.01)(x, 0.5)[0, k] for k, mean in enumerate((1.0, -1.0))]
    np.testing.assert_allclose(oracle(x, 0.5)[0], one, rtol=1e-12)


def test_the_probability_flow_keeps_the_standard_score_of_each_point():
    oracle, schedule = GaussianOracle(cosine(), 0.7, 0.3), cosine()
    x, (now, then) = np.array([1.5]), (schedule(0.9), schedule(0.2))
    deviations = [math.sqrt(r.alpha**2 * 0.3 + r.sigma**2) for r in (now, then)]
    expected = then.alpha * 0.7 + deviations[1] * (1.5 - now.alpha * 0.7) / deviations[0]
    np.testing.assert_allclose(oracle.probability_flow(x, 0.9, 0.2), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianOracle(cosine(), variance=0), "variance must be > 0, got 0"),
        (
            lambda: MixtureOracle(cosine(), (1, 2), (1,), (1,)),
            r"means, variances and weights must have equal lengths, got \(2, 1, 1\)",
        ),
        (lambda: MixtureOracle(cosine(), (1,), (1,), (0.5, 0.5)), r"means, .* must have equal lengths, got \(1, 1, 2\)"),
        (lambda: MixtureOracle(cosine(), variances=(0, 1)), r"variances must be > 0, got \(0, 1\)"),
        (lambda: MixtureOracle(cosine(), weights=(0, 1)), r"weights must be > 0 and sum to one, got \(0, 1\)"),
        (lambda: MixtureOracle(cosine(), weights=(0.5, 0.6)), r"weights must be > 0 and sum to one, got \(0.5, 0.6\)"),
        (lambda: MixtureOracle(cosine(), weights=(0.5, 0.4)), r"weights must be > 0 and sum to one, got \(0.5, 0.4\)"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_the_ends_of_the_ranges_are_accepted():
    assert GaussianOracle(cosine(), variance=0.5)
    assert MixtureOracle(cosine(), variances=(0.5, 0.5), weights=(0.5, 0.5 + 1e-10))
