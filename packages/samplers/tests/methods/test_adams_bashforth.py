"""Adams-Bashforth against the integral of a polynomial: of the velocity on the straight path, and of eps in sigma / alpha."""

import numpy as np
import pytest
from diffkit_samplers import Estimate, trajectory
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine


@pytest.mark.parametrize(("method", "order"), [("ab_2", 2), ("ab_3", 3), ("lms_3", 3), ("lms", 4)])
@pytest.mark.parametrize("kept", [False, True])
def test_the_slope_is_a_polynomial_through_its_last_values(kept, method, order):
    schedule, times = cosine(), [1.0, 0.8, 0.72, 0.5, 0.4, 0.25, 0.0]
    oracle, x, seen = MixtureOracle(schedule), np.random.default_rng(0).standard_normal((4, 1)), []
    straight = method.startswith("ab")  # y = x / (alpha + sigma), dy / du = eps - x0; else y = x / alpha, dy / d rho = eps

    def scale(rates):
        return rates.alpha + straight * rates.sigma

    def denoise(x, t):
        return Estimate(oracle(x, t), np.sin(9 * t) + 0 * x) if kept else oracle(x, t)

    for k, state in enumerate(trajectory(denoise, schedule, x, method=method, spacing=times)):
        now, then, x0 = schedule(times[k]), schedule(times[k + 1]), oracle(x, times[k])
        eps = np.sin(9 * times[k]) + 0 * x if kept else (x - now.alpha * x0) / now.sigma
        x = now.alpha * x0 + now.sigma * eps
        if scale(now) == 0:  # no signal: DDIM's step
            x = then.alpha * x0 + then.sigma * eps
        else:
            u, end = (rates.sigma / scale(rates) for rates in (now, then))
            seen.append((u, eps - straight * x0))
            at, slopes = (np.array(each) for each in zip(*seen[-order:], strict=True))
            polynomial = np.polynomial.polynomial.polyfit(at, slopes[:, :, 0], len(at) - 1)
            points = np.linspace(u, end, 3)  # Simpson's rule: exact up to cubics
            values = np.polynomial.polynomial.polyval(points, polynomial)
            mean = (values @ np.array([1, 4, 1]) / 6)[:, None]
            x = (x / scale(now) + (end - u) * mean) * scale(then)
        np.testing.assert_allclose(state.x, x, rtol=1e-9, atol=1e-12)
