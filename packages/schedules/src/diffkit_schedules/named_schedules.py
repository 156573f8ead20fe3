"""The registry of schedules: one line here registers a class by its name."""

from diffkit_schedules.registry import Registry

__all__ = ["SCHEDULES"]

SCHEDULES = Registry(
    "diffkit.schedules",
    {
        "cosine": "diffkit_schedules.continuous:cosine",
        "offset_cosine": "diffkit_schedules.continuous:offset_cosine",
        "linear": "diffkit_schedules.continuous:linear",
        "sigmoid": "diffkit_schedules.continuous:sigmoid",
        "rectified": "diffkit_schedules.continuous:rectified",
        "karras": "diffkit_schedules.continuous:karras",
        "discrete": "diffkit_schedules.beta_tables:discrete",
        "linear_betas": "diffkit_schedules.beta_tables:linear_betas",
        "scaled_linear_betas": "diffkit_schedules.beta_tables:scaled_linear_betas",
        "cosine_betas": "diffkit_schedules.beta_tables:cosine_betas",
        "sigmoid_betas": "diffkit_schedules.beta_tables:sigmoid_betas",
        "shift": "diffkit_schedules.transforms:shift",
        "zero_terminal_snr": "diffkit_schedules.transforms:zero_terminal_snr",
    },
)
"""The classes of schedules by name; other distributions add theirs in the entry-point group "diffkit.schedules"."""
