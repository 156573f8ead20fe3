"""The words that the options of sampling take, without importing what they name."""

from diffkit_cli.training.options import SCHEDULE_NAMES

__all__ = ["ALL_SCHEDULES", "FORMATS", "SAMPLERS", "SPACINGS"]

# each tuple is held to its owner's by a test

ALL_SCHEDULES = (*SCHEDULE_NAMES, "karras")
"""The schedules that need nothing but their name."""

SAMPLERS = ("ddim", "ddpm", "heun", "dpmpp_2m", "dpmpp_2m_sde", "euler_ancestral")
FORMATS = ("safetensors", "onnx", "diffusers")
SPACINGS = ("uniform", "leading", "trailing", "linspace", "quadratic", "karras", "log_snr")
