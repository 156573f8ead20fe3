"""A pair of rates: its ratios, whatever its numbers are, and the way back from a level to its time."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest
from every_schedule import EVERY, ids


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


def test_half_precision_may_overflow_without_a_word():
    rates = ds.Rates(np.float16([1.0, 0.004]), np.float16([0.001, 1.0]))
    assert rates.snr.tolist() == [math.inf, pytest.approx(1.6e-5, rel=0.02)]
    assert ds.weight(rates, "min_snr", "eps").dtype == np.float16
    assert ds.weight(rates, "min_snr", "eps").tolist() == [pytest.approx(5e-6, rel=0.05), 1.0]


def test_rates_of_anyone_s_function_are_floats():
    rates = ds.rates_at(lambda t: (1, np.float32(80 * t)), 0.5)
    assert rates == (1.0, 40.0)
    assert [type(rate) for rate in rates] == [float, float]


@pytest.mark.parametrize("schedule", EVERY, ids=ids)
def test_times_of_inverts_every_schedule(schedule):
    levels = [schedule(t).log_snr for t in (0.2, 0.5, 0.9)]
    assert ds.times_of(schedule, levels) == pytest.approx([0.2, 0.5, 0.9], abs=1e-9)
    assert [type(t) for t in ds.times_of(schedule, levels)] == [float] * 3


def test_times_of_beyond_the_ends():
    for schedule in (ds.offset_cosine(), lambda t: ds.offset_cosine()(t), ds.cosine()):
        assert ds.times_of(schedule, [math.inf, -math.inf, 1e9, -1e9]) == pytest.approx([0, 1, 0, 1], abs=2**-49)
    begins_clean = ds.discrete([0.0, 0.0, 0.5, 0.99])
    assert ds.times_of(begins_clean, [math.inf, 1e9, -math.inf]) == pytest.approx([0, 0.5, 1], abs=1e-9)
    assert ds.times_of(lambda t: (1 - t, t), [0, 1e-30]) == pytest.approx([0.5, 0.5], abs=1e-12)
    assert ds.times_of(ds.rectified(), []) == []


def test_a_level_is_a_number():
    with pytest.raises(ValueError, match=r"^every log_snr must be a number, got \[0.0, nan\]$"):
        ds.times_of(ds.cosine(), [0.0, math.nan])
