"""Generates the lower half of digits whose upper half is given, by RePaint.

    pip install diffkit-cli
    python inpainting.py inpainted.png

Writes the digits, the given halves, and three ways to complete each, a row each.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from diffkit_cli import open_run
from diffkit_samplers import inpaint, resample, seeded, trajectory
from diffkit_trainer import open_images, save_images

run = open_run("digits", device="cpu")


def halves(count: int) -> tuple[Any, Any]:
    """Digits, normalised, of shape (count, 1, 8, 8), and a mask that is true where they are given."""
    known = run.normalisation.to_network(open_images("digits").pixels[:count])
    given = torch.zeros_like(known, dtype=torch.bool)
    given[..., :4, :] = True
    return known, given


def complete(known: Any, given: Any, seed: int, steps: int = 20) -> Any:
    """Samples that equal the digits where they are given; five rounds of each step make both halves fit."""
    count = len(known)
    noise = seeded(range(seed, seed + count), like=known)
    x = run.schedule(1.0).sigma * noise(tuple(known.shape))
    denoise = inpaint(run.denoiser(), known, given)
    *_, last = trajectory(denoise, run.schedule, x, method=resample("ddim", rounds=5), steps=steps, eta=1.0, noise=noise)
    return last.x0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("inpainted.png"))
    known, given = halves(10)
    black = torch.full_like(known, float(known.min()))
    rows = [known, torch.where(given, known, black), *(complete(known, given, seed) for seed in (0, 100, 200))]
    save_images(run.normalisation.to_pixels(torch.cat(rows)), parser.parse_args().out, columns=10)


if __name__ == "__main__":
    main()
