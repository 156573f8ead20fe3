"""Samples of one, two and three axes, bytes and floats: data, normalisation and training against closed forms."""

import math

import numpy as np
import pytest
import torch
from diffkit_schedules import Rates
from diffkit_trainer import DataError, Images, Normalisation, Trainer
from diffkit_trainer.training.batch import RandomBatch
from torch import nn

SPACES = [(16,), (4, 4), (2, 2, 4)]
RATES = Rates(0.8, 0.6)


class Filter(nn.Module):
    """A multiplier for each frequency: every linear, translation-invariant denoiser is one."""

    def __init__(self, space):
        super().__init__()
        self.axes = tuple(range(-len(space), 0))
        self.multipliers = nn.Parameter(torch.zeros(space))

    def forward(self, x, condition):
        return torch.fft.ifftn(torch.fft.fftn(x, dim=self.axes) * self.multipliers, dim=self.axes).real


def constant(t):
    """A schedule of one noise level."""
    return Rates(t * 0 + RATES.alpha, t * 0 + RATES.sigma)


def coloured(space, count, seed=0):
    """Gaussian samples (count, 1, *space) of mean 0, and the power of each frequency."""
    frequencies = np.meshgrid(*(np.fft.fftfreq(size) for size in space), indexing="ij")
    power = 1 / (0.05 + sum(each**2 for each in frequencies))
    power /= power.mean()
    white = np.random.default_rng(seed).standard_normal((count, 1, *space))
    axes = tuple(range(2, 2 + len(space)))
    return np.fft.ifftn(np.fft.fftn(white, axes=axes) * np.sqrt(power), axes=axes).real, power


@pytest.mark.parametrize("space", SPACES)
def test_a_linear_network_learns_the_wiener_filter(space):
    """By frequency eps = sigma / (alpha^2 P + sigma^2) x, with the error alpha^2 P / (alpha^2 P + sigma^2)."""
    values, power = coloured(space, 2000)
    data = Images(torch.from_numpy(values * 3 + 7).float())
    network = Filter(space)
    options = {"loss": "mse", "batch_size": 100, "lr": 0.04, "lr_schedule": "cosine", "decay_steps": 300, "weight_decay": 0.0}
    trainer = Trainer(network, data, constant, channels_last=False, **options)
    losses = [step.loss for step in trainer.run(300)]
    assert trainer.normalisation.mean == pytest.approx((7,), abs=0.2)
    assert trainer.normalisation.std == pytest.approx((3,), abs=0.1)
    noisy = RATES.alpha**2 * power + RATES.sigma**2
    assert np.abs(network.multipliers.detach().numpy() - RATES.sigma / noisy).max() < 0.04
    assert torch.stack(losses[-100:]).mean().item() == pytest.approx((RATES.alpha**2 * power / noisy).mean(), rel=0.03)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("space", SPACES)
def test_x0_is_the_normalised_sample_and_flips_reverse_the_last_axis(space, dtype):
    values = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (5, 2, *space))).to(dtype)
    trainer = Trainer(nn.Conv1d(2, 2, 1), Images(values), constant, flip=True, channels_last=False)
    unit = values.double() / (255 if dtype == torch.uint8 else 1)
    axes = (0, *range(2, values.ndim))
    mean, std = unit.mean(axes), unit.std(axes, correction=0)
    assert trainer.normalisation.mean == pytest.approx(mean.tolist(), rel=1e-12)
    assert trainer.normalisation.std == pytest.approx(std.tolist(), rel=1e-12)
    indices, flipped = torch.tensor([4, 0, 2]), torch.tensor([False, True, False])
    ones = (1,) * (1 + len(space))
    x0, *_ = trainer._data.tensors(RandomBatch(indices, torch.zeros(3, *ones), torch.zeros(3, 2, *space), flipped, None))
    expected = (unit[indices] - mean.reshape(1, 2, *ones[1:])) / std.reshape(1, 2, *ones[1:])
    expected[1] = expected[1].flip(-1)
    torch.testing.assert_close(x0, expected.float(), rtol=1e-5, atol=1e-5)
    back = trainer.normalisation.to_values(x0[::2])
    torch.testing.assert_close(back, unit[indices[::2]].float(), rtol=1e-5, atol=1e-5)


def test_fingerprints_tell_types_apart_and_those_of_bytes_are_as_before():
    zeros = torch.zeros(1, 1, 4, dtype=torch.float32)
    assert Images(zeros).fingerprint != Images(zeros.half()).fingerprint
    assert Images(zeros).fingerprint != Images(torch.zeros(1, 1, 16, dtype=torch.uint8)).fingerprint


def test_a_sample_that_is_not_finite_is_named():
    values = torch.zeros(4, 1, 8)
    values[2, 0, 3] = math.nan
    with pytest.raises(DataError, match="images: NaN or infinity in sample 2: remove"):
        Trainer(nn.Conv1d(1, 1, 1), Images(values), constant)


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (torch.zeros(2, 3), "float32 (2, 3)"),
        (torch.zeros(1, 1, 1, 1, 1, 1), "float32 (1, 1, 1, 1, 1, 1)"),
        (torch.zeros(2, 1, 4, dtype=torch.complex64), "complex64 (2, 1, 4)"),
        (torch.zeros(2, 0, 4), "float32 (2, 0, 4)"),
    ],
)
def test_what_is_no_samples_is_refused(pixels, found):
    with pytest.raises(ValueError, match="pixels must be real numbers of shape") as error:
        Images(pixels)
    assert str(error.value).endswith(f"got torch.{found}")


def test_range_is_for_bytes():
    with pytest.raises(ValueError, match=r"normalise 'range' is for uint8 pixels, got torch\.float32: use 'data'"):
        Normalisation.of(Images(torch.zeros(1, 1, 4)), "range")


def test_channels_last_is_for_images():
    with pytest.raises(ValueError, match=r"channels_last is for images \(C, H, W\), got samples \(1, 8\): leave it out"):
        Trainer(nn.Conv1d(1, 1, 1), Images(torch.zeros(2, 1, 8)), constant, channels_last=True)
