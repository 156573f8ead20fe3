"""Every schedule with a name: its parameters."""

from dataclasses import MISSING, fields
from typing import Any

import diffkit_schedules as ds

DEFAULTS: dict[str, dict[str, Any]] = {
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
