"""Every schedule: its ends, its closed form, its golden numbers, and the same answer for floats and arrays."""

import math
import warnings
from dataclasses import MISSING, fields
from itertools import pairwise

import diffkit_schedules as ds
import numpy as np
import pytest
from every_schedule import EVERY, PRESERVING, TABLES, ids
from hypothesis import given
from hypothesis import strategies as st

times = st.floats(0, 1)


@pytest.mark.parametrize("schedule", EVERY, ids=ids)
def test_float_in_floats_out(schedule):
    for t in (0, 0.3, 1.0, np.float64(0.5)):
        assert [type(rate) for rate in schedule(t)] == [float, float]


@pytest.mark.parametrize("schedule", EVERY, ids=ids)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-5), (np.float16, 4e-3)])
def test_array_gives_the_floats_answer_in_its_shape_and_dtype(schedule, dtype, tolerance):
    t = np.linspace(0, 1, 24).astype(dtype).reshape(2, 3, 4)
    rates = schedule(t)
    for rate, expected in zip(rates, zip(*(schedule(float(x)) for x in t.ravel()), strict=True), strict=True):
        assert (rate.shape, rate.dtype) == (t.shape, dtype)
        np.testing.assert_allclose(rate.ravel(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("schedule", EVERY, ids=ids)
def test_log_snr_falls(schedule):
    log_snr = [schedule(t).log_snr for t in np.linspace(0, 1, 101)]
    assert all(later < sooner for sooner, later in pairwise(log_snr))


@pytest.mark.parametrize("schedule", PRESERVING, ids=ids)
@given(t=times)
def test_variance_preserved(schedule, t):
    alpha, sigma = schedule(t)
    assert alpha**2 + sigma**2 == pytest.approx(1, abs=1e-14)


def test_seven_or_more_preserve_variance():
    assert len(PRESERVING) >= 11


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        (ds.cosine(), (1, 0), (0, 1)),
        (ds.offset_cosine(), (0.95, math.sqrt(1 - 0.95**2)), (0.02, math.sqrt(1 - 0.02**2))),
        (ds.linear(), (1, 0), (math.exp(-10.05 / 2), math.sqrt(1 - math.exp(-10.05)))),
        (ds.sigmoid(), (1, 0), (0, 1)),
        (ds.rectified(), (1, 0), (0, 1)),
        (ds.karras(), (1, 0.002), (1, 80)),
        (ds.linear_betas(), (1, 0), (math.sqrt(4.0358e-5), math.sqrt(1 - 4.0358e-5))),
        (ds.zero_terminal_snr(ds.linear_betas()), (1, 0), (0, 1)),
        (ds.shift(ds.rectified(), 3.0), (1, 0), (0, 1)),
    ],
    ids=ids,
)
def test_ends(schedule, start, end):
    assert schedule(0.0) == pytest.approx(start, rel=1e-12)
    assert schedule(1.0) == pytest.approx(end, rel=1e-5)
    assert (schedule(1.0).alpha == 0) == (end[0] == 0), "pure noise is exactly that, or not claimed"


@pytest.mark.parametrize("s", [0.0, 0.008, 0.3])
@given(t=times)
def test_cosine(s, t):
    quarter = math.pi / 2 / (1 + s)
    assert ds.cosine(s)(t).alpha == pytest.approx(math.cos(quarter * (t + s)) / math.cos(quarter * s), abs=1e-12)


@pytest.mark.parametrize(("most", "least"), [(0.95, 0.02), (1.0, 0.0), (0.8, 0.5)])
@given(t=times)
def test_offset_cosine(most, least, t):
    angle = math.acos(most) + t * (math.acos(least) - math.acos(most))
    assert ds.offset_cosine(most, least)(t) == pytest.approx((math.cos(angle), math.sin(angle)), abs=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0.1, 20.0), (0.0, 5.0), (3.0, 3.0)])
@given(t=times)
def test_linear(low, high, t):
    assert ds.linear(low, high)(t).alpha ** 2 == pytest.approx(math.exp(-low * t - (high - low) * t * t / 2), rel=1e-12)


