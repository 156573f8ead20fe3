"""DPM-Solver++(2M) against the paper, and its order."""

import math
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import (
    Estimate,
    trajectory,
)
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine, rectified


def log_snr(t):
    return 2 * math.log((1 - t) / t)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("method", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_x0_is_extrapolated_in_log_snr(method, eta, ddim_step, new_noise, half, initial, times):
    x, last, source = initial, None, new_noise()
    for k, state in enumerate(trajectory(half, rectified(), initial, method=method, eta=eta, spacing=times, noise=new_noise())):
        t, s = times[k], times[k + 1]
        x0 = half(x, t)
        ahead = x0
        if last is not None:
            ratio = (log_snr(s) - log_snr(t)) / (2 * (log_snr(t) - log_snr(times[k - 1])))
            ahead = x0 + ratio * (x0 - last)
        x, last = ddim_step(x, ahead, t, s, source(x.shape) if eta else 0.0, eta), x0
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


EPS = np.array([[0.3, -0.1], [1.0, 2.0]])


def test_a_kept_eps_is_used_with_an_extrapolated_x0(ddim_step, half, initial, times):
    x, last = initial, None
    for state, (t, s) in zip(
        trajectory(lambda x, t: Estimate(half(x, t), EPS), rectified(), initial, method="dpmpp_2m", spacing=times),
        pairwise(times),
        strict=True,
    ):
        x0 = half(x, t)
        ratio = 0.0 if last is None else (log_snr(s) - log_snr(t)) / (2 * (log_snr(t) - log_snr(last[0])))
        ahead = x0 if last is None else x0 + ratio * (x0 - last[1])
        x, last = ddim_step((1 - t) * x0 + t * EPS, ahead, t, s), (t, x0)
        np.testing.assert_allclose(state.x, x, rtol=1e-12)


def test_the_step_is_ddims_after_pure_noise_to_clean_data_and_after_equal_levels(half, initial):
    def bounded(t):
        return rectified()(min(t, 0.6))

    for schedule, times in ((rectified(), [1.0, 0.6, 0.0]), (bounded, [0.9, 0.7, 0.3])):
        found = [state.x for state in trajectory(half, schedule, initial, method="dpmpp_2m", spacing=times)]
        expected = [state.x for state in trajectory(half, schedule, initial, method="ddim", spacing=times)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


rng = np.random.default_rng(0)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_dpmpp_2m_is_the_papers(eta):
    schedule, times = cosine(), [0.8, 0.65, 0.4]
    oracle, x, draws = MixtureOracle(schedule), rng.standard_normal((4, 1)), rng.standard_normal((2, 4, 1))
    remaining = iter(draws)
    noise = lambda shape: next(remaining)  # noqa: E731
    states = list(trajectory(oracle, schedule, x, method="dpmpp_2m", eta=eta, spacing=times, noise=noise))
    rates = [schedule(t) for t in times]
    log_ratio = [r.log_snr / 2 for r in rates]
    expected, old = x, None
    for k in range(2):
        h = log_ratio[k + 1] - log_ratio[k]
        x0 = oracle(expected, times[k])
        d = x0 if old is None else x0 + 0.5 * h / (log_ratio[k] - log_ratio[k - 1]) * (x0 - old)
        alpha, sigma = rates[k + 1]
        decay = math.exp(-h) if eta else 1.0
        expected = (
            sigma / rates[k].sigma * decay * expected
            - alpha * math.expm1(-2 * h if eta else -h) * d
            + (sigma * math.sqrt(-math.expm1(-2 * h)) * draws[k] if eta else 0)
        )
        old = x0
        np.testing.assert_allclose(states[k].x, expected, rtol=1e-9, atol=1e-12)
