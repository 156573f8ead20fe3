"""Exact inversion: to the bit at any number of steps, and a sampler of second order."""

import math

import numpy as np
import pytest
from diffkit_samplers import Latent, bdia_decode, bdia_encode, ddim, encode
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, linear_betas, offset_cosine, rectified
from hypothesis import given
from hypothesis import strategies as st

X0 = np.random.default_rng(0).standard_normal((3, 2, 4))
SCHEDULES = [cosine(), offset_cosine(), rectified(), karras(), linear_betas()]


@pytest.mark.parametrize(
    ("schedule", "dtype"),
    [*((schedule, dtype) for schedule in SCHEDULES for dtype in ("float64", "float32")), (cosine(), "float16")],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_decoding_gives_the_data_back_to_the_bit(schedule, dtype):
    oracle, x0 = MixtureOracle(schedule), X0.astype(dtype)
    before = x0.copy()
    for steps in (1, 2, 3, 10, 51):
        latent = bdia_encode(oracle, schedule, x0, steps=steps)
        decoded = bdia_decode(oracle, schedule, latent, steps=steps)
        assert (decoded.dtype, latent.x.dtype) == (x0.dtype, np.dtype("float64" if dtype == "float64" else "float32"))
        assert (decoded == x0).all()
    assert (x0 == before).all()
    assert (ddim(oracle, schedule, encode(oracle, schedule, x0, steps=10), steps=10) != x0).any(), "DDIM's own is approximate"


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=5))
def test_any_numbers_come_back(values):
    x0 = np.array([values], np.float32)
    latent = bdia_encode(MixtureOracle(cosine()), cosine(), x0, steps=4, spacing="karras")
    assert (bdia_decode(MixtureOracle(cosine()), cosine(), latent, steps=4, spacing="karras") == x0).all()


def test_a_list_of_times_is_a_grid():
    times = [0.8, 0.5, 0.25, 0.1, 0.0]
    latent = bdia_encode(MixtureOracle(cosine()), cosine(), X0, spacing=times)
    assert (bdia_decode(MixtureOracle(cosine()), cosine(), latent, spacing=times) == X0).all()


@pytest.mark.parametrize("variance", [1.0, 0.3])
def test_the_latent_of_a_gaussian_tends_to_its_noise(variance):
    oracle, errors = GaussianOracle(cosine(), 0.4, variance), []
    x0 = 0.4 + math.sqrt(variance) * X0
    for steps in (25, 100):
        latent = bdia_encode(oracle, cosine(), x0, steps=steps, spacing=[1 - 0.98 * k / steps for k in range(steps)] + [0.0])
        exact = oracle.probability_flow(cosine()(0.02).alpha * x0, 0.02, 1.0)  # up to the step from the data to t = 0.02
        errors.append(np.abs(latent.x - exact).max())
    assert errors[1] < 0.05
    assert errors[1] < errors[0]


def test_decoding_is_more_accurate_than_ddim_at_equal_evaluations():
    oracle, x = GaussianOracle(cosine(), 0.4, 0.3), X0
    exact = oracle.probability_flow(x, 1.0, 0.0)
    for steps in (10, 40):
        times = [k / steps for k in range(steps, -1, -1)]
        start = Latent(x, oracle.probability_flow(x, times[0], times[1]), 0 * x)
        error = np.abs(bdia_decode(oracle, cosine(), start, steps=steps) - exact).max()
        assert error < 0.3 * np.abs(ddim(oracle, cosine(), x, steps=steps) - exact).max()


def test_evaluations():
    calls = []

    def denoise(x, t):
        calls.append(t)
        return 0.5 * x

    latent = bdia_encode(denoise, cosine(), X0, steps=5, rounds=2)
    assert len(calls) == 6
    calls.clear()
    bdia_decode(denoise, cosine(), latent, steps=5)
    np.testing.assert_allclose(calls, [0.8, 0.6, 0.4, 0.2])


@pytest.mark.parametrize(
    ("x0", "options", "message"),
    [
        (X0, {"rounds": 0}, "rounds must be at least 1, got 0"),
        (X0, {"steps": 0}, "steps must be .*"),
        (1e4 * X0, {}, r"inversion is exact for states up to 64, got \S+: use more steps, or data of a smaller range"),
        (X0 * np.nan, {}, "inversion is exact for states up to 64, got nan: use more steps, or data of a smaller range"),
    ],
)
def test_what_cannot_be_inverted_is_refused(x0, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        bdia_encode(MixtureOracle(cosine()), cosine(), x0, **options)
