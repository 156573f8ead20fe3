"""Encoding by the equations of its steps."""

import numpy as np
import pytest
from diffkit_samplers import ddim, encode
from diffkit_schedules import offset_cosine, rectified

X0 = np.array([[1.0, -3.0]])


def linear(x, t):
    """Small enough for rounds to converge to the step's exact answer."""
    return 0.2 * t * x + 0.1


@pytest.mark.parametrize("schedule", [rectified(), offset_cosine()])
def test_with_many_rounds_it_is_ddim_turned_round(schedule):
    def near(x, t):
        return 0.8 * x + 0.1

    x = encode(near, schedule, X0, spacing=[0.8, 0.6, 0.4, 0.2], rounds=200)
    np.testing.assert_allclose(ddim(near, schedule, x, spacing=[0.8, 0.6, 0.4, 0.2]), X0, rtol=1e-9)


@pytest.mark.parametrize("rounds", [1, 2])
def test_its_rounds_are_the_fixed_point_s(rounds):
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


def test_it_has_twenty_uniform_steps_of_one_round():
    seen = []

    def denoise(x, t):
        seen.append(t)
        return linear(x, t)

    encode(denoise, rectified(), X0)
    assert seen == [pytest.approx(k / 20) for k in range(1, 21)]
    with pytest.raises(ValueError, match=r"^rounds must be at least 1, got 0$"):
        encode(linear, rectified(), X0, rounds=0)