@pytest.mark.parametrize(("start", "end", "tau"), [(-3.0, 3.0, 1.0), (0.0, 3.0, 0.7), (-1.0, 2.0, 0.3)])
@given(t=times)
def test_sigmoid(start, end, tau, t):
    low, here, high = (1 / (1 + math.exp(-u / tau)) for u in (start, start + (end - start) * t, end))
    alpha, sigma = ds.sigmoid(start, end, tau)(t)
    assert alpha**2 == pytest.approx((high - here) / (high - low), abs=1e-12)
    assert alpha**2 + sigma**2 == pytest.approx(1, abs=1e-14)


@given(t=times)
def test_rectified(t):
    assert ds.rectified()(t) == (1 - t, t)


@pytest.mark.parametrize(("low", "high", "rho"), [(0.002, 80.0, 7.0), (0.01, 10.0, 3.0), (1.0, 16.0, 1.0)])
@given(t=times)
def test_karras(low, high, rho, t):
    assert ds.karras(low, high, rho)(t).alpha == 1
    assert ds.karras(low, high, rho)(t).sigma == pytest.approx(
        (low ** (1 / rho) * (1 - t) + t * high ** (1 / rho)) ** rho, rel=1e-12
    )


def test_numbers_by_hand():
    assert ds.karras(1.0, 16.0, 2.0)(0.5).sigma == pytest.approx(6.25, rel=1e-14)
    assert ds.karras()(0.5).sigma == pytest.approx(2.5152, rel=1e-4)
    assert ds.sigmoid(-2.0, 2.0)(0.25).alpha ** 2 == pytest.approx(0.8034, abs=1e-4)
    assert ds.offset_cosine(1.0, 0.0)(1 / 3) == pytest.approx((math.sqrt(3) / 2, 0.5), abs=1e-15)
    assert ds.cosine(0.0)(0.5) == pytest.approx((math.sqrt(0.5), math.sqrt(0.5)), abs=1e-15)
    assert ds.linear(2.0, 2.0)(0.5).alpha == pytest.approx(math.exp(-0.5), rel=1e-15)


DEFAULTS = {
    "cosine": {"s": 0.008},
    "offset_cosine": {"max_signal": 0.95, "min_signal": 0.02},
    "linear": {"beta_min": 0.1, "beta_max": 20.0},
    "sigmoid": {"start": -3.0, "end": 3.0, "tau": 1.0},
    "rectified": {},
    "karras": {"sigma_min": 0.002, "sigma_max": 80.0, "rho": 7.0},
    "discrete": {"betas": MISSING},
    "linear_betas": {"T": 1000, "start": 1e-4, "end": 0.02},
    "scaled_linear_betas": {"T": 1000, "start": 0.00085, "end": 0.012},
    "cosine_betas": {"T": 1000, "s": 0.008, "cap": 0.999},
    "sigmoid_betas": {"T": 1000, "start": 1e-4, "end": 0.02},
    "shift": {"schedule": MISSING, "factor": MISSING},
    "zero_terminal_snr": {"schedule": MISSING},
}


def test_the_parameters_of_every_schedule_in_their_order():
    found = {name: {field.name: field.default for field in fields(kind)} for name, kind in ds.SCHEDULES.items()}
    assert {name: list(each.items()) for name, each in found.items()} == {name: list(d.items()) for name, d in DEFAULTS.items()}


@pytest.mark.parametrize(
    ("table", "betas"),
    [
        (ds.linear_betas(3, 0.1, 0.99), [0.1, 0.545, 0.99]),
        (ds.scaled_linear_betas(3, 0.01, 0.9801), [0.01, 0.297025, 0.9801]),
        (ds.cosine_betas(2, 0.0, 0.95), [0.5, 0.95]),
        (ds.cosine_betas(2, 1.0, 1.0), [1 - math.cos(3 * math.pi / 8) ** 2 / math.cos(math.pi / 4) ** 2, 1.0]),
        (ds.sigmoid_betas(3, 0.0, 1.0), [1 / (1 + math.exp(6)), 0.5, 1 / (1 + math.exp(-6))]),
        (ds.sigmoid_betas(1, 0.99, 0.99), [0.99]),
        (ds.discrete((0.25, 0.99)), [0.25, 0.99]),
        (ds.discrete(np.array([0, 1])), [0.0, 1.0]),
    ],
    ids=ids,
)
def test_betas_by_hand(table, betas):
    assert list(table) == pytest.approx(betas, abs=1e-14)
    assert list(table.alphas_cumprod) == pytest.approx(np.cumprod(1 - np.array(betas)), abs=1e-14)
    assert table.timesteps == len(betas)


