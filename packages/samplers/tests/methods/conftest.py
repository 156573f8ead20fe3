"""Shared by the tests of methods: the DDIM step as the paper writes it, and reproducible noise."""

import math

import numpy as np
import pytest


@pytest.fixture
def ddim_step():
    """ddim_step(x, x0, t, s, z, eta) -> x at s, on the rectified schedule."""

    def step(x, x0, t, s, z=0.0, eta=0.0):
        eps = (x - (1 - t) * x0) / t
        tau = 1 - ((1 - t) * s / ((1 - s) * t)) ** 2
        return (1 - s) * x0 + s * math.sqrt(1 - eta**2 * tau) * eps + eta * s * math.sqrt(tau) * z

    return step


@pytest.fixture
def new_noise():
    """new_noise() -> a source that gives the same numbers as every other one."""

    def source():
        numbers = np.random.default_rng(3)
        return lambda shape: numbers.standard_normal(shape)

    return source
