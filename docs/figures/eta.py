"""Samples from the same noise with more and more noise added in each step.

Usage: python docs/figures/eta.py FILE.png
"""

import sys

import torch
from diffkit_cli import open_run
from diffkit_trainer import labelled_grid, save_png

ETAS = (0.0, 0.25, 0.5, 0.75, 1.0)

run = open_run(device="cpu")
rows = torch.cat([run.sample(10, eta=eta).pixels for eta in ETAS])
save_png(labelled_grid(rows, [f"eta {eta:g}" for eta in ETAS], columns=10), sys.argv[1])
