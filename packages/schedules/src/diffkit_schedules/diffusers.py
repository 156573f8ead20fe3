"""Reading the schedulers of the diffusers library and their configs."""

import math
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

from diffkit_schedules.continuous import rectified
from diffkit_schedules.diffusers_classes import IDLE, KNOWN
from diffkit_schedules.noising import prediction_name
from diffkit_schedules.rates import Schedule
from diffkit_schedules.tables import cosine_betas, discrete, linear_betas, scaled_linear_betas, sigmoid_betas
from diffkit_schedules.transforms import shift, zero_terminal_snr

__all__ = ["from_diffusers"]

_KINDS = {"linear": linear_betas, "scaled_linear": scaled_linear_betas, "sigmoid": sigmoid_betas}
_BY_ITSELF = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
"""A config that says all of these leaves nothing to the defaults of the classes that share them."""

_BY_CLASS = ("rescale_betas_zero_snr", "use_flow_sigmas", "snr_shift_scale", "shift", "invert_sigmas")
"""What changes the rates of some classes and is passed over by others."""


def from_diffusers(config: Any) -> tuple[Schedule, str]:
    """The schedule and the prediction type of a scheduler of diffusers, as (schedule, prediction).

    config: a scheduler of diffusers, or its config: the JSON of scheduler_config.json, or `scheduler.config`. What it leaves
    out takes the default of its class, and a key that its class does not have counts for nothing. The classes read are those of
    DDPM's tables of betas (DDIM, DPM-Solver, Euler, LCM ...: num_train_timesteps, beta_start, beta_end, beta_schedule,
    trained_betas, rescale_betas_zero_snr, snr_shift_scale, prediction_type) and of flow matching (shift; or use_flow_sigmas
    and flow_shift), where sigma = t before the shift and the network is told 1000 sigma. Whatever else asks for something
    (clipping, spacing, offsets, solvers) belongs to the sampler: a warning names it. The betas are float64 here and float32
    there, which differs by 1e-7 relative; where some of the classes end a rescaled table at alpha-bar = 2^-24, it is 0 here.
    A config without `_class_name`, as a scheduler made in memory has it, is read where it says all that the classes differ in.
    Raises ValueError for any other class or kind of config, by name, and for a beta_schedule, a prediction_type or a number
    that its class does not take.

    >>> from_diffusers({"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "prediction_type": "v_prediction"})
    (scaled_linear_betas(T=1000, start=0.0001, end=0.02), 'v')
    """
    kind, config = _named(config)
    said = {key: default if config.get(key) is None else config[key] for key, default in KNOWN[kind].items()}
    straight = "shift" in said or bool(said.get("use_flow_sigmas"))
    schedule = _flow(said) if straight else _table(said)
    prediction = _prediction(kind, said, straight)
    asked = [f"{key}={value!r}" for key, value in config.items() if _asks(key, value, said, straight)]
    if asked:
        warnings.warn(f"from_diffusers reads the schedule and leaves this to the sampler: {', '.join(asked)}", stacklevel=2)
    return schedule, prediction


def _named(given: Any) -> tuple[str, Mapping[str, Any]]:
    """The name of a scheduler's class, and its config."""
    config = given if isinstance(given, Mapping) else getattr(given, "config", None)
    if not isinstance(config, Mapping):
        raise ValueError(f"a scheduler config is a mapping, got {type(given).__name__}: pass it, or the scheduler itself")
    kind = config.get("_class_name") if config is given else type(given).__name__
    if kind is None:
        if any(config.get(key) is None for key in _BY_ITSELF) or any(config.get(key) for key in _BY_CLASS):
            raise ValueError(
                "a scheduler's config without '_class_name' leaves open what its class decides: pass the scheduler itself,"
                " or add its class, as in dict(config, _class_name='DDIMScheduler')"
            )
        kind = "EulerDiscreteScheduler"  # of those that share these keys the one with the most
    if not isinstance(kind, str) or kind not in KNOWN:
        raise ValueError(f"{kind} is not read here: build its schedule yourself, such as karras(sigma_min, sigma_max)")
    return kind, config


def _table(said: Mapping[str, Any]) -> Schedule:
    steps, betas = _number("num_train_timesteps", said, int), said["beta_schedule"]
    kinds = (*_KINDS, "squaredcos_cap_v2") if "beta_start" in said else ("squaredcos_cap_v2",)
    schedule: Schedule
    if said.get("trained_betas") is not None:
        schedule = discrete(said["trained_betas"])
    elif betas not in kinds:
        raise ValueError(f"beta_schedule must be one of {', '.join(map(repr, kinds))}; got {betas!r:.60}")
    elif betas == "squaredcos_cap_v2":
        schedule = cosine_betas(steps)
    else:
        schedule = _KINDS[betas](steps, _number("beta_start", said), _number("beta_end", said))
    factor = math.sqrt(_number("snr_shift_scale", said)) if "snr_shift_scale" in said else 1.0
    schedule = schedule if factor == 1 else shift(schedule, factor)
    return zero_terminal_snr(schedule) if said.get("rescale_betas_zero_snr") else schedule


def _flow(said: Mapping[str, Any]) -> Schedule:
    if said.get("use_dynamic_shifting"):
        raise ValueError("use_dynamic_shifting depends on the image's size: give its value yourself, shift(rectified(), exp(mu))")
    if said.get("invert_sigmas"):
        raise ValueError("invert_sigmas turns time and the network's output round: build its schedule yourself")
    factor = _number("shift" if "shift" in said else "flow_shift", said)
    return rectified() if factor == 1 else shift(rectified(), factor)


def _prediction(kind: str, said: Mapping[str, Any], straight: bool) -> str:
    name = prediction_name(said.get("prediction_type", "flow_prediction" if straight else "epsilon"))
    if straight and name == "v":
        raise ValueError(
            f"prediction_type of {kind} with use_flow_sigmas must be epsilon, sample or flow_prediction, got {name!r}"
        )
    if not straight and name == "flow":
        raise ValueError(f"prediction_type 'flow_prediction' of {kind} needs use_flow_sigmas=True, which is not in its config")
    if name == "v" and said.get("timestep_type") == "continuous":
        raise ValueError(f"timestep_type 'continuous' of {kind} tells the network log(sigma) / 4, from beyond the table's end")
    return name


def _number(key: str, said: Mapping[str, Any], kind: type = float) -> Any:
    value = said[key]
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value) or kind(value) != value:
        raise ValueError(f"{key} must be {'an integer' if kind is int else 'a finite number'}, got {value!r:.60}")
    return kind(value)


def _asks(key: str, value: Any, said: Mapping[str, Any], straight: bool) -> bool:
    if key == "num_train_timesteps" and straight:
        return bool(value != 1000)
    return not key.startswith("_") and key not in said and value is not None and value != IDLE.get(key)
