"""Ancestral steps: DPM-Solver++(2S) as k-diffusion has it, EDM's churn, and the accuracy of the distribution."""

import math
from itertools import pairwise

import numpy as np
import pytest
from diffkit_samplers import ddim, dpmpp_2s_ancestral, heun, heun_churn, sampler, seeded, trajectory
from diffkit_samplers.ancestral import ancestral
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import karras, offset_cosine, rectified, times_of

X = 5 * np.random.default_rng(0).standard_normal((4, 1))
Z = np.random.default_rng(1).standard_normal((4, 1))


def time_of(sigma):
    return times_of(karras(), [-2 * math.log(sigma)])[0]


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("schedule", [karras(), rectified()], ids=lambda s: type(s).__name__)
def test_with_a_ddim_step_it_is_ddim(schedule, eta):
    method = sampler(eta=eta)(lambda x, step: ancestral(lambda x, step: step.advance(x), x, step))
    times = [0.8, 0.6, 0.5]
    runs = [
        [
            state.x
            for state in trajectory(MixtureOracle(schedule), schedule, X, method=m, eta=eta, spacing=times, noise=lambda _: Z)
        ]
        for m in (ddim, method)
    ]
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-9)


def test_dpmpp_2s_ancestral_is_that_of_k_diffusion():
    high, low = 4.0, 2.5
    oracle = MixtureOracle(karras())
    (state,) = trajectory(
        oracle, karras(), X, method=dpmpp_2s_ancestral, spacing=[time_of(high), time_of(low)], noise=lambda _: Z
    )
    up = math.sqrt(low**2 * (high**2 - low**2) / high**2)
    down = math.sqrt(low**2 - up**2)
    middle = math.sqrt(high * down)
    x0 = oracle(X, time_of(high))
    x_middle = middle / high * X + (1 - middle / high) * x0
    expected = down / high * X + (1 - down / high) * oracle(x_middle, time_of(middle)) + up * Z
    np.testing.assert_allclose(state.x, expected, rtol=1e-9)


def test_heun_churn_is_edms():
    """Algorithm 2, from the noised level on: a Heun step to the next level of its grid, and the noise of the next gamma."""
    noised, reached, gamma = 4.0, 2.0, 0.3
    low = reached * (1 + gamma)
    oracle = MixtureOracle(karras())
    eta = math.sqrt((1 - (reached / low) ** 2) / (1 - (low / noised) ** 2))
    options = {"eta": eta, "spacing": [time_of(noised), time_of(low)], "noise": lambda _: Z}
    (state,) = trajectory(oracle, karras(), X, method=heun_churn, **options)
    slope = (X - oracle(X, time_of(noised))) / noised
    x = X + (reached - noised) * slope
    x = X + (reached - noised) * (slope + (x - oracle(x, time_of(reached))) / reached) / 2
    np.testing.assert_allclose(state.x, x + math.sqrt(low**2 - reached**2) * Z, rtol=1e-6)


@pytest.mark.parametrize("method", [heun_churn, dpmpp_2s_ancestral])
def test_the_variance_of_samples_has_an_error_of_second_order(method):
    """On N(0, v) every step is linear, so the variance is followed exactly: that of x without noise, and what each noise adds."""

    def variance(steps):
        schedule, times = karras(), [0.7 - 0.5 * k / steps for k in range(steps + 1)]
        oracle, total = GaussianOracle(schedule, variance=4.0), 4.0 + schedule(0.7).sigma ** 2
        for pair in pairwise(times):
            options = {"method": method, "eta": 1.0, "spacing": list(pair)}
            (kept,) = trajectory(oracle, schedule, np.ones(1), noise=np.zeros, **options)
            (added,) = trajectory(oracle, schedule, np.zeros(1), noise=np.ones, **options)
            total = float(kept.x[0]) ** 2 * total + float(added.x[0]) ** 2
        return abs(total - (4.0 + schedule(times[-1]).sigma ** 2))

    assert math.log(variance(20) / variance(80), 4) == pytest.approx(2, abs=0.2)


def test_eta_zero_is_the_deterministic_method():
    oracle = GaussianOracle(rectified())
    found = [m(oracle, rectified(), X, steps=6, eta=0.0) for m in (heun_churn, heun)]
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize("method", [heun_churn, dpmpp_2s_ancestral])
def test_where_the_schedule_ends_above_the_level_the_noise_is_less(method):
    oracle, source = GaussianOracle(offset_cosine(), 0.5, 0.25), seeded(range(4))
    samples = method(oracle, offset_cosine(), source((4, 2000)), steps=6, noise=source)
    assert samples.mean() == pytest.approx(0.5, abs=0.05)
    assert samples.std() < 0.5
