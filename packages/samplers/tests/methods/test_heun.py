"""Heun's method against the paper, and its order."""

import math

import numpy as np
import pytest
from diffkit_samplers import (
    heun,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, linear, offset_cosine, rectified, sigmoid

X = np.array([[1.0, -3.0], [0.5, 2.0]])


def half(x, t):
    return 0.5 * x * t


TIMES = [0.9, 0.6, 0.3, 0.2]


@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_each_step_uses_the_mean_of_eps_at_both_ends(eta, ddim_step, new_noise):
    x, source = X, new_noise()
    for k, state in enumerate(trajectory(half, rectified(), X, method="heun", eta=eta, spacing=TIMES, noise=new_noise())):
        t, s = TIMES[k], TIMES[k + 1]
        x0 = half(x, t)
        ahead = half(ddim_step(x, x0, t, s), s)
        weight = min((1 - s) * t / (2 * (1 - t) * s), 1)
        x = ddim_step(x, (1 - weight) * x0 + weight * ahead, t, s, source(x.shape) if eta else 0.0, eta)
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


def test_from_pure_noise_the_second_estimate_counts_and_to_clean_data_the_first():
    seen = []

    def looked(x, t):
        seen.append(t)
        return half(x, t)

    first, last = trajectory(looked, rectified(), X, method="heun", steps=2)
    ahead = half(0.5 * half(X, 1.0) + 0.5 * X, 0.5)
    np.testing.assert_allclose(first.x, 0.5 * ahead + 0.5 * X, rtol=1e-12)
    np.testing.assert_allclose(last.x, half(first.x, 0.5), rtol=1e-12)
    assert seen == [1.0, 0.5, 0.5]


rng = np.random.default_rng(0)


def test_heun_is_the_papers():
    schedule = karras()
    oracle, x = MixtureOracle(schedule), 3 * rng.standard_normal((4, 1))
    t, s = 0.6, 0.52  # sigma falls by less than half
    high, low = schedule(t).sigma, schedule(s).sigma
    slope = (x - oracle(x, t)) / high
    ahead = x + (low - high) * slope
    expected = x + (low - high) * (slope + (ahead - oracle(ahead, s)) / low) / 2
    (state,) = trajectory(oracle, schedule, x, method="heun", spacing=[t, s])
    np.testing.assert_allclose(state.x, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "spacing", "order"),
    [
        (karras(), "uniform", 2),
        (rectified(), "uniform", 2),
        (linear(), "karras", 2),
        (cosine(), "log_snr", 2),
        (offset_cosine(), "uniform", 1),
        (sigmoid(), "uniform", 1),
    ],
    ids=str,
)
def test_order_on_a_grid_to_clean_data_is_the_documented_one(schedule, spacing, order):
    x, errors = schedule(1.0).sigma * np.linspace(-2, 2, 9)[:, None], []
    for steps in (64, 256):
        found = []
        for variance in (0.04, 0.25, 4.0):
            oracle = GaussianOracle(schedule, 0.5, variance)
            found.append(heun(oracle, schedule, x, steps=steps, spacing=spacing) - oracle(oracle.flow(x, 1.0, 0.0), 0.0))
        errors.append(np.sqrt(np.square(found).sum()))
    assert math.log(errors[0] / errors[1], 4) == pytest.approx(order, abs=0.2)
