"""A small U-Net for diffusion: sinusoidal embedding, residual, down and up blocks, presets."""

from diffkit_unet.blocks import DownBlock, ResidualBlock, UpBlock
from diffkit_unet.embedding import SinusoidalEmbedding

__all__ = ["DownBlock", "ResidualBlock", "SinusoidalEmbedding", "UpBlock"]
