"""Every schedule: its ends, its closed form, its golden numbers, and the same answer for floats and arrays."""

import math
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


@given(t=times)
def test_closed_forms(t):
    quarter = math.pi / 2 / 1.008
    assert ds.cosine()(t).alpha == pytest.approx(math.cos(quarter * (t + 0.008)) / math.cos(quarter * 0.008), abs=1e-12)
    angle = math.acos(0.95) + t * (math.acos(0.02) - math.acos(0.95))
    assert ds.offset_cosine()(t) == pytest.approx((math.cos(angle), math.sin(angle)), abs=1e-12)
    assert ds.linear()(t).alpha ** 2 == pytest.approx(math.exp(-0.1 * t - 9.95 * t * t), rel=1e-12)
    assert ds.rectified()(t) == (1 - t, t)
    assert ds.karras()(t).sigma == pytest.approx((0.002 ** (1 / 7) * (1 - t) + t * 80 ** (1 / 7)) ** 7, rel=1e-12)
    logistic = [1 / (1 + math.exp(-u)) for u in (-3, -3 + 6 * t, 3)]
    assert ds.sigmoid()(t).alpha ** 2 == pytest.approx((logistic[2] - logistic[1]) / (logistic[2] - logistic[0]), abs=1e-12)


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


def test_zero_terminal_snr_of_a_table_is_the_papers():
    alphas = np.sqrt(ds.linear_betas().alphas_cumprod)
    expected = (alphas - alphas[-1]) * alphas[0] / (alphas[0] - alphas[-1])
    rescaled = ds.zero_terminal_snr(ds.linear_betas())
    assert rescaled.timesteps == 1000
    np.testing.assert_allclose([rescaled((i + 1) / 1000).alpha for i in range(1000)], expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("factor", [0.5, 3.0])
@pytest.mark.parametrize("schedule", [ds.rectified(), ds.offset_cosine(), ds.karras(), ds.linear_betas()], ids=ids)
@given(t=st.floats(0.01, 0.99))
def test_shift_lowers_log_snr_by_two_log_factor(schedule, factor, t):
    assert ds.shift(schedule, factor)(t).log_snr == pytest.approx(schedule(t).log_snr - 2 * math.log(factor), abs=1e-9)


def test_shift_of_the_straight_line_is_a_warp_of_time():
    for t in np.linspace(0, 1, 11):
        warped = 3 * t / (1 + 2 * t)
        assert ds.shift(ds.rectified(), 3.0)(t) == pytest.approx((1 - warped, warped), abs=1e-15)


def test_snr_at_the_ends():
    assert ds.rectified()(0.0).snr == math.inf
    assert ds.rectified()(0.0).log_snr == math.inf
    assert ds.rectified()(1.0).log_snr == -math.inf
    assert ds.Rates(0.8, 0.2).snr == pytest.approx(16)


@pytest.mark.parametrize("t", [-0.1, 1.0001, math.nan, math.inf])
def test_a_time_outside_the_range_is_refused(t):
    with pytest.raises(ValueError, match=r"t must be in \[0, 1\]"):
        ds.cosine()(t)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.cosine()(np.array([1])), TypeError, "array of int64"),
        (lambda: ds.cosine()("0.5"), TypeError, "got str"),
        (lambda: ds.cosine(s=-1), ValueError, "s must be >= 0, got -1"),
        (lambda: ds.offset_cosine(0.1, 0.9), ValueError, "got 0.9 and 0.1"),
        (lambda: ds.linear(beta_min=3, beta_max=1), ValueError, "beta_max=1"),
        (lambda: ds.sigmoid(start=3), ValueError, "start=3"),
        (lambda: ds.karras(sigma_min=0), ValueError, "sigma_min=0"),
        (lambda: ds.discrete([]), ValueError, "at least one"),
        (lambda: ds.discrete([0.1, 1.5]), ValueError, "got 1.5"),
        (lambda: ds.linear_betas(T=0), ValueError, "T must be at least 1, got 0"),
        (lambda: ds.cosine_betas(cap=2), ValueError, "cap=2"),
        (lambda: ds.shift(ds.cosine(), 0), ValueError, "factor must be > 0 and finite, got 0"),
        (lambda: ds.zero_terminal_snr(ds.rectified()), ValueError, r"alpha\^2 \+ sigma\^2 = 1"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(make, error, message):
    with pytest.raises(error, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_an_offset_cosine_may_end_in_pure_noise():
    assert ds.offset_cosine(min_signal=0.0)(1.0).alpha == 0
    with np.errstate(all="raise"):
        assert ds.offset_cosine(min_signal=0.0)(np.float32([1.0])).alpha[0] == 0


def test_transforms_keep_the_number_of_steps():
    table = ds.discrete(np.linspace(1e-4, 0.04, 500))
    assert ds.shift(table, 2.0).timesteps == ds.zero_terminal_snr(ds.shift(table, 2.0)).timesteps == 500
    assert not hasattr(ds.zero_terminal_snr(ds.cosine()), "timesteps")


def test_times_of_inverts_every_schedule():
    for schedule in EVERY:
        levels = [schedule(t).log_snr for t in (0.2, 0.5, 0.9)]
        assert ds.times_of(schedule, levels) == pytest.approx([0.2, 0.5, 0.9], abs=1e-9)
    assert ds.times_of(lambda t: (1 - t, t), [0.0]) == pytest.approx([0.5], abs=1e-12)
    with pytest.raises(ValueError, match="must be a number"):
        ds.times_of(ds.cosine(), [math.nan])


def test_a_table_that_does_not_end_in_noise_warns():
    with pytest.warns(UserWarning, match="T = 100 ends at alpha-bar = 0.364, which is not noise"):
        ds.linear_betas(T=100)


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
