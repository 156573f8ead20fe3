"""Rates and their ratios; what every schedule does with floats and arrays; times of noise levels."""

import math
from contextlib import nullcontext
from functools import partial
from itertools import pairwise

import diffkit_schedules as ds
import numpy as np
import pytest
from diffkit_schedules.rates import Formula, _quiet
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("rates", "snr", "log_snr"),
    [
        ((0.8, 0.2), 16.0, 4 * math.log(2)),
        ((0.2, 0.8), 1 / 16, -4 * math.log(2)),
        ((1, 0), math.inf, math.inf),
        ((1.0, 0), math.inf, math.inf),
        ((1, 0.0), math.inf, math.inf),
        ((0, 1), 0.0, -math.inf),
        ((0.0, 1.0), 0.0, -math.inf),
        ((1, 1), 1.0, 0.0),
        ((2, 1), 4.0, 2 * math.log(2)),
        ((1.0, 1e-200), math.inf, 400 * math.log(10)),
        ((1e-200, 1.0), 0.0, -400 * math.log(10)),
    ],
)
def test_ratios_of_numbers_and_of_arrays(rates, snr, log_snr):
    assert ds.Rates(*rates).snr == pytest.approx(snr, rel=1e-14)
    assert ds.Rates(*rates).log_snr == pytest.approx(log_snr, rel=1e-14)
    arrays = ds.Rates(*(np.array([rate], float) for rate in rates))
    assert arrays.snr[0] == pytest.approx(snr, rel=1e-14)
    assert arrays.log_snr[0] == pytest.approx(log_snr, rel=1e-14)


def test_half_precision_overflows_without_a_warning():
    rates = ds.Rates(np.float16([1.0, 0.004]), np.float16([0.001, 1.0]))
    assert rates.snr.tolist() == [math.inf, pytest.approx(1.6e-5, rel=0.02)]
    assert ds.weight(rates, "min_snr", "eps").dtype == np.float16
    assert ds.weight(rates, "min_snr", "eps").tolist() == [pytest.approx(5e-6, rel=0.05), 1.0]


def test_torch_compiles_no_context_of_numpy():
    torch = pytest.importorskip("torch")
    assert isinstance(_quiet(torch.ones(1)), nullcontext)
    assert isinstance(_quiet(np.ones(1)), np.errstate)


def test_rates_at_returns_floats_for_any_function():
    rates = ds.rates_at(lambda t: (1, np.float32(80 * t)), 0.5)
    assert rates == (1.0, 40.0)
    assert [type(rate) for rate in rates] == [float, float]


@pytest.mark.parametrize("schedule", [ds.rectified(), ds.linear_betas(), ds.zero_terminal_snr(ds.cosine())], ids=str)
def test_a_time_is_a_number_from_0_to_1_or_an_array_of_floats(schedule):
    for t in (-0.5, 1.5, 2, math.nan):
        with pytest.raises(ValueError, match=rf"^t must be in \[0, 1\] \(0 = data, 1 = noise\), got {t}$"):
            schedule(t)
    with pytest.raises(TypeError, match=r"^t must be .*, got an array of int64: divide an index by timesteps$"):
        schedule(np.array([1]))


def test_a_formula_computes_in_float32_or_wider():
    class Recorded(Formula):
        def _rates(self, xp, t):
            types.append(t.dtype)
            return 1 - t, t

    types: list[object] = []
    for dtype in (np.float16, np.float32, np.float64):
        assert [rate.dtype for rate in Recorded()(np.ones(1, dtype))] == [dtype, dtype]
    assert types == [np.float32, np.float32, np.float64]


def test_times_of_inverts_every_schedule(schedule):
    levels = [schedule(t).log_snr for t in (0.2, 0.5, 0.9)]
    assert ds.times_of(schedule, levels) == pytest.approx([0.2, 0.5, 0.9], abs=1e-9)
    assert [type(t) for t in ds.times_of(schedule, levels)] == [float] * 3


def test_times_of_beyond_the_ends():
    for schedule in (ds.offset_cosine(), partial(ds.offset_cosine()), ds.cosine()):
        assert ds.times_of(schedule, [math.inf, -math.inf, 1e9, -1e9]) == pytest.approx([0, 1, 0, 1], abs=2**-49)
    begins_clean = ds.discrete([0.0, 0.0, 0.5, 0.99])
    assert ds.times_of(begins_clean, [math.inf, 1e9, -math.inf]) == pytest.approx([0, 0.5, 1], abs=1e-9)
    assert ds.times_of(lambda t: (1 - t, t), [0, 1e-30]) == pytest.approx([0.5, 0.5], abs=1e-12)
    assert ds.times_of(ds.rectified(), []) == []


def test_a_level_is_a_number():
    with pytest.raises(ValueError, match=r"^every log_snr must be a number, got \[0.0, nan\]$"):
        ds.times_of(ds.cosine(), [0.0, math.nan])


def test_a_float_gives_floats(schedule):
    for t in (0, 0.3, 1.0, np.float64(0.5)):
        assert [type(rate) for rate in schedule(t)] == [float, float]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-5), (np.float16, 4e-3)])
def test_an_array_gives_the_rates_of_floats_in_its_shape_and_dtype(schedule, dtype, tolerance):
    t = np.linspace(0, 1, 24).astype(dtype).reshape(2, 3, 4)
    rates = schedule(t)
    for rate, expected in zip(rates, zip(*(schedule(float(x)) for x in t.ravel()), strict=True), strict=True):
        assert (rate.shape, rate.dtype) == (t.shape, dtype)
        np.testing.assert_allclose(rate.ravel(), expected, rtol=tolerance, atol=tolerance)


def test_log_snr_falls(schedule):
    log_snr = [schedule(t).log_snr for t in np.linspace(0, 1, 101)]
    assert all(later < sooner for sooner, later in pairwise(log_snr))


@given(t=st.floats(0, 1))
def test_variance_is_preserved(variance_preserving, t):
    alpha, sigma = variance_preserving(t)
    assert alpha**2 + sigma**2 == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("schedule", [ds.cosine(), ds.linear(), ds.sigmoid(), ds.zero_terminal_snr(ds.linear())], ids=str)
def test_small_noise_keeps_its_digits_in_float32(schedule):
    for t in (1e-3, 1e-5, 1e-7):
        assert float(schedule(np.float32([t])).sigma[0]) == pytest.approx(schedule(float(np.float32(t))).sigma, rel=1e-5)


@pytest.mark.parametrize("t", [-0.1, 1.0001, math.nan, math.inf])
def test_a_time_outside_the_range_is_refused(t):
    with pytest.raises(ValueError, match=r"t must be in \[0, 1\]"):
        ds.cosine()(t)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.cosine()(2), ValueError, "t must be in [0, 1] (0 = data, 1 = noise), got 2"),
        (
            lambda: ds.cosine()(np.array([1])),
            TypeError,
            "t must be a float or an array of floats, got an array of int64: divide an index by timesteps",
        ),
        (lambda: ds.cosine()("0.5"), TypeError, "expected a torch, NumPy, JAX or other array API array, got str"),
        (lambda: ds.linear_betas()([0.5]), TypeError, "expected a torch, NumPy, JAX or other array API array, got list"),
        (lambda: ds.linear_betas()(1.5), ValueError, "t must be in [0, 1] (0 = data, 1 = noise), got 1.5"),
    ],
)
def test_a_time_that_is_no_float_in_the_range_is_refused(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message
