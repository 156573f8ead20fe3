"""Trains super-resolution on pairs of images, and restores images that it was not trained on.

    pip install diffkit-cli
    python paired_images.py runs/pairs

The pairs are two folders of files of the same names; so are those of colouring, or of maps and photographs. The command does the
same: `diffkit train HIGH --given LOW`, then `diffkit sample RUN --given IMAGE`.
"""

import argparse
from pathlib import Path

import torch
from diffkit_cli import train
from diffkit_trainer import open_images, save_images
from torch import Tensor

HELD_OUT = 10


def averages(images: Tensor) -> Tensor:
    """Images of half the size."""
    return torch.nn.functional.avg_pool2d(images.float(), 2)


def write_pairs(folder: Path) -> tuple[Path, Path, list[Path]]:
    """The digits of 8x8 pixels, the same of 4x4, and the files of 4x4 digits that are not among them."""
    digits = open_images("digits").pixels
    low = averages(digits).round().to(torch.uint8)
    save_images(digits[HELD_OUT:], folder / "high")
    save_images(low[HELD_OUT:], folder / "low")
    return folder / "high", folder / "low", save_images(low[:HELD_OUT], folder / "given")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    chosen = parser.parse_args()
    high, low, given = write_pairs(chosen.out / "data")
    run = train(high, chosen.out / "run", given=low, size=8, given_size=4, steps=chosen.steps)
    made = run.sample(len(given), given=given, steps=20)
    made.save(chosen.out / "restored.png")
    off = averages(made.pixels) - averages(open_images("digits").pixels[:HELD_OUT])
    print(f"the 4x4 averages of restored.png are off by {off.square().mean().sqrt():.1f} of 255")
