"""Samplers for any denoiser and any array library: DDIM and DDPM, their grids, noise sources and latents."""

from diffkit_samplers.ddim import ddim, ddpm
from diffkit_samplers.denoise import Denoise, Estimate, denoiser
from diffkit_samplers.grids import SPACINGS, grid
from diffkit_samplers.latents import slerp
from diffkit_samplers.loop import Move, State, Update
from diffkit_samplers.noise import Source, seeded
from diffkit_samplers.steps import step
from diffkit_samplers.trajectory import METHODS, trajectory
from diffkit_samplers.wrappers import clip

__all__ = [
    "METHODS",
    "SPACINGS",
    "Denoise",
    "Estimate",
    "Move",
    "Source",
    "State",
    "Update",
    "clip",
    "ddim",
    "ddpm",
    "denoiser",
    "grid",
    "seeded",
    "slerp",
    "step",
    "trajectory",
]
