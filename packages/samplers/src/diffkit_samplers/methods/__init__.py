"""Sampling methods, one file for each update.

A method imports `sampler`, `Step`, `multistep`, `ancestral` and array functions, and no other method's file.
To add a method, write its file here and add its line to METHODS and to the package's `__init__.pyi`.
"""

from diffkit_schedules.registry import Registry

__all__ = ["METHODS"]

METHODS = Registry(
    "diffkit.samplers",
    {
        "ddim": "diffkit_samplers.methods.ddim:ddim",
        "ddpm": "diffkit_samplers.methods.ddim:ddpm",
        "euler_ancestral": "diffkit_samplers.methods.ddim:euler_ancestral",
        "heun": "diffkit_samplers.methods.heun:heun",
        "heun_churn": "diffkit_samplers.methods.heun:heun_churn",
        "dpmpp_2m": "diffkit_samplers.methods.dpmpp:dpmpp_2m",
        "dpmpp_2m_sde": "diffkit_samplers.methods.dpmpp:dpmpp_2m_sde",
        "dpmpp_3m": "diffkit_samplers.methods.dpmpp:dpmpp_3m",
        "dpmpp_3m_sde": "diffkit_samplers.methods.dpmpp:dpmpp_3m_sde",
        "dpmpp_2s_ancestral": "diffkit_samplers.methods.dpmpp_2s:dpmpp_2s_ancestral",
        "deis": "diffkit_samplers.methods.deis:deis",
        "deis_2": "diffkit_samplers.methods.deis:deis_2",
        "unipc_2": "diffkit_samplers.methods.unipc:unipc_2",
        "unipc_3": "diffkit_samplers.methods.unipc:unipc_3",
        "ab_2": "diffkit_samplers.methods.adams_bashforth:ab_2",
        "ab_3": "diffkit_samplers.methods.adams_bashforth:ab_3",
        "lms": "diffkit_samplers.methods.adams_bashforth:lms",
        "lms_3": "diffkit_samplers.methods.adams_bashforth:lms_3",
        "lcm": "diffkit_samplers.methods.consistency:lcm",
        "tcd": "diffkit_samplers.methods.consistency:tcd",
    },
)
"""The samplers by name; other distributions add theirs in the entry-point group "diffkit.samplers"."""
