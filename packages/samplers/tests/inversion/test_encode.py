"""DDIM inversion against its equations, and round trips."""

import numpy as np
import pytest
from diffkit_samplers import (
    ddim,
    encode,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, linear_betas, offset_cosine, rectified

X0 = np.array([[1.0, -3.0]])


@pytest.mark.parametrize("schedule", [rectified(), offset_cosine()])
def test_many_rounds_invert_ddim_exactly(schedule):
    def near(x, t):
        return 0.8 * x + 0.1

    x = encode(near, schedule, X0, spacing=[0.8, 0.6, 0.4, 0.2], rounds=200)
    np.testing.assert_allclose(ddim(near, schedule, x, spacing=[0.8, 0.6, 0.4, 0.2]), X0, rtol=1e-9)


def linear(x, t):
    """Small enough for rounds to converge to the step's exact answer."""
    return 0.2 * t * x + 0.1


@pytest.mark.parametrize("rounds", [1, 2])
def test_rounds_are_fixed_point_iterations(rounds):
    seen = []

    def denoise(x, t):
        seen.append(t)
        return linear(x, t)

    found = encode(denoise, rectified(), X0, spacing=[0.9, 0.5, 0.2], rounds=rounds)
    assert seen == [0.5] * rounds + [0.9] * rounds
    x = 0.5 * X0
    for _ in range(rounds):
        estimate = linear(x, 0.5)
        x = x + 0.5 * (X0 - estimate)
    x_s, b = x, 0.5 / 0.9
    a = 0.5 - b * 0.1
    x = 0.1 * estimate + 0.9 * (x_s - 0.5 * estimate) / 0.5
    for _ in range(rounds):
        x = (x_s - a * linear(x, 0.9)) / b
    np.testing.assert_allclose(found, x, rtol=1e-12)


def test_evaluations_are_at_the_times_of_the_grid_on_this_schedule():
    seen, table = [], linear_betas(10, end=0.9)

    def denoise(x, t):
        seen.append(t)
        return linear(x, t)

    encode(denoise, table, X0, steps=3, spacing="leading")
    assert seen == [0.1, 0.4, 0.7]


def test_defaults_are_twenty_uniform_steps_of_one_round():
    seen = []

    def denoise(x, t):
        seen.append(t)
        return linear(x, t)

    encode(denoise, rectified(), X0)
    assert seen == [pytest.approx(k / 20) for k in range(1, 21)]
    with pytest.raises(ValueError, match=r"^rounds must be at least 1, got 0$"):
        encode(linear, rectified(), X0, rounds=0)


rng = np.random.default_rng(0)


SCHEDULES = [cosine(), offset_cosine(), rectified(), linear_betas()]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_the_error_of_a_round_trip_falls_with_steps_and_rounds(schedule):
    oracle = MixtureOracle(schedule)
    x0 = np.concatenate([0.2 * rng.standard_normal((20, 1)) - 1, 0.3 * rng.standard_normal((30, 1)) + 0.5])

    def error(steps, rounds=1):
        x = encode(oracle, schedule, x0, steps=steps, rounds=rounds)
        return np.sqrt(((ddim(oracle, schedule, x, steps=steps) - x0) ** 2).mean())

    errors = [error(steps) for steps in (10, 20, 50, 100, 200)]
    assert errors == sorted(errors, reverse=True)
    if schedule(0.0).sigma == 0:
        assert errors[-1] < 1e-3
    assert error(200, rounds=4) < errors[-1] / 1.5


def test_encoded_data_is_standard_normal():
    oracle = GaussianOracle(cosine(), mean=0.5, variance=0.25)
    x0 = 0.5 + 0.5 * rng.standard_normal((2000, 1))
    x = encode(oracle, cosine(), x0, steps=100)
    assert x.mean() == pytest.approx(0, abs=0.08)
    assert x.std() == pytest.approx(1, abs=0.08)
    np.testing.assert_allclose(x, oracle.probability_flow(x0, 0.0, 1.0), atol=0.08)
