"""Trains a class-conditional network on the digits, and samples every class at several guidance scales.

    pip install diffkit-trainer diffkit-samplers diffkit-unet
    python class_guidance.py guided.png --steps 1500        about two minutes on two cores

Writes a row for each scale and a column for each digit.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from diffkit_samplers import denoiser, dpmpp_2m, guide, seeded
from diffkit_schedules import cosine
from diffkit_trainer import Trainer, labelled_grid, open_images, save_png
from diffkit_unet import preset

SCALES = (1.0, 2.0, 4.0)
DIGITS = torch.arange(10)


def train(steps: int) -> Trainer:
    """A trainer after this number of updates; a tenth of the labels is dropped, so that it learns the null class too."""
    network = preset("small", in_channels=1, num_classes=10)
    options: dict[str, Any] = {"prediction": "v", "loss": "mse", "lr": 2e-3, "lr_schedule": "cosine", "decay_steps": steps}
    trainer = Trainer(network, open_images("digits"), cosine(), class_dropout=0.1, ema=0.99, **options)
    for step in trainer.run(steps):
        if step.step % 100 == 0:
            print(f"step {step.step}: loss {float(step.loss):.3f}")
    return trainer


def sample(trainer: Trainer, scale: float) -> Any:
    """Each digit once, as pixels (10, 1, 8, 8): the same noise for every scale."""
    network = trainer.ema.model.eval()
    cond = denoiser(network, trainer.schedule, "v", class_labels=DIGITS)
    uncond = denoiser(network, trainer.schedule, "v", class_labels=torch.full_like(DIGITS, 10))
    x = seeded(DIGITS.tolist(), like=torch.zeros(1))((10, 1, 8, 8))
    x0 = dpmpp_2m(guide(cond, uncond, scale), trainer.schedule, x, steps=20)
    return trainer.normalisation.to_pixels(x0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("guided.png"))
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    trainer = train(options.steps)
    rows = torch.cat([sample(trainer, scale) for scale in SCALES])
    save_png(labelled_grid(rows, [f"scale {scale:g}" for scale in SCALES], columns=10), options.out)


if __name__ == "__main__":
    main()
