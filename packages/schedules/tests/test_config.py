"""Configs round-trip through JSON and refuse what they do not know; conditions; noise rows."""

import json

import diffkit_schedules as ds
import numpy as np
import pytest
from every_schedule import EVERY, ids


@pytest.mark.parametrize("schedule", EVERY, ids=ids)
def test_round_trip_through_json(schedule):
    assert ds.from_config(json.loads(json.dumps(ds.to_config(schedule)))) == schedule


def test_every_schedule_has_a_test():
    assert {type(schedule).__name__ for schedule in EVERY} == set(ds.SCHEDULES)


def test_defaults_fill_what_is_left_out():
    assert ds.from_config({"name": "linear_betas", "T": 500, "end": 0.04}) == ds.linear_betas(T=500, end=0.04)
    assert ds.from_config({"name": "karras", "sigma_max": 10}).sigma_max == 10.0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "mapping with a 'name'"),
        ([], "mapping with a 'name'"),
        ({"name": "cosin"}, "schedule must be one of cosine, offset_cosine, .*; got 'cosin'"),
        ({"name": "cosine", "z": 1}, r"no parameter 'z' \(it has: s\)"),
        ({"name": "linear", "beta_mx": 1}, "did you mean 'beta_max'"),
        ({"name": "cosine", "s": "0.1"}, "s of schedule 'cosine' must be a finite number, got '0.1'"),
        ({"name": "cosine", "s": True}, "must be a finite number, got True"),
        ({"name": "linear_betas", "T": 10.5}, "T of schedule 'linear_betas' must be an integer, got 10.5"),
        ({"name": "discrete", "betas": "0.1"}, "must be a list of numbers"),
        ({"name": "discrete"}, "needs betas"),
        ({"name": "shift", "schedule": {"name": "x"}, "factor": 2}, "got 'x'"),
        ({"name": ["cosine"]}, "schedule must be one of"),
        ({"name": "karras", "sigma_max": float("inf")}, "must be a finite number, got inf"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(config, message):
    with pytest.raises(ValueError, match=message) as caught:
        ds.from_config(config)
    assert "\n" not in str(caught.value)


def test_a_schedule_of_one_s_own_has_no_config():
    with pytest.raises(TypeError, match="got function"):
        ds.to_config(lambda t: ds.Rates(1 - t, t))


def test_conditions():
    schedule = ds.linear_betas()
    alpha, sigma = schedule(0.3)
    expected = {"variance": sigma**2, "sigma": sigma, "time": 0.3, "log_snr": 2 * np.log(alpha / sigma), "index": 299}
    assert set(expected) == set(ds.CONDITIONS)
    for condition, value in expected.items():
        assert ds.condition_value(schedule, 0.3, condition) == pytest.approx(value, rel=1e-12)
        assert ds.condition_value(schedule, np.array([0.3]), condition)[0] == pytest.approx(value, rel=1e-12)
    with pytest.raises(ValueError, match=r"condition must be one of 'variance', 'sigma', .*; got 'noise'"):
        ds.condition_value(schedule, 0.3, "noise")


def test_noise_rows_are_standard_normal_and_independent():
    rows = np.concatenate([ds.normal(range(3), draw, (20000,)) for draw in range(3)])
    assert abs(rows.mean(axis=1)).max() < 4 / np.sqrt(20000)
    assert abs(np.corrcoef(rows) - np.eye(9)).max() < 5 / np.sqrt(20000)
    for bad in (-1, 2**64):
        with pytest.raises(ValueError, match=f"got {bad} and 0"):
            ds.normal([bad], 0, (1,))
