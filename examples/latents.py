"""Trains in the latent space of an autoencoder that is given, and decodes the samples.

    pip install diffkit-cli
    python latents.py runs/latents

The autoencoder here is linear, the principal components of the digits' 2x2 patches, so that the example needs no download. Put
yours in its place: encode(pixels) -> float32 (N, C, *space), and decode, its inverse.
"""

import argparse
from pathlib import Path

import torch
from diffkit_cli import train
from diffkit_trainer import Images, open_images, save_images
from torch import Tensor
from torch.nn import functional


class Autoencoder:
    """Images (N, 1, H, W) as latents (N, 3, H / 2, W / 2): three of the four principal components of 2x2 patches."""

    def __init__(self, pixels: Tensor) -> None:
        patches = functional.pixel_unshuffle(pixels.float() / 255, 2).movedim(1, -1).reshape(-1, 4)
        self.mean = patches.mean(0)
        self.components = torch.linalg.eigh(torch.cov((patches - self.mean).T)).eigenvectors[:, 1:]  # (4, 3)

    def encode(self, pixels: Tensor) -> Tensor:
        patches = functional.pixel_unshuffle(pixels.float() / 255, 2).movedim(1, -1)
        return ((patches - self.mean) @ self.components).movedim(-1, 1)

    def decode(self, latents: Tensor) -> Tensor:
        patches = (latents.movedim(1, -1) @ self.components.T + self.mean).movedim(-1, 1)
        return functional.pixel_shuffle(255 * patches.clamp(0, 1), 2).round().to(torch.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    chosen = parser.parse_args()
    digits = open_images("digits")
    autoencoder = Autoencoder(digits.pixels)
    latents = Images(autoencoder.encode(digits.pixels), digits.labels, digits.classes, name="latents")
    run = train(latents, chosen.out, steps=chosen.steps)  # normalised by the latents' own mean and deviation per channel
    save_images(autoencoder.decode(run.sample(20, steps=20).pixels), chosen.out / "digits.png")
