"""PiGDM and DPS against exact posteriors: of a Gaussian, where they are exact, and of a mixture, where they are not."""

import math

import numpy as np
import pytest
from diffkit_samplers import METHODS, clip, ddim, dps, pigdm, trajectory
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, rectified

rng = np.random.default_rng(0)
MEAN, VARIANCE = 0.4, 0.7
MATRICES = {
    "known pixels": np.eye(4)[:2],
    "average pooling": np.kron(np.eye(2), [[0.5, 0.5]]),
    "blur": np.eye(4) / 2 + np.eye(4, k=1) / 4 + np.eye(4, k=-1) / 4,
    "any": rng.standard_normal((3, 4)),
}
Y = np.array([[1.5, -0.5, 0.8, 0.1]])


def linear(matrix):
    return (lambda x: x @ matrix.T), {"transpose": lambda u: u @ matrix}


def posterior(matrix, sigma_y, rates=None, x=0.0):
    """Mean and covariance of x0 ~ N(MEAN, VARIANCE) given y and, with rates, x_t: Bayes' rule for Gaussians."""
    precision = np.eye(4) / VARIANCE + matrix.T @ matrix / sigma_y**2
    sums = MEAN / VARIANCE + Y[:, : len(matrix)] @ matrix / sigma_y**2
    if rates is not None:
        precision = precision + rates.alpha**2 / rates.sigma**2 * np.eye(4)
        sums = sums + rates.alpha / rates.sigma**2 * x
    covariance = np.linalg.inv(precision)
    return sums @ covariance, covariance


