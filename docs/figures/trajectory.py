"""The states and the estimates of x0 along one sampling.

Usage: python docs/figures/trajectory.py FILE.png
"""

import sys

import torch
from diffkit_cli import open_run
from diffkit_samplers import seeded, trajectory
from diffkit_trainer import labelled_grid, save_png

run = open_run(device="cpu")
x = run.schedule(1.0).sigma * seeded([2], like=next(run.network.parameters()))((1, *run.shape))
states = list(trajectory(run.denoiser([7]), run.schedule, x, steps=10))
rows = torch.cat([*(state.x for state in states), *(state.x0 for state in states)])
captions = [f"t = {state.t:.1f}" for state in states]
image = labelled_grid(run.normalisation.to_pixels(rows), ["x", "x0"], columns=len(states), captions=captions * 2)
save_png(image, sys.argv[1])
