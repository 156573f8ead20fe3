"""Trains on images with numbers, here how bright each digit is, and samples images of the numbers asked for.

    pip install diffkit-cli
    python vector_conditions.py runs/brightness

The command does the same with a table: `diffkit train FOLDER --table numbers.csv --columns brightness`, then
`diffkit sample RUN --condition brightness=0.4`. A vector is a condition too, (N, n), and so are several of them.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from diffkit_cli import train
from diffkit_trainer import open_images

ASKED = [0.2, 0.3, 0.4]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    chosen = parser.parse_args()
    digits = open_images("digits")
    brightness = digits.pixels.float().mean(dim=(1, 2, 3)) / 255
    run = train(replace(digits, conditions={"brightness": brightness}), chosen.out, class_dropout=None, steps=chosen.steps)
    made = run.sample(60, steps=20, conditions={"brightness": list(ASKED)}, guidance=1.5)
    made.save(chosen.out / "asked.png")  # captions say what was asked for
    for i, asked in enumerate(ASKED):
        found = made.pixels[i :: len(ASKED)].float().mean() / 255
        print(f"brightness {asked}: {found:.3f} on average")
