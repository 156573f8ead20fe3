"""The log-likelihood against closed forms: of a Gaussian and a mixture, at the noise level of the grid's last time."""

import math

import numpy as np
import pytest
from diffkit_samplers import bits_per_dimension, grid, log_likelihood, seeded
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, linear_betas, offset_cosine, rectified

X = np.random.default_rng(0).standard_normal((6, 3))


def exact(oracle, x, t):
    """log p of the oracle's data with the noise of time t, in units of clean data."""
    alpha, sigma = oracle.schedule(t)
    means, variances, weights = (
        (oracle.means, oracle.variances, oracle.weights)
        if isinstance(oracle, MixtureOracle)
        else ((oracle.mean,), (oracle.variance,), (1.0,))
    )
    total = [variance + (sigma / alpha) ** 2 for variance in variances]
    densities = (
        w / np.sqrt(2 * np.pi * v) * np.exp(-((x - m) ** 2) / (2 * v)) for m, v, w in zip(means, total, weights, strict=True)
    )
    return np.log(sum(densities)).sum(axis=1)


def error(oracle, steps, **options):
    found = log_likelihood(oracle, oracle.schedule, X, steps=steps, probes=None, **options)
    return abs(found - exact(oracle, X, grid(oracle.schedule, steps, options.get("spacing", "uniform"))[-2])).max()


@pytest.mark.parametrize("spacing", ["uniform", "log_snr"])
@pytest.mark.parametrize("schedule", [cosine(), rectified()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("oracle", [GaussianOracle, MixtureOracle])
def test_it_converges_to_the_closed_form_at_second_order(oracle, schedule, spacing):
    data = oracle(schedule, 0.4, 0.3) if oracle is GaussianOracle else oracle(schedule)
    few, many = error(data, 40, spacing=spacing), error(data, 160, spacing=spacing)
    assert math.log(few / many) / math.log(4) > 1.8
    assert many < 0.015, "nats, in three dimensions"


@pytest.mark.parametrize("schedule", [karras(), linear_betas(), offset_cosine()], ids=lambda s: type(s).__name__)
def test_a_signal_that_is_left_at_the_first_time_limits_it(schedule):
    assert error(MixtureOracle(schedule), 160) < 0.03
    assert error(GaussianOracle(schedule, 0.4, 0.3), 160) < 0.07
    assert error(GaussianOracle(schedule), 5) < 1e-12, "N(0, 1) stays N(0, 1): exact in any number of steps"


class Rotated:
    """The mixture in other axes: its Jacobian is not diagonal."""

    def __init__(self):
        self.oracle = MixtureOracle(cosine())
        self.axes = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]

    def __call__(self, x, t):
        return self.oracle(x @ self.axes, t) @ self.axes.T

    def vjp(self, x, t):
        x0, pullback = self.oracle.vjp(x @ self.axes, t)
        return x0 @ self.axes.T, lambda u: pullback(u @ self.axes) @ self.axes.T


def test_probes_estimate_the_trace_without_bias():
    denoise, many = Rotated(), np.tile(X[:1], (2000, 1))
    expected = log_likelihood(denoise, cosine(), X[:1], steps=20, probes=None)[0]
    one, eight = (
        log_likelihood(denoise, cosine(), many, steps=20, probes=probes, noise=seeded(range(2000))) for probes in (1, 8)
    )
    assert one.mean() == pytest.approx(expected, abs=4 * one.std() / 2000**0.5)
    assert one.std() > 0.05
    assert eight.std() == pytest.approx(one.std() / 8**0.5, rel=0.15)
    again = log_likelihood(denoise, cosine(), many[:3], steps=20, noise=seeded(range(3)))
    assert (again == one[:3]).all(), "each sample depends on its seed alone"


def test_the_density_integrates_to_one():
    x = np.linspace(-4, 4, 801)[:, None]
    log_p = log_likelihood(MixtureOracle(cosine()), cosine(), x, steps=100, probes=None)
    assert np.exp(log_p).sum() * 0.01 == pytest.approx(1, abs=2e-3)


def test_bits_per_dimension():
    assert bits_per_dimension(np.array([-6 * math.log(2)]), 3).tolist() == pytest.approx([2.0])
    assert bits_per_dimension(0.0, 5, width=2 / 256) == pytest.approx(7.0)  # uniform in [-1, 1], 256 values: log p = -d log 2
    assert bits_per_dimension(-5 * math.log(2), 5, width=2 / 256) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probes": 0}, "probes must be at least 1, or None for the exact trace, got 0"),
        ({"steps": 1}, "the likelihood needs two times and noise at the last one before 0, t = 1: use more steps"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        log_likelihood(GaussianOracle(cosine()), cosine(), X, **options)


def test_half_precision_is_summed_in_float32():
    oracle, x = GaussianOracle(cosine(), 0.4, 0.3), X.astype(np.float16)
    found = log_likelihood(oracle, cosine(), x, steps=20, probes=None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, log_likelihood(oracle, cosine(), X, steps=20, probes=None), atol=0.1)
