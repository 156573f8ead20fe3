"""A digit as noise is added, in up to 1,000 small steps and in one.

Usage: python docs/figures/forward_process.py FILE.png
"""

import sys

import numpy as np
import torch
from diffkit_schedules import add_noise, linear_betas
from diffkit_trainer import labelled_grid, open_images, save_png

COUNTS = (0, 10, 50, 100, 150, 200, 300, 400, 600, 999)

schedule = linear_betas(T=1000)
x0 = 2 * open_images("digits").pixels[5:6].double() / 255 - 1
random = torch.Generator().manual_seed(0)


def noise() -> torch.Tensor:
    return torch.randn(x0.shape, generator=random, dtype=x0.dtype)


x, small_steps = x0, [x0]
for beta in np.asarray(schedule):
    x = (1 - beta) ** 0.5 * x + beta**0.5 * noise()
    small_steps.append(x)
one_step = [x0 if k == 0 else add_noise(x0, noise(), schedule(k / 1000)) for k in COUNTS]
rows = torch.cat([*(small_steps[k] for k in COUNTS), *one_step])
pixels = ((rows + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
image = labelled_grid(
    pixels, ["small steps", "one step"], columns=len(COUNTS), captions=[f"{k} of 1000" for k in COUNTS] * 2, scale=8
)
save_png(image, sys.argv[1])
