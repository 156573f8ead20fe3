"""A small U-Net for diffusion: sinusoidal embedding, residual, down and up blocks, presets."""

from diffkit_unet.blocks import DownBlock, UpBlock
from diffkit_unet.config import CONDITIONS, FREQUENCIES, MAX_PARAMETERS
from diffkit_unet.diffusers import from_diffusers, to_diffusers
from diffkit_unet.embedding import SinusoidalEmbedding
from diffkit_unet.memory import keep_memory
from diffkit_unet.presets import PRESETS, preset
from diffkit_unet.residual import ResidualBlock
from diffkit_unet.unet import UNet

__all__ = [
    "CONDITIONS",
    "FREQUENCIES",
    "MAX_PARAMETERS",
    "PRESETS",
    "DownBlock",
    "ResidualBlock",
    "SinusoidalEmbedding",
    "UNet",
    "UpBlock",
    "from_diffusers",
    "keep_memory",
    "preset",
    "to_diffusers",
]
