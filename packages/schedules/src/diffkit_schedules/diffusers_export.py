"""Writes schedules as scheduler configs of the diffusers library."""

import math
from itertools import pairwise
from typing import Any

from diffkit_schedules.beta_tables import cosine_betas, linear_betas, scaled_linear_betas
from diffkit_schedules.discrete_schedule import Table
from diffkit_schedules.predictions import prediction_name
from diffkit_schedules.rates import Schedule
from diffkit_schedules.transforms import zero_terminal_snr

__all__ = ["to_diffusers"]

PREDICTIONS = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}
LINEAR = {linear_betas: "linear", scaled_linear_betas: "scaled_linear"}
T = 1000
"""The number of steps in the table of a continuous schedule."""


def to_diffusers(schedule: Schedule, prediction: str) -> dict[str, Any]:
    """The config of diffusers' DDIMScheduler that samples on this schedule as `ddim` does with "uniform" spacing.

    A table becomes beta_start, beta_end and beta_schedule where diffusers has its name, and trained_betas otherwise; a continuous
    schedule becomes trained_betas, beta_i = 1 - (alpha_i / alpha_{i-1})^2 at t = (i + 1) / 1000. The
    spacing is "trailing", which is "uniform" of a table, and x0 is not clipped. `from_diffusers` inverts it, and returns
    `discrete` for trained_betas. Raises ValueError for flow, and for a schedule where alpha^2 + sigma^2 is not 1.

    >>> config = to_diffusers(linear_betas(), "v")
    >>> config["beta_schedule"], config["prediction_type"], config["timestep_spacing"]
    ('linear', 'v_prediction', 'trailing')
    """
    kind = prediction_name(prediction)
    if kind not in PREDICTIONS:
        raise ValueError(f"prediction must be one of {', '.join(map(repr, PREDICTIONS))} for diffusers' tables, got {kind!r}")
    return {
        "_class_name": "DDIMScheduler",
        **_betas(schedule),
        "prediction_type": PREDICTIONS[kind],
        "timestep_spacing": "trailing",
        "steps_offset": 0,
        "set_alpha_to_one": True,
        "clip_sample": False,
    }


def _betas(schedule: Schedule) -> dict[str, Any]:
    if isinstance(schedule, zero_terminal_snr) and isinstance(schedule.schedule, Table):
        return _betas(schedule.schedule) | {"rescale_betas_zero_snr": True}
    if isinstance(schedule, linear_betas | scaled_linear_betas):
        ends = {"beta_start": schedule.start, "beta_end": schedule.end}
        return {"num_train_timesteps": schedule.T, "beta_schedule": LINEAR[type(schedule)], **ends}
    if isinstance(schedule, cosine_betas) and schedule == cosine_betas(schedule.T):
        return {"num_train_timesteps": schedule.T, "beta_schedule": "squaredcos_cap_v2"}
    steps = int(getattr(schedule, "timesteps", T))
    rates = [schedule((i + 1) / steps) for i in range(steps)]
    for i, (alpha, sigma) in enumerate(rates):
        total = alpha**2 + sigma**2
        if not math.isclose(total, 1):
            raise ValueError(f"alpha^2 + sigma^2 must be 1 for diffusers' tables, got {total:.3g} at t = {(i + 1) / steps:g}")
    bars = [1.0, *(alpha**2 for alpha, _ in rates)]
    betas = [1 - after / before if before else 1.0 for before, after in pairwise(bars)]
    return {"num_train_timesteps": steps, "trained_betas": betas}
