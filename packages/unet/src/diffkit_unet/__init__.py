"""A small U-Net for diffusion: sinusoidal embedding, residual, down and up blocks, presets."""

from diffkit_unet.blocks import DownBlock, ResidualBlock, UpBlock
from diffkit_unet.embedding import SinusoidalEmbedding
from diffkit_unet.presets import PRESETS, preset
from diffkit_unet.unet import CONDITIONS, MAX_PARAMETERS, UNet

__all__ = [
    "CONDITIONS",
    "MAX_PARAMETERS",
    "PRESETS",
    "DownBlock",
    "ResidualBlock",
    "SinusoidalEmbedding",
    "UNet",
    "UpBlock",
    "preset",
]
