"""The tutorial's network in torch's own layers, not optimised: the baseline of unet_speed.py."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS, DEPTH, EMBEDDING = (32, 64, 96, 128), 2, 32


class Residual(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.skip = nn.Identity() if channels == width else nn.Conv2d(channels, width, 1)
        self.main = nn.Sequential(
            *(nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01, affine=False), nn.Conv2d(channels, width, 3, padding=1)),
            *(nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.main(x)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        *sides, bottom = WIDTHS
        self.image, self.out = nn.Conv2d(3, WIDTHS[0], 1), nn.Conv2d(WIDTHS[0], 3, 1)
        self.down, self.up, channels = nn.ModuleList(), nn.ModuleList(), WIDTHS[0] + EMBEDDING
        for width in sides:
            self.down.append(nn.ModuleList(Residual(width if i else channels, width) for i in range(DEPTH)))
            channels = width
        self.middle = nn.ModuleList(Residual(bottom if i else channels, bottom) for i in range(DEPTH))
        channels = bottom
        for width in reversed(sides):
            self.up.append(nn.ModuleList(Residual((width if i else channels) + width, width) for i in range(DEPTH)))
            channels = width

    def forward(self, x: Tensor, variance: Tensor) -> Tensor:
        frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), EMBEDDING // 2))
        angles = 2 * math.pi * frequencies * variance[:, None]
        level = torch.cat([angles.sin(), angles.cos()], dim=1)[:, :, None, None]
        x, skips = torch.cat([self.image(x), level.expand(-1, -1, *x.shape[2:])], dim=1), []
        for blocks in self.down:
            for block in blocks.children():
                x = block(x)
                skips.append(x)
            x = functional.avg_pool2d(x, 2)
        for block in self.middle:
            x = block(x)
        for blocks in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
            for block in blocks.children():
                x = block(torch.cat([x, skips.pop()], dim=1))
        return self.out(x)
