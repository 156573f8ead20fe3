"""DEIS against the integral of the paper, by quadrature."""

import numpy as np
import pytest
from diffkit_samplers import Estimate, trajectory
from diffkit_samplers.multistep import level
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine

POINTS, MASSES = np.polynomial.legendre.leggauss(60)


@pytest.mark.parametrize(("method", "order"), [("deis_2", 2), ("deis", 3)])
@pytest.mark.parametrize("kept", [False, True])
def test_eps_is_a_polynomial_in_log_rho_through_the_last_estimates(kept, method, order):
    schedule, times = cosine(), [0.95, 0.8, 0.72, 0.5, 0.4, 0.25]
    oracle, x, seen = MixtureOracle(schedule), np.random.default_rng(0).standard_normal((4, 1)), []

    def denoise(x, t):
        return Estimate(oracle(x, t), np.sin(9 * t) + 0 * x) if kept else oracle(x, t)

    for k, state in enumerate(trajectory(denoise, schedule, x, method=method, spacing=times)):
        now, then, x0 = schedule(times[k]), schedule(times[k + 1]), oracle(x, times[k])
        if kept:
            x = now.alpha * x0 + now.sigma * np.sin(9 * times[k])
        seen.append((level(now), (x - now.alpha * x0) / now.sigma))
        levels, values = zip(*seen[-order:], strict=True)
        begin, end = level(now), level(then)
        u = (begin + end) / 2 + (end - begin) / 2 * POINTS
        polynomial = sum(
            value * np.prod([(u - b) / (a - b) for b in levels if b != a], axis=0)[None]
            for a, value in zip(levels, values, strict=True)
        )
        change = (-np.exp(-u) * polynomial * MASSES).sum(axis=1, keepdims=True) * (end - begin) / 2  # of x / alpha
        x = then.alpha * (x / now.alpha + change)
        np.testing.assert_allclose(state.x, x, rtol=1e-9, atol=1e-12)
