"""Samples of each class at several guidance scales.

Usage: python docs/figures/guidance.py FILE.png
"""

import sys

import torch
from diffkit_cli import open_run
from diffkit_trainer import labelled_grid, save_png

SCALES = (1.0, 1.5, 3.0, 8.0)

run = open_run(device="cpu")
rows = torch.cat([run.sample(10, classes=run.classes, guidance=scale, seed=10).pixels for scale in SCALES])
save_png(labelled_grid(rows, [f"scale {scale:g}" for scale in SCALES], columns=10), sys.argv[1])
