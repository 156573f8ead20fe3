"""Restores digits of 8 x 8 pixels from noisy averages of 2 x 2 pixels each: super-resolution by PiGDM.

    pip install diffkit-cli
    python pigdm.py restored.png

Writes the digits, the measurements, and two samples of the digits that fit each measurement, a row each.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from diffkit_cli import open_run
from diffkit_samplers import ddpm, pigdm, seeded
from diffkit_trainer import open_images, save_images

SIGMA_Y = 0.1


def averages(x: Any) -> Any:
    """The measurement A; its transpose follows by differentiation."""
    return torch.nn.functional.avg_pool2d(x, 2)


def restore(count: int = 10, steps: int = 40, run: str = "digits") -> list[Any]:
    """The digits, the measurements and two samples of each, all x0 of shape (count, 1, ...)."""
    model = open_run(run, device="cpu")
    x0 = model.normalisation.to_network(open_images("digits").pixels[:count])
    y = averages(x0) + SIGMA_Y * seeded(range(count), like=x0)((count, 1, 4, 4))
    given = pigdm(model.denoiser(), model.schedule, averages, y, sigma_y=SIGMA_Y)
    samples = []
    for sample in range(2):
        noise = seeded(range(1000 * sample, 1000 * sample + count), like=x0)
        x = model.schedule(1.0).sigma * noise(tuple(x0.shape))
        samples.append(ddpm(given, model.schedule, x, steps=steps, noise=noise))
    return [x0, y, *samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("restored.png"))
    x0, y, *samples = restore()
    rows = [x0, y.repeat_interleave(2, 2).repeat_interleave(2, 3), *samples]
    normalisation = open_run("digits", device="cpu").normalisation
    save_images(normalisation.to_pixels(torch.cat(rows)), parser.parse_args().out, columns=len(x0))


if __name__ == "__main__":
    main()
