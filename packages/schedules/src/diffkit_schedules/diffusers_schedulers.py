"""The supported scheduler classes of the diffusers library, each with its defaults."""

from typing import Any

__all__ = ["SUPPORTED", "WITHOUT_EFFECT"]

_TABLE = {
    **{"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "trained_betas": None},
    "prediction_type": "epsilon",
}
_RESCALED = {**_TABLE, "rescale_betas_zero_snr": False}
_KARRAS = {**_TABLE, "beta_start": 0.00085, "beta_end": 0.012}
_LATENT = {**_RESCALED, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_VIDEO = {**_LATENT, "snr_shift_scale": 3.0}
_SOLVER = {**_TABLE, "use_flow_sigmas": False, "flow_shift": 1.0}
_STRAIGHT = {"num_train_timesteps": 1000, "shift": 1.0}
_DYNAMIC = {"use_dynamic_shifting": False}

SUPPORTED: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("DDIMScheduler", "DDIMParallelScheduler", "DDIMInverseScheduler"), _RESCALED),
    **dict.fromkeys(("DDPMScheduler", "DDPMParallelScheduler", "EulerAncestralDiscreteScheduler"), _RESCALED),
    **dict.fromkeys(("PNDMScheduler", "LMSDiscreteScheduler"), _TABLE),
    **dict.fromkeys(("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler"), _KARRAS),
    "DPMSolverSDEScheduler": _KARRAS,
    **dict.fromkeys(("LCMScheduler", "TCDScheduler"), _LATENT),
    **dict.fromkeys(("CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"), _VIDEO),
    **dict.fromkeys(("DPMSolverMultistepInverseScheduler", "SASolverScheduler"), _SOLVER),
    **dict.fromkeys(("DEISMultistepScheduler", "DPMSolverSinglestepScheduler"), _SOLVER | _DYNAMIC),
    **dict.fromkeys(("DPMSolverMultistepScheduler", "UniPCMultistepScheduler"), _SOLVER | _DYNAMIC | _RESCALED),
    "EulerDiscreteScheduler": {**_RESCALED, "timestep_type": "discrete"},
    "RePaintScheduler": {key: value for key, value in _TABLE.items() if key != "prediction_type"},
    "UnCLIPScheduler": {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "epsilon"},
    "FlowMatchHeunDiscreteScheduler": _STRAIGHT,
    **dict.fromkeys(
        ("FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"), _STRAIGHT | _DYNAMIC | {"invert_sigmas": False}
    ),
}
"""Every supported class: the parameters that its rates and its network's output depend on, with their defaults."""

WITHOUT_EFFECT: dict[str, Any] = {
    "clip_sample": False,
    "clip_sample_range": 1.0,
    "thresholding": False,
    "dynamic_thresholding_ratio": 0.995,
    "sample_max_value": 1.0,
    "variance_type": "fixed_small",
    "steps_offset": 0,
    "set_alpha_to_one": True,
    "eta": 0.0,
    "skip_prk_steps": True,
    "solver_type": "midpoint",
    "lower_order_final": True,
    "euler_at_final": False,
    "disable_corrector": [],
    "final_sigmas_type": "zero",
    "lambda_min_clipped": -float("inf"),
    "interpolation_type": "linear",
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "use_flow_sigmas": False,
    "flow_shift": 1.0,
    "rescale_betas_zero_snr": False,
    "use_dynamic_shifting": False,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
    "time_shift_type": "exponential",
    "stochastic_sampling": False,
    "upscale_mode": "bicubic",
}
"""Settings at which a sampler does nothing special: `from_diffusers` does not warn of them."""
