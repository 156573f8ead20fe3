"""From a noise level to its time, within one bisection and at the ends."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest

OWN = [ds.rectified(), lambda t: (1 - t, t)]


@pytest.mark.parametrize("schedule", OWN)
def test_a_time_is_exact_to_fifty_bisections(schedule):
    times = [1e-6, 0.2, 0.5, 0.75, 1 - 1e-6]
    found = ds.times_of(schedule, [2 * math.log((1 - t) / t) for t in times])
    assert found == pytest.approx(times, rel=1e-9, abs=2**-50)
    assert {type(t) for t in found} == {float}


@pytest.mark.parametrize("schedule", OWN)
def test_levels_of_any_type_are_computed_in_float64(schedule):
    levels = np.array([0.3, -2.1], np.float32)
    expected = [1 / (1 + math.exp(float(level) / 2)) for level in levels]
    assert ds.times_of(schedule, levels) == pytest.approx(expected, rel=1e-12)
    assert ds.times_of(schedule, [10**20]) == [2**-50]


@pytest.mark.parametrize("schedule", OWN)
def test_a_level_beyond_an_end_has_the_time_of_the_end(schedule):
    first, last = ds.times_of(schedule, [1e9, -1e9])
    assert first == 2**-50
    assert last == 1
    assert ds.times_of(schedule, [-math.inf]) == [1.0]


@pytest.mark.parametrize("schedule", OWN)
def test_a_level_that_is_met_exactly_is_its_time(schedule):
    assert ds.times_of(schedule, [0.0]) == [0.5]
    assert ds.times_of(schedule, [0]) == [0.5]
    assert ds.times_of(schedule, []) == []


def test_nan_is_refused():
    with pytest.raises(ValueError, match=r"^every log_snr must be a number, got \[0.0, nan\]$"):
        ds.times_of(ds.rectified(), [0.0, math.nan])


@pytest.mark.parametrize("schedule", [ds.cosine(), ds.karras(), ds.linear_betas(), ds.shift(ds.linear(), 2.0)], ids=repr)
def test_one_level_has_the_time_that_it_has_among_others(schedule):
    levels = [5.0, 0.3, -2.0]
    assert [ds.times_of(schedule, [level])[0] for level in levels] == pytest.approx(ds.times_of(schedule, levels), abs=2**-49)
