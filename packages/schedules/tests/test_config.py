"""Configs round-trip through JSON; unknown names, keys and types are refused."""

import json

import diffkit_schedules as ds
import pytest


def test_round_trip_through_json(schedule):
    assert ds.from_config(json.loads(json.dumps(ds.to_config(schedule)))) == schedule


def test_the_tests_have_every_schedule(every_schedule):
    assert {type(schedule).__name__ for schedule in every_schedule} == set(ds.SCHEDULES)


def test_missing_parameters_have_their_defaults():
    table = ds.from_config({"name": "linear_betas", "T": 500, "end": 0.04})
    assert table == ds.linear_betas(T=500, end=0.04)
    assert isinstance(table, ds.linear_betas)
    assert type(table.T) is int
    schedule = ds.from_config({"name": "karras", "sigma_max": 10})
    assert isinstance(schedule, ds.karras)
    assert (schedule.sigma_max, type(schedule.sigma_max)) == (10.0, float)


def test_the_config_of_a_transform_contains_that_of_its_schedule():
    schedule = ds.zero_terminal_snr(ds.shift(ds.discrete([0.5, 0.99]), 2.0))
    table = {"name": "discrete", "betas": [0.5, 0.99]}
    config = {"name": "zero_terminal_snr", "schedule": {"name": "shift", "schedule": table, "factor": 2.0}}
    assert ds.to_config(schedule) == config


NAMES = ", ".join(ds.SCHEDULES)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "a schedule's config must be a mapping with a 'name', got {}"),
        ([], "a schedule's config must be a mapping with a 'name', got []"),
        ({"name": "cosin"}, f"schedule must be one of {NAMES}; got 'cosin', did you mean 'cosine'?"),
        ({"name": "cosine", "z": 1}, "schedule 'cosine' has no parameter 'z' (it has: s)"),
        ({"name": "cosine", 3: 1}, "schedule 'cosine' has no parameter 3 (it has: s)"),
        ({"name": "rectified", "z": 1}, "schedule 'rectified' has no parameter 'z' (it has: none)"),
        (
            {"name": "linear", "beta_mx": 1},
            "schedule 'linear' has no parameter 'beta_mx', did you mean 'beta_max'? (it has: beta_min, beta_max)",
        ),
        ({"name": "cosine", "s": "0.1"}, "s of schedule 'cosine' must be a finite number, got '0.1'"),
        ({"name": "cosine", "s": True}, "s of schedule 'cosine' must be a finite number, got True"),
        ({"name": "linear_betas", "T": 10.5}, "T of schedule 'linear_betas' must be an integer, got 10.5"),
        ({"name": "linear_betas", "T": True}, "T of schedule 'linear_betas' must be an integer, got True"),
        ({"name": "linear_betas", "T": 10**12}, "T must be at most 1000000, got 1000000000000"),
        ({"name": "discrete", "betas": "0.1"}, "betas of schedule 'discrete' must be a list of numbers, got '0.1'"),
        ({"name": "discrete", "betas": [True]}, "betas of schedule 'discrete' must be a list of numbers, got [True]"),
        ({"name": "discrete", "betas": [0.1, "2"]}, "betas of schedule 'discrete' must be a list of numbers, got [0.1, '2']"),
        ({"name": "discrete", "betas": "x" * 99}, f"betas of schedule 'discrete' must be a list of numbers, got '{'x' * 59}"),
        ({"name": "discrete"}, "schedule 'discrete' needs betas"),
        ({"name": "shift"}, "schedule 'shift' needs schedule, factor"),
        ({"name": "shift", "schedule": {"name": "x"}, "factor": 2}, f"schedule must be one of {NAMES}; got 'x'"),
        ({"name": "shift", "schedule": 5, "factor": 2}, "a schedule's config must be a mapping with a 'name', got 5"),
        ({"name": ["cosine"]}, f"schedule must be one of {NAMES}; got ['cosine'], did you mean 'cosine'?"),
        ({"name": "karras", "sigma_max": float("inf")}, "sigma_max of schedule 'karras' must be a finite number, got inf"),
        ({"name": "karras", "rho": 0}, "rho must be > 0, got 0.0"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(config, message):
    with pytest.raises(ValueError) as caught:
        ds.from_config(config)
    assert str(caught.value) == message


def test_an_unregistered_schedule_has_no_config():
    with pytest.raises(TypeError, match=r"^only a registered schedule has a config, got function: cosine, offset_cosine, "):
        ds.to_config(lambda t: ds.Rates(1 - t, t))
    other = type("cosine", (), {})()
    with pytest.raises(TypeError, match="got cosine: cosine, "):
        ds.to_config(other)


def test_an_index_depends_on_the_length_of_the_table():
    assert ds.condition_value(ds.discrete([0.5, 0.5, 0.5, 0.9]), 0.5, "index") == 1
    assert ds.condition_value(ds.cosine(), 0.5, "index") == 499