@pytest.mark.parametrize("schedule", [cosine(), rectified(), karras()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("sigma_y", [1e-3, 0.3])
@pytest.mark.parametrize("name", MATRICES)
def test_pigdm_is_the_exact_mean_for_a_gaussian(name, sigma_y, schedule):
    A, transpose = linear(MATRICES[name])
    oracle, y = GaussianOracle(schedule, MEAN, VARIANCE), Y[:, : len(MATRICES[name])]
    given = pigdm(oracle, schedule, A, y, sigma_y=sigma_y, variance=VARIANCE, **transpose)
    for t in (1.0, 0.9, 0.5, 0.1):  # at t = 1 rectified() has no signal
        x = schedule(t).sigma * rng.standard_normal((5, 4))
        np.testing.assert_allclose(given(x, t), posterior(MATRICES[name], sigma_y, schedule(t), x)[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", MATRICES)
def test_samples_have_the_posterior_mean_and_covariance(name):
    A, transpose = linear(MATRICES[name])
    oracle, y = GaussianOracle(cosine(), MEAN, VARIANCE), Y[:, : len(MATRICES[name])]
    given = pigdm(oracle, cosine(), A, y, sigma_y=0.5, variance=VARIANCE, **transpose)
    starts = np.concatenate([np.zeros((1, 4)), np.eye(4)])  # DDIM is linear here: these five starts determine its moments
    mean, *columns = ddim(given, cosine(), starts, steps=400)
    expected_mean, expected = posterior(MATRICES[name], 0.5)
    np.testing.assert_allclose(mean[None], expected_mean, atol=0.01)
    map_ = np.array(columns) - mean
    np.testing.assert_allclose(map_.T @ map_, expected, atol=0.01)


def test_a_measurement_without_noise_is_kept():
    A, transpose = linear(MATRICES["any"])
    given = pigdm(GaussianOracle(cosine(), MEAN, VARIANCE), cosine(), A, Y[:, :3], variance=VARIANCE, **transpose)
    samples = ddim(given, cosine(), rng.standard_normal((6, 4)), steps=20)
    np.testing.assert_allclose(A(samples), np.tile(Y[:, :3], (6, 1)), atol=1e-8)
    assert samples.std(axis=0).max() > 0.05, "what was not measured varies"


def mixture_posterior(sigma_y, y):
    """Mean and variance of one coordinate of MixtureOracle's data given y = x0 + sigma_y z, on a grid."""
    x0 = np.linspace(-4, 4, 20001)
    density = sum(
        w / math.sqrt(v) * np.exp(-((x0 - m) ** 2) / (2 * v)) for m, v, w in zip((-1, 0.5), (0.05, 0.1), (0.4, 0.6), strict=True)
    )
    density = density * np.exp(-((y - x0) ** 2) / (2 * sigma_y**2))
    density /= density.sum()
    mean = (density * x0).sum()
    return mean, (density * (x0 - mean) ** 2).sum()


def first_coordinate(**options):
    return pigdm(
        MixtureOracle(cosine()), cosine(), lambda x: x[:, :1], transpose=lambda u: np.concatenate([u, 0 * u], axis=1), **options
    )


@pytest.mark.parametrize(("y", "sigma_y"), [(0.6, 0.1), (0.6, 0.3), (-0.4, 0.3)])
def test_for_a_mixture_the_posterior_is_approximate(y, sigma_y):
    given = first_coordinate(y=np.array([[y]]), sigma_y=sigma_y, variance=0.62)
    samples = ddim(given, cosine(), rng.standard_normal((4000, 2)), steps=60, eta=1.0, noise=rng.standard_normal)
    mean, variance = mixture_posterior(sigma_y, y)
    assert samples[:, 0].mean() == pytest.approx(mean, abs=0.1), "-0.4 is between the modes: their weights are not exact"
    assert samples[:, 0].var() == pytest.approx(variance, rel=0.3)
    assert samples[:, 1].mean() == pytest.approx(-0.1, abs=0.05), "what was not measured keeps its distribution"
    assert samples[:, 1].var() == pytest.approx(0.62, rel=0.08)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_samples_the_posterior(method):
    A, transpose = linear(MATRICES["average pooling"])
    given = pigdm(GaussianOracle(cosine(), MEAN, VARIANCE), cosine(), A, Y[:, :2], variance=VARIANCE, **transpose)
    *_, last = trajectory(given, cosine(), rng.standard_normal((1, 4)), method=method, steps=30, noise=rng.standard_normal)
    np.testing.assert_allclose(A(last.x0), Y[:, :2], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d, A: pigdm(d, cosine(), A, Y, sigma_y=-0.1), "sigma_y, the standard deviation of y's noise, .* >= 0, got -0.1"),
        (lambda d, A: dps(d, cosine(), A, Y, sigma_y=math.nan), "sigma_y, the standard deviation of y's noise, .* >= 0, got nan"),
        (lambda d, A: pigdm(d, cosine(), A, Y, variance=0), "variance, that of the data, must be a number > 0, got 0"),
        (lambda d, A: pigdm(d, cosine(), A, Y, iterations=0), "iterations must be at least 1, got 0"),
        (lambda d, A: dps(d, cosine(), A, Y, scale=0.0), "scale must be > 0, got 0.0"),
        (
            lambda d, A: pigdm(d, cosine(), A, Y, transpose=lambda u: u)(np.ones((2, 4)), 0.5),
            r"y must fit A\(x0\)'s shape \(2, 2\), got \(1, 4\)",
        ),
        (
            lambda d, A: pigdm(d, cosine(), lambda x: x[0], Y, transpose=lambda u: u)(np.ones((2, 4)), 0.5),
            r"A must keep the batch axis of \(2, 4\), got \(4,\)",
        ),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(GaussianOracle(cosine()), lambda x: x[:, :2])


def test_numpy_needs_the_products_that_it_cannot_compute():
    oracle, x = GaussianOracle(cosine()), np.ones((1, 4))
    message = "^numpy arrays have no automatic differentiation: give {}, or use torch or JAX$"
    with pytest.raises(TypeError, match=message.format("transpose to pigdm")):
        pigdm(oracle, cosine(), lambda x: x, Y)(x, 0.5)
    with pytest.raises(TypeError, match=message.format(r"a denoise with a method vjp\(x_t, t\) -> \(x0, pullback\)")):
        pigdm(clip(oracle), cosine(), lambda x: x, Y, transpose=lambda u: u)(x, 0.5)
