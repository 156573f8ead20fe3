"""Trains on eight classes of the digits, then fine-tunes that network on the two others, with its first layers frozen.

    pip install diffkit-cli
    python fine_tuning.py runs

The command does the same: `diffkit train DATA --from RUN --set freeze=*down.*`.
"""

import argparse
from pathlib import Path

import torch
from diffkit_cli import train
from diffkit_trainer import Images, open_images


def digits(*chosen: int) -> Images:
    """The images of these digits, without their classes."""
    images = open_images("digits")
    assert images.labels is not None
    return Images(images.pixels[torch.isin(images.labels, torch.tensor(chosen))], name="digits")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    chosen = parser.parse_args()
    first = train(digits(*range(8)), chosen.out / "first", preset="tiny", steps=chosen.steps)
    tuned = train(digits(8, 9), chosen.out / "tuned", start_from=chosen.out / "first", freeze="down.*", steps=chosen.steps // 4)
    before, now = first.network.state_dict(), tuned.network.state_dict()
    assert all(torch.equal(now[name], before[name]) for name, _ in tuned.network.named_parameters() if name.startswith("down."))
    for run, name in ((first, "first"), (tuned, "tuned")):
        run.sample(20, steps=20).save(chosen.out / f"{name}.png")
