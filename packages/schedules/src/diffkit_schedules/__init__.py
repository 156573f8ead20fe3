"""Noise schedules as a pair of rates, noising, and prediction types by one 2x2 inverse."""

from diffkit_schedules.arrays import Array, as_array_of, combine, filled, is_torch, namespace, normal
from diffkit_schedules.conditioning import CONDITIONS, condition_value, timesteps_of
from diffkit_schedules.config import SCHEDULES, from_config, to_config
from diffkit_schedules.continuous import cosine, karras, linear, offset_cosine, rectified, sigmoid
from diffkit_schedules.diffusers import from_diffusers
from diffkit_schedules.diffusers_out import to_diffusers
from diffkit_schedules.inverse import times_of
from diffkit_schedules.noising import PREDICTIONS, add_noise, prediction_name, target, to_eps, to_x0
from diffkit_schedules.rates import Rates, Schedule, rates_at
from diffkit_schedules.tables import cosine_betas, discrete, linear_betas, scaled_linear_betas, sigmoid_betas
from diffkit_schedules.transforms import shift, zero_terminal_snr
from diffkit_schedules.weights import WEIGHTS, weight

__all__ = [
    "CONDITIONS",
    "PREDICTIONS",
    "SCHEDULES",
    "WEIGHTS",
    "Array",
    "Rates",
    "Schedule",
    "add_noise",
    "as_array_of",
    "combine",
    "condition_value",
    "cosine",
    "cosine_betas",
    "discrete",
    "filled",
    "from_config",
    "from_diffusers",
    "is_torch",
    "karras",
    "linear",
    "linear_betas",
    "namespace",
    "normal",
    "offset_cosine",
    "prediction_name",
    "rates_at",
    "rectified",
    "scaled_linear_betas",
    "shift",
    "sigmoid",
    "sigmoid_betas",
    "target",
    "times_of",
    "timesteps_of",
    "to_config",
    "to_diffusers",
    "to_eps",
    "to_x0",
    "weight",
    "zero_terminal_snr",
]
