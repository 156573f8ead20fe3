"""Shared by the tests of methods: a denoiser and a state, the DDIM step as the paper writes it, and reproducible noise."""

import math

import numpy as np
import pytest


@pytest.fixture
def initial():
    """The state at the first of the times: two samples of two numbers."""
    return np.array([[1.0, -3.0], [0.5, 2.0]])


@pytest.fixture
def times():
    """The ends of three steps."""
    return [0.9, 0.6, 0.3, 0.2]


@pytest.fixture
def half():
    """denoise(x_t, t) = x_t t / 2."""
    return lambda x, t: 0.5 * x * t


@pytest.fixture
def ddim_step():
    """The DDIM step on the rectified schedule: (x, x0, t, s, z, eta) -> x at s."""

    def step(x, x0, t, s, z=0.0, eta=0.0):
        eps = (x - (1 - t) * x0) / t
        tau = 1 - ((1 - t) * s / ((1 - s) * t)) ** 2
        return (1 - s) * x0 + s * math.sqrt(1 - eta**2 * tau) * eps + eta * s * math.sqrt(tau) * z

    return step


@pytest.fixture
def new_noise():
    """A function that makes sources of noise, all with the same numbers."""

    def source():
        numbers = np.random.default_rng(3)
        return numbers.standard_normal

    return source
