"""Heun's method against the paper, and its order."""

import math
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import (
    Estimate,
    heun,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, linear, offset_cosine, rectified, sigmoid


@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_each_step_uses_the_mean_of_eps_at_both_ends(eta, ddim_step, new_noise, half, initial, times):
    x, source = initial, new_noise()
    for k, state in enumerate(trajectory(half, rectified(), initial, method="heun", eta=eta, spacing=times, noise=new_noise())):
        t, s = times[k], times[k + 1]
        x0 = half(x, t)
        ahead = half(ddim_step(x, x0, t, s), s)
        weight = min((1 - s) * t / (2 * (1 - t) * s), 1)
        x = ddim_step(x, (1 - weight) * x0 + weight * ahead, t, s, source(x.shape) if eta else 0.0, eta)
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


def test_from_pure_noise_the_second_estimate_counts_and_to_clean_data_the_first(half, initial):
    seen = []

    def recorded(x, t):
        seen.append(t)
        return half(x, t)

    first, last = trajectory(recorded, rectified(), initial, method="heun", steps=2)
    ahead = half(0.5 * half(initial, 1.0) + 0.5 * initial, 0.5)
    np.testing.assert_allclose(first.x, 0.5 * ahead + 0.5 * initial, rtol=1e-12)
    np.testing.assert_allclose(last.x, half(first.x, 0.5), rtol=1e-12)
    assert seen == [1.0, 0.5, 0.5]


EPS = np.array([[0.3, -0.1], [1.0, 2.0]])


def test_the_step_to_clean_data_uses_a_kept_eps_and_a_variance(new_noise, half, initial):
    now, then = offset_cosine()(0.5), offset_cosine()(0.0)
    tau = 1 - (now.alpha * then.sigma / (then.alpha * now.sigma)) ** 2
    options = {"method": "heun", "spacing": [0.5, 0.0]}
    (plain,) = trajectory(half, offset_cosine(), initial, **options)
    eps = (initial - now.alpha * half(initial, 0.5)) / now.sigma
    np.testing.assert_allclose(plain.x, then.alpha * half(initial, 0.5) + then.sigma * eps, rtol=1e-12)
    (kept,) = trajectory(lambda x, t: Estimate(half(x, t), EPS), offset_cosine(), initial, **options)
    np.testing.assert_allclose(kept.x, then.alpha * half(initial, 0.5) + then.sigma * EPS, rtol=1e-12)
    estimate = Estimate(half(initial, 0.5), EPS, 1.0)
    (large,) = trajectory(lambda x, t: estimate, offset_cosine(), initial, eta=1.0, noise=new_noise(), **options)
    noise = then.sigma * math.sqrt(1 - tau) * EPS + math.sqrt(tau) * now.sigma * new_noise()(initial.shape)
    np.testing.assert_allclose(large.x, then.alpha * half(initial, 0.5) + noise, rtol=1e-12)


def test_an_eps_kept_at_the_second_evaluation_moves_x_by_half_of_its_change(ddim_step, half, initial, times):
    x = initial
    for state, (t, s) in zip(
        trajectory(lambda x, t: Estimate(half(x, t), t * EPS), rectified(), initial, method="heun", spacing=times),
        pairwise(times),
        strict=True,
    ):
        x0 = half(x, t)
        start, reached = (1 - t) * x0 + t * t * EPS, (1 - s) * x0 + s * t * EPS
        ahead, weight = half(reached, s), min((1 - s) * t / (2 * (1 - t) * s), 1)
        implied = (reached - (1 - s) * ahead) / s
        x = ddim_step(start, (1 - weight) * x0 + weight * ahead, t, s) + 0.5 * s * (s * EPS - implied)
        np.testing.assert_allclose(state.x, x, rtol=1e-12)


rng = np.random.default_rng(0)


def test_heun_is_the_papers(half):
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
            found.append(
                heun(oracle, schedule, x, steps=steps, spacing=spacing) - oracle(oracle.probability_flow(x, 1.0, 0.0), 0.0)
            )
        errors.append(np.sqrt(np.square(found).sum()))
    assert math.log(errors[0] / errors[1], 4) == pytest.approx(order, abs=0.2)
