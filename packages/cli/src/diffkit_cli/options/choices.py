"""The words that options take, told without reading what they name: neither help nor completion waits for NumPy or torch."""

__all__ = [
    *("ALL_SCHEDULES", "FORMATS", "LEARNING_RATES", "LOSSES", "NORMALISATIONS", "PRECISIONS", "PREDICTIONS", "PRESETS"),
    *("SAMPLERS", "SCHEDULE_NAMES", "SPACINGS", "TIMES", "WEIGHTINGS"),
]

# each tuple is held to its owner's by a test

PRESETS = ("tutorial", "small", "tiny", "medium", "ddpm-cifar10", "ddpm-64")
"""The networks of `diffkit_unet.PRESETS`."""

SCHEDULE_NAMES = (
    *("cosine", "offset_cosine", "linear", "sigmoid", "rectified"),
    *("linear_betas", "scaled_linear_betas", "cosine_betas", "sigmoid_betas"),
)
"""The schedules a run can be trained on by name; karras is left out because its x is not of unit variance."""

ALL_SCHEDULES = (*SCHEDULE_NAMES, "karras")
"""The schedules that need nothing but their name."""

PREDICTIONS = ("eps", "x0", "v", "flow")
WEIGHTINGS = ("uniform", "snr", "min_snr")
LOSSES = ("mae", "mse", "huber")
TIMES = ("uniform", "logit_normal", "stratified")
NORMALISATIONS = ("data", "range")
LEARNING_RATES = ("constant", "cosine")
PRECISIONS = ("fp32", "bf16", "fp16")
SAMPLERS = ("ddim", "ddpm", "heun", "dpmpp_2m", "dpmpp_2m_sde", "euler_ancestral")
FORMATS = ("safetensors", "onnx", "diffusers")
SPACINGS = ("uniform", "leading", "trailing", "linspace", "quadratic", "karras", "log_snr")
