"""Restores digits of 8 x 8 pixels from blurred, overexposed images of them, by DPS: the measurement is not linear.

    pip install diffkit-cli
    python dps.py restored.png

Writes the digits, the measurements, and two samples of the digits that fit each measurement, a row each.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from diffkit_cli import open_run
from diffkit_samplers import ddpm, dps, seeded
from diffkit_trainer import open_images, save_images

SIGMA_Y = 0.05
KERNEL = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16


def exposed(x: Any) -> Any:
    """The measurement A: a blur, and a film that saturates."""
    return torch.tanh(torch.nn.functional.conv2d(x, KERNEL, padding=1))


def restore(count: int = 10, steps: int = 100, run: str = "digits") -> list[Any]:
    """The digits, the measurements and two samples of each, all of shape (count, 1, 8, 8)."""
    model = open_run(run, device="cpu")
    x0 = model.normalisation.to_network(open_images("digits").pixels[:count])
    y = exposed(x0) + SIGMA_Y * seeded(range(count), like=x0)(tuple(x0.shape))
    given = dps(model.denoiser(), model.schedule, exposed, y, sigma_y=SIGMA_Y)
    samples = []
    for sample in range(2):
        noise = seeded(range(1000 * sample, 1000 * sample + count), like=x0)
        x = model.schedule(1.0).sigma * noise(tuple(x0.shape))
        samples.append(ddpm(given, model.schedule, x, steps=steps, noise=noise))
    return [x0, y, *samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("restored.png"))
    x0, *others = restore()
    pixels = open_run("digits", device="cpu").normalisation.to_pixels(torch.cat([x0, *others]))
    save_images(pixels, parser.parse_args().out, columns=len(x0))


if __name__ == "__main__":
    main()
