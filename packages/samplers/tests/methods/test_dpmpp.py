"""DPM-Solver++(2M) against the paper, and its order."""

import math

import numpy as np
import pytest
from diffkit_samplers import (
    trajectory,
)
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine, rectified

X = np.array([[1.0, -3.0], [0.5, 2.0]])


def half(x, t):
    return 0.5 * x * t


def log_snr(t):
    return 2 * math.log((1 - t) / t)


TIMES = [0.9, 0.6, 0.3, 0.2]


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("method", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_x0_is_extrapolated_in_log_snr(method, eta, ddim_step, new_noise):
    x, last, source = X, None, new_noise()
    for k, state in enumerate(trajectory(half, rectified(), X, method=method, eta=eta, spacing=TIMES, noise=new_noise())):
        t, s = TIMES[k], TIMES[k + 1]
        x0 = half(x, t)
        ahead = x0
        if last is not None:
            ratio = (log_snr(s) - log_snr(t)) / (2 * (log_snr(t) - log_snr(TIMES[k - 1])))
            ahead = x0 + ratio * (x0 - last)
        x, last = ddim_step(x, ahead, t, s, source(x.shape) if eta else 0.0, eta), x0
        np.testing.assert_allclose(state.x, x, rtol=1e-12)
        np.testing.assert_allclose(state.x0, x0, rtol=1e-12)


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
