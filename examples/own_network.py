"""Trains a network of your own on the digits, and samples from the run.

    pip install diffkit-cli
    python own_network.py runs/own

The command does the same: `diffkit train digits --network own_network:build`, then `diffkit sample RUN` with that option too.
"""

import argparse

import torch
from diffkit_cli import train
from torch import Tensor, nn


class Convolutions(nn.Module):
    """Residual 3x3 convolutions; each is moved by the noise level and by the class."""

    condition = "time"  # what `condition` is in forward: 0 for the data, 1 for noise
    null_class = True  # the label num_classes is "no class", for guidance

    def __init__(self, channels: int, num_classes: int | None, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.first, self.last = (nn.Conv2d(*ends, 3, padding=1) for ends in ((channels, width), (width, channels)))
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.levels = nn.ModuleList(nn.Linear(2, width) for _ in range(depth))
        self.classes = nn.Embedding((num_classes or 0) + 1, width)

    def forward(self, x: Tensor, condition: Tensor, class_labels: Tensor | None = None) -> Tensor:
        """x (B, C, H, W), condition (B,), class_labels (B,) or None -> a tensor of x's shape."""
        level = torch.stack([condition, (torch.pi * condition).sin()], dim=1)
        labels = torch.full_like(condition, self.num_classes or 0).long() if class_labels is None else class_labels
        h = self.first(x)
        for layer, moved in zip(self.layers, self.levels, strict=True):
            h = h + layer(nn.functional.silu(h + (moved(level) + self.classes(labels))[..., None, None]))
        return self.last(h)


def build(in_channels: int, num_classes: int | None) -> nn.Module:
    """What `--network own_network:build` calls; with parameters `space` and `conditions` it gets these shapes of the data too."""
    return Convolutions(in_channels, num_classes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=2000)
    chosen = parser.parse_args()
    run = train("digits", chosen.out, network="own_network:build", steps=chosen.steps, schedule="cosine", prediction="v")
    run.sample(20, steps=20, classes=["3", "8"], guidance=1.5).save(f"{chosen.out}/digits.png")
