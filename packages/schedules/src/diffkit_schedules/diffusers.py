"""Reading the scheduler configs of the diffusers library."""

import warnings
from collections.abc import Mapping
from typing import Any

from diffkit_schedules.continuous import rectified
from diffkit_schedules.noising import prediction_name
from diffkit_schedules.rates import Schedule
from diffkit_schedules.tables import cosine_betas, discrete, linear_betas, scaled_linear_betas, sigmoid_betas
from diffkit_schedules.transforms import shift, zero_terminal_snr

__all__ = ["from_diffusers"]

_SCHEDULE_KEYS = {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"}
_SCHEDULE_KEYS |= {"prediction_type", "shift"}

_OTHERS = ("EDM", "KarrasVe", "ScoreSde", "VQDiffusion", "CMStochastic")

_IDLE: dict[str, tuple[Any, ...]] = {
    "clip_sample": (False,),
    "clip_sample_range": (1.0,),
    "thresholding": (False,),
    "dynamic_thresholding_ratio": (0.995,),
    "sample_max_value": (1.0,),
    "variance_type": ("fixed_small", None),
    "timestep_spacing": (),
    "steps_offset": (0,),
    "set_alpha_to_one": (True,),
    "skip_prk_steps": (False, True),
    "solver_order": (),
    "solver_type": ("midpoint",),
    "algorithm_type": (),
    "lower_order_final": (True,),
    "euler_at_final": (False,),
    "final_sigmas_type": ("zero",),
    "lambda_min_clipped": (),
    "interpolation_type": ("linear",),
    "use_karras_sigmas": (False, None),
    "use_exponential_sigmas": (False, None),
    "use_beta_sigmas": (False, None),
    "use_lu_lambdas": (False, None),
    "use_flow_sigmas": (False, None),
    "flow_shift": (1.0, None),
    "use_dynamic_shifting": (False,),
    "base_shift": (0.5, None),
    "max_shift": (1.15, None),
    "base_image_seq_len": (256, None),
    "max_image_seq_len": (4096, None),
    "time_shift_type": ("exponential",),
    "shift_terminal": (None,),
    "invert_sigmas": (False,),
    "stochastic_sampling": (False,),
}
"""Keys that are the sampler's business, with the values that ask for nothing that a schedule would have to say."""


def from_diffusers(config: Mapping[str, Any]) -> tuple[Schedule, str]:
    """The schedule and the prediction type of a diffusers scheduler_config, as (schedule, prediction).

    config: the JSON of scheduler_config.json, or `scheduler.config`. Of DDPM, DDIM, DPM-Solver and the like it honours
    num_train_timesteps, beta_start, beta_end, beta_schedule (linear, scaled_linear, squaredcos_cap_v2, sigmoid), trained_betas,
    rescale_betas_zero_snr and prediction_type; of the flow-matching ones shift, with prediction "flow" and sigma = t before
    the shift (their networks are told 1000 sigma). What is left out takes diffusers' default. Whatever else asks for something
    (clipping, spacing, offsets, solvers) belongs to the sampler: a warning names it. The betas are float64 here and float32
    there, which differs by 1e-7 relative.
    Raises ValueError for a config that is no mapping, an unknown beta_schedule or prediction_type, dynamic shifting, and the
    schedulers of EDM, score SDEs and vector quantisation.

    >>> from_diffusers({"_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "prediction_type": "v_prediction"})
    (scaled_linear_betas(T=1000, start=0.0001, end=0.02), 'v')
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"a scheduler config is a mapping, got {type(config).__name__}")
    kind = str(config.get("_class_name", ""))
    if kind.startswith(_OTHERS):
        raise ValueError(f"{kind} is not read here: build its schedule yourself, such as karras(sigma_min, sigma_max)")
    flow = "FlowMatch" in kind or config.get("prediction_type") == "flow_prediction" or bool(config.get("use_flow_sigmas"))
    schedule, prediction = (
        (_flow(config), "flow") if flow else (_table(config), prediction_name(_get(config, "prediction_type", "epsilon")))
    )
    asked = [f"{key}={value!r}" for key, value in config.items() if _asks(key, value, flow)]
    if asked:
        warnings.warn(f"from_diffusers reads the schedule and leaves this to the sampler: {', '.join(asked)}", stacklevel=2)
    return schedule, prediction


def _table(config: Mapping[str, Any]) -> Schedule:
    timesteps, kind = int(_get(config, "num_train_timesteps", 1000)), _get(config, "beta_schedule", "linear")
    start, end = float(_get(config, "beta_start", 1e-4)), float(_get(config, "beta_end", 0.02))
    kinds = {"linear": linear_betas, "scaled_linear": scaled_linear_betas, "sigmoid": sigmoid_betas}
    schedule: Schedule
    if config.get("trained_betas") is not None:
        schedule = discrete(config["trained_betas"])
    elif kind == "squaredcos_cap_v2":
        schedule = cosine_betas(timesteps)
    elif kind in kinds:
        schedule = kinds[kind](timesteps, start, end)
    else:
        raise ValueError(f"beta_schedule must be one of {', '.join(map(repr, [*kinds, 'squaredcos_cap_v2']))}; got {kind!r}")
    return zero_terminal_snr(schedule) if config.get("rescale_betas_zero_snr") else schedule


def _flow(config: Mapping[str, Any]) -> Schedule:
    if config.get("use_dynamic_shifting"):
        raise ValueError("use_dynamic_shifting depends on the image's size: give its value yourself, shift(rectified(), exp(mu))")
    factor = float(_get(config, "shift", _get(config, "flow_shift", 1.0)))
    return rectified() if factor == 1 else shift(rectified(), factor)


def _get(config: Mapping[str, Any], key: str, default: Any) -> Any:
    return default if config.get(key) is None else config[key]


def _asks(key: str, value: Any, flow: bool) -> bool:
    if flow and key == "num_train_timesteps":
        return bool(value != 1000)
    if key.startswith("_") or key in _SCHEDULE_KEYS or (flow and key in ("use_flow_sigmas", "flow_shift")):
        return False
    return value is not None and value not in _IDLE.get(key, ())