def test_a_table_between_two_entries_is_on_the_chord():
    table = ds.discrete([0.36, 1.0])  # (1, 0), (0.8, 0.6), (0, 1)
    assert table(0.0) == (1, 0)
    assert table(0.25) == pytest.approx((0.9 / math.sqrt(0.9), 0.3 / math.sqrt(0.9)), abs=1e-15)
    assert table(0.5) == pytest.approx((0.8, 0.6), abs=1e-15)
    assert table(0.875) == pytest.approx((0.2 / math.sqrt(0.85), 0.9 / math.sqrt(0.85)), abs=1e-15)
    assert table(1) == (0, 1)
    found = table(np.array([[0.0, 0.25], [0.875, 1.0]]))
    np.testing.assert_allclose(found.alpha, [[1, 0.9 / math.sqrt(0.9)], [0.2 / math.sqrt(0.85), 0]], atol=1e-15)


@pytest.mark.parametrize("schedule", [ds.cosine(), ds.linear(), ds.sigmoid(), ds.zero_terminal_snr(ds.linear())], ids=ids)
def test_small_noise_keeps_its_digits_in_float32(schedule):
    for t in (1e-3, 1e-5, 1e-7):
        assert float(schedule(np.float32([t])).sigma[0]) == pytest.approx(schedule(float(np.float32(t))).sigma, rel=1e-5)


def test_golden_numbers_of_the_tables():
    bars = ds.linear_betas().alphas_cumprod
    assert bars[0] == pytest.approx(0.9999, abs=1e-12)
    assert bars[-1] == pytest.approx(4.036e-5, rel=1e-4)
    assert [ds.linear_betas()(t).snr ** -0.5 for t in (1 / 1000, 1.0)] == pytest.approx([0.0100, 157.41], rel=1e-4)
    assert [ds.scaled_linear_betas()(t).snr ** -0.5 for t in (1 / 1000, 1.0)] == pytest.approx([0.0292, 14.615], rel=2e-3)
    assert ds.sigmoid_betas().alphas_cumprod[499] == pytest.approx(0.302, abs=5e-4)
    assert ds.sigmoid()(0.5).alpha ** 2 == pytest.approx(0.5, abs=1e-12)
    assert max(ds.cosine_betas()._betas()) == 0.999


