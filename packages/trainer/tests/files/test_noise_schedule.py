"""Schedules from configs of any origin."""

import pytest
from diffkit_schedules import cosine, to_config
from diffkit_trainer import read_schedule


def test_a_schedule_round_trips():
    assert read_schedule(to_config(cosine()))(0.3) == cosine()(0.3)


@pytest.mark.parametrize(
    "config",
    [
        {"name": "linear_betas", "T": 10**12},
        {"name": "shift", "factor": 2.0, "schedule": {"name": "linear_betas", "T": 10**12}},
        {"name": "nonesuch"},
        {"name": "cosine", "s": "x"},
        {},
        {"name": "karras", "sigma_min": 1e-320, "sigma_max": 1e308, "rho": 1e-3},
    ],
)
def test_other_configs_are_refused(config):
    with pytest.raises(ValueError, match=r"^schedule: ") as caught:
        read_schedule(config)
    assert "\n" not in str(caught.value)
