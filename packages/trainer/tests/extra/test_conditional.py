"""A U-Net trained on a linear-Gaussian pair: the mean and variance of x given y, sampled in one, two and three axes."""

import math

import pytest
import torch
from diffkit_samplers import denoiser, dpmpp_2m
from diffkit_schedules import cosine
from diffkit_trainer import Images, Trainer
from diffkit_unet import UNet

SLOPE, SHIFT, NOISE = 0.8, 0.5, 0.4
STEPS, SAMPLES = 200, 600


def pairs(space, count):
    """x = 3 (0.8 y + 0.5 v + 0.4 n) + 7 for a map y and one value v of each sample, n white."""
    y, v, n = torch.randn(count, 1, *space), torch.randn(count, 1), torch.randn(count, 1, *space)
    return 3 * (SLOPE * y + SHIFT * v.reshape(-1, *(1,) * (y.ndim - 1)) + NOISE * n) + 7, y, v


def trained(space):
    torch.manual_seed(0)
    x, y, v = pairs(space, 3000)
    unet = UNet(
        *(1, (8, 8), 1, 16), dims=len(space), condition="time", level="scale_shift", norm="layer", vectors={"v": 1}, maps={"y": 1}
    )
    images = Images(x, conditions={"y": 2 * y - 1, "v": 10 * v[:, 0]})
    options = {"prediction": "v", "loss": "mse", "times": "stratified", "optimiser": "muon", "lr": 1e-2, "weight_decay": 0.0}
    falling = {"lr_schedule": "cosine", "decay_steps": STEPS, "ema": 0.98, "class_dropout": 0.2}
    trainer = Trainer(unet, images, cosine(), condition="time", **options, **falling)
    for _ in trainer.run(STEPS):
        pass
    return trainer


@pytest.mark.parametrize("space", [(8,), (3, 3), (2, 2, 2)])
def test_samples_have_the_mean_and_variance_of_x_given_y(space):
    trainer = trained(space)
    _, y, v = pairs(space, SAMPLES)
    units = trainer.condition_normalisations
    given = {"y": units["y"].to_network(2 * y - 1), "v": units["v"].to_network(10 * v)}
    noise, schedule = torch.randn_like(y), cosine()

    def sampled(**conditions):
        denoise = denoiser(trainer.ema.model, schedule, "v", "time", **conditions)
        with torch.inference_mode():
            return (trainer.normalisation.to_values(dpmpp_2m(denoise, schedule, noise, steps=20)) - 7) / 3

    rows = torch.stack([y.flatten(), v.reshape(-1, *(1,) * (y.ndim - 1)).expand_as(y).flatten(), torch.ones(y.numel())], 1)

    def fitted(x):
        """The coefficients of y, v and 1 in the mean of x, and the deviation from it."""
        coefficients = torch.linalg.lstsq(rows, x.reshape(-1, 1)).solution.flatten()
        return [*coefficients.tolist(), (x.flatten() - rows @ coefficients).std().item()]

    assert fitted(sampled(**given)) == [
        *(pytest.approx(expected, abs=0.06) for expected in (SLOPE, SHIFT, 0)),
        pytest.approx(NOISE, rel=0.15),
    ]
    missing = {name: torch.full_like(value, math.nan) for name, value in given.items()}
    *coefficients, deviation = fitted(sampled(**missing))  # those of x alone
    assert coefficients == pytest.approx([0, 0, 0], abs=0.1)
    assert deviation == pytest.approx(math.sqrt(SLOPE**2 + SHIFT**2 + NOISE**2), rel=0.15)