@pytest.mark.parametrize("table", TABLES, ids=ids)
def test_a_table_is_met_at_every_index(table):
    for i, bar in enumerate(table.alphas_cumprod):
        assert table((i + 1) / table.timesteps) == pytest.approx((math.sqrt(bar), math.sqrt(1 - bar)), rel=1e-10)


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
        (lambda: ds.cosine(s=-1), ValueError, "s must be >= 0, got -1"),
        (lambda: ds.cosine(s=math.nan), ValueError, "s must be >= 0, got nan"),
        (lambda: ds.offset_cosine(0.1, 0.9), ValueError, "need 0 <= min_signal < max_signal <= 1, got 0.9 and 0.1"),
        (lambda: ds.offset_cosine(0.5, 0.5), ValueError, "need 0 <= min_signal < max_signal <= 1, got 0.5 and 0.5"),
        (lambda: ds.offset_cosine(1.1), ValueError, "need 0 <= min_signal < max_signal <= 1, got 0.02 and 1.1"),
        (lambda: ds.offset_cosine(0.5, -0.1), ValueError, "need 0 <= min_signal < max_signal <= 1, got -0.1 and 0.5"),
        (lambda: ds.linear(3, 1), ValueError, "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=3, beta_max=1"),
        (lambda: ds.linear(-1), ValueError, "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=-1, beta_max=20.0"),
        (lambda: ds.linear(0, 0), ValueError, "need 0 <= beta_min <= beta_max, beta_max > 0, got beta_min=0, beta_max=0"),
        (lambda: ds.sigmoid(start=3), ValueError, "start must be < end, got start=3, end=3.0"),
        (lambda: ds.sigmoid(tau=0), ValueError, "tau must be > 0, got 0"),
        (lambda: ds.karras(sigma_min=0), ValueError, "need 0 < sigma_min < sigma_max, got sigma_min=0, sigma_max=80.0"),
        (lambda: ds.karras(2, 2), ValueError, "need 0 < sigma_min < sigma_max, got sigma_min=2, sigma_max=2"),
        (lambda: ds.karras(rho=0), ValueError, "rho must be > 0, got 0"),
        (lambda: ds.discrete([]), ValueError, "betas must be a sequence of at least one number, got shape (0,)"),
        (lambda: ds.discrete(0.5), TypeError, "betas must be a sequence of numbers, or a table, got 0.5"),
        (lambda: ds.discrete([0.1, 1.5]), ValueError, "every beta must be in [0, 1], got 1.5"),
        (lambda: ds.discrete([0.1, -0.5, 2]), ValueError, "every beta must be in [0, 1], got -0.5"),
        (lambda: ds.discrete([math.nan]), ValueError, "every beta must be in [0, 1], got nan"),
        (lambda: ds.linear_betas(T=0), ValueError, "T must be at least 1, got 0"),
        (lambda: ds.linear_betas(T=10**6 + 1), ValueError, "T must be at most 1000000, got 1000001"),
        (lambda: ds.cosine_betas(T=10**12), ValueError, "T must be at most 1000000, got 1000000000000"),
        (lambda: ds.cosine_betas(cap=2), ValueError, "need s >= 0 and cap in (0, 1], got s=0.008, cap=2"),
        (lambda: ds.cosine_betas(cap=0), ValueError, "need s >= 0 and cap in (0, 1], got s=0.008, cap=0"),
        (lambda: ds.cosine_betas(s=-1), ValueError, "need s >= 0 and cap in (0, 1], got s=-1, cap=0.999"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


def test_a_table_may_be_long():
    assert ds.linear_betas(T=10**6).timesteps == 10**6


def test_an_offset_cosine_may_end_in_pure_noise():
    assert ds.offset_cosine(min_signal=0.0)(1.0).alpha == 0
    with np.errstate(all="raise"):
        assert ds.offset_cosine(min_signal=0.0)(np.float32([1.0])).alpha[0] == 0


def test_a_table_that_does_not_end_in_noise_warns():
    says = r"^linear_betas with T = 100 ends at alpha-bar = 0.364, which is not noise: raise the betas \(by 1000 / T .* wrap it"
    with pytest.warns(UserWarning, match=says) as caught:
        ds.linear_betas(T=100)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.discrete([0.9501])
    with pytest.warns(UserWarning, match=r"alpha-bar = 0.0501"):
        ds.discrete([0.9499])


@pytest.mark.parametrize("table", TABLES, ids=ids)
def test_a_table_is_also_its_betas(table):
    betas = np.asarray(table)
    assert (len(table), betas.shape, betas.dtype) == (table.timesteps, (table.timesteps,), np.float64)
    assert (table[0], table[-1], list(table)) == (betas[0], betas[-1], list(betas))
    assert table[3:5].tolist() == betas[3:5].tolist()
    np.testing.assert_array_equal(np.cumprod(1 - table), table.alphas_cumprod)
    np.testing.assert_array_equal(np.sqrt(table) * 2.0, np.sqrt(betas) * 2)
    assert ds.discrete(table) == ds.discrete(betas)
    for t in (0.0, 0.25, 1.0):
        assert ds.discrete(table)(t) == table(t)


def test_a_long_table_says_what_it_is_in_a_few_words():
    assert repr(ds.discrete([0.1, 0.5, 0.99])) == "discrete(betas=(0.1, 0.5, 0.99))"
    written_out = ds.discrete(ds.linear_betas())
    assert str(written_out) == "discrete(1000 betas from 0.0001 to 0.02)"
    assert str(ds.zero_terminal_snr(written_out)) == f"zero_terminal_snr(schedule={written_out})"
    assert "1000 betas from 4.12842e-05 to 0.999" in repr(ds.shift(ds.discrete(ds.cosine_betas()), 2.0))
