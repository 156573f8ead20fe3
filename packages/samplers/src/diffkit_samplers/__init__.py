"""Samplers for any denoiser and any array library: methods, grids, noise sources, wrappers of denoise, latents."""

from diffkit_samplers.ddim import ddim, ddpm, euler_ancestral
from diffkit_samplers.denoise import Denoise, Denoiser, Estimate, denoiser
from diffkit_samplers.dpmpp import dpmpp_2m, dpmpp_2m_sde
from diffkit_samplers.encode import encode
from diffkit_samplers.finite import NotFiniteError
from diffkit_samplers.grids import SPACINGS, grid
from diffkit_samplers.guidance import guide
from diffkit_samplers.heun import heun
from diffkit_samplers.latents import slerp
from diffkit_samplers.loop import Move, State, Update
from diffkit_samplers.noise import Source, seeded
from diffkit_samplers.resampling import resample
from diffkit_samplers.steps import step
from diffkit_samplers.trajectory import METHODS, trajectory
from diffkit_samplers.wrappers import clip, dynamic_threshold, fixed_large, inpaint

__all__ = [
    "METHODS",
    "SPACINGS",
    "Denoise",
    "Denoiser",
    "Estimate",
    "Move",
    "NotFiniteError",
    "Source",
    "State",
    "Update",
    "clip",
    "ddim",
    "ddpm",
    "denoiser",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dynamic_threshold",
    "encode",
    "euler_ancestral",
    "fixed_large",
    "grid",
    "guide",
    "heun",
    "inpaint",
    "resample",
    "seeded",
    "slerp",
    "step",
    "trajectory",
]
