"""Reads the schedulers of the diffusers library and their configs."""

import math
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

from diffkit_schedules.beta_tables import cosine_betas, discrete, linear_betas, scaled_linear_betas, sigmoid_betas
from diffkit_schedules.continuous import rectified
from diffkit_schedules.diffusers_schedulers import SUPPORTED, WITHOUT_EFFECT
from diffkit_schedules.predictions import prediction_name
from diffkit_schedules.rates import Schedule
from diffkit_schedules.transforms import shift, zero_terminal_snr

__all__ = ["from_diffusers"]

_KINDS = {"linear": linear_betas, "scaled_linear": scaled_linear_betas, "sigmoid": sigmoid_betas}
_ENOUGH_WITHOUT_CLASS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
"""A config with all of these keys does not depend on the defaults of its class."""

_DEPENDS_ON_CLASS = ("rescale_betas_zero_snr", "use_flow_sigmas", "snr_shift_scale", "shift", "invert_sigmas")
"""Keys that change the rates of some classes and are ignored by others."""


def from_diffusers(config: Any) -> tuple[Schedule, str]:
    """The schedule and the prediction type of a scheduler of diffusers, as (schedule, prediction).

    config: a scheduler of diffusers, or its config: the JSON of scheduler_config.json, or `scheduler.config`. A missing key has
    the default of its class, and a key that its class does not have is ignored. The supported classes are those with DDPM's
    tables of betas (DDIM, DPM-Solver, Euler, LCM ...: num_train_timesteps, beta_start, beta_end, beta_schedule, trained_betas,
    rescale_betas_zero_snr, snr_shift_scale, prediction_type) and those of flow matching (shift; or use_flow_sigmas and
    flow_shift), where sigma = t before the shift and the network is conditioned on 1000 sigma. All other settings (clipping,
    spacing, offsets, solvers) belong to the sampler: a warning names them. The betas are float64 here and float32 in diffusers,
    a relative difference of 1e-7. Some classes end a rescaled table at alpha-bar = 2^-24; here it is 0.
    A config without `_class_name`, as a scheduler in memory has it, is accepted where it has every key in which classes differ.
    Raises ValueError for any other class or kind of config, and for a beta_schedule, a prediction_type or a number that its
    class does not accept.

    >>> from_diffusers({"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "prediction_type": "v_prediction"})
    (scaled_linear_betas(T=1000, start=0.0001, end=0.02), 'v')
    """
    kind, config = _named(config)
    settings = {key: default if config.get(key) is None else config[key] for key, default in SUPPORTED[kind].items()}
    is_flow = "shift" in settings or bool(settings.get("use_flow_sigmas"))
    schedule = _flow(settings) if is_flow else _table(settings)
    prediction = _prediction(kind, settings, is_flow)
    ignored = [f"{key}={value!r}" for key, value in config.items() if _is_ignored(key, value, settings, is_flow)]
    if ignored:
        warnings.warn(f"from_diffusers reads the schedule and leaves this to the sampler: {', '.join(ignored)}", stacklevel=2)
    return schedule, prediction


def _named(scheduler: Any) -> tuple[str, Mapping[str, Any]]:
    """The name of a scheduler's class, and its config."""
    config = scheduler if isinstance(scheduler, Mapping) else getattr(scheduler, "config", None)
    if not isinstance(config, Mapping):
        raise ValueError(f"a scheduler config is a mapping, got {type(scheduler).__name__}: pass it, or the scheduler itself")
    kind = config.get("_class_name") if config is scheduler else type(scheduler).__name__
    if kind is None:
        if any(config.get(key) is None for key in _ENOUGH_WITHOUT_CLASS) or any(config.get(key) for key in _DEPENDS_ON_CLASS):
            raise ValueError(
                "a scheduler's config without '_class_name' does not determine its class: pass the scheduler itself,"
                " or add its class, as in dict(config, _class_name='DDIMScheduler')"
            )
        kind = "EulerDiscreteScheduler"  # the class with the most of these keys
    if not isinstance(kind, str) or kind not in SUPPORTED:
        raise ValueError(f"{kind} is not supported: build its schedule directly, such as karras(sigma_min, sigma_max)")
    return kind, config


def _table(settings: Mapping[str, Any]) -> Schedule:
    steps, betas = _number("num_train_timesteps", settings, int), settings["beta_schedule"]
    kinds = (*_KINDS, "squaredcos_cap_v2") if "beta_start" in settings else ("squaredcos_cap_v2",)
    schedule: Schedule
    if settings.get("trained_betas") is not None:
        schedule = discrete(settings["trained_betas"])
    elif betas not in kinds:
        raise ValueError(f"beta_schedule must be one of {', '.join(map(repr, kinds))}; got {betas!r:.60}")
    elif betas == "squaredcos_cap_v2":
        schedule = cosine_betas(steps)
    else:
        schedule = _KINDS[betas](steps, _number("beta_start", settings), _number("beta_end", settings))
    factor = math.sqrt(_number("snr_shift_scale", settings)) if "snr_shift_scale" in settings else 1.0
    schedule = schedule if factor == 1 else shift(schedule, factor)
    return zero_terminal_snr(schedule) if settings.get("rescale_betas_zero_snr") else schedule


def _flow(settings: Mapping[str, Any]) -> Schedule:
    if settings.get("use_dynamic_shifting"):
        raise ValueError(
            "use_dynamic_shifting depends on the image size: build the schedule directly, shift(rectified(), exp(mu))"
        )
    if settings.get("invert_sigmas"):
        raise ValueError("invert_sigmas reverses time and the sign of the output: build the schedule directly")
    factor = _number("shift" if "shift" in settings else "flow_shift", settings)
    return rectified() if factor == 1 else shift(rectified(), factor)


def _prediction(kind: str, settings: Mapping[str, Any], is_flow: bool) -> str:
    name = prediction_name(settings.get("prediction_type", "flow_prediction" if is_flow else "epsilon"))
    if is_flow and name == "v":
        raise ValueError(
            f"prediction_type of {kind} with use_flow_sigmas must be epsilon, sample or flow_prediction, got {name!r}"
        )
    if not is_flow and name == "flow":
        raise ValueError(f"prediction_type 'flow_prediction' of {kind} needs use_flow_sigmas=True in its config")
    if name == "v" and settings.get("timestep_type") == "continuous":
        raise ValueError(f"timestep_type 'continuous' of {kind} conditions the network on log(sigma) / 4, beyond the table's end")
    return name


def _number(key: str, settings: Mapping[str, Any], kind: type = float) -> Any:
    value = settings[key]
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value) or kind(value) != value:
        raise ValueError(f"{key} must be {'an integer' if kind is int else 'a finite number'}, got {value!r:.60}")
    return kind(value)


def _is_ignored(key: str, value: Any, settings: Mapping[str, Any], is_flow: bool) -> bool:
    if key == "num_train_timesteps" and is_flow:
        return bool(value != 1000)
    return not key.startswith("_") and key not in settings and value is not None and value != WITHOUT_EFFECT.get(key)
