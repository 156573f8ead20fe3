"""Pixels to the network's input and back, for both kinds of normalisation."""

import pytest
import torch
from diffkit_trainer import NORMALISATIONS, Images, Normalisation, open_images

LEVELS = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)


def test_range_gives_minus_one_to_one():
    x = Normalisation.of(Images(LEVELS), "range").to_network(LEVELS)
    torch.testing.assert_close(x, (LEVELS / 127.5 - 1).float())


def test_data_gives_mean_zero_and_variance_one():
    x = Normalisation.of(Images(LEVELS), "data").to_network(LEVELS)
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x.var(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_every_level_survives_the_round_trip(kind):
    normalisation = Normalisation.of(Images(LEVELS), kind)
    assert torch.equal(normalisation.to_pixels(normalisation.to_network(LEVELS)), LEVELS)


def test_pixels_are_scaled_by_255_and_the_mean_and_deviation_of_their_channel():
    normalisation = Normalisation((0.2, 0.5), (0.1, 0.25))
    pixels = torch.tensor([[[[51]], [[255]]]], dtype=torch.uint8)
    x = normalisation.to_network(pixels)
    torch.testing.assert_close(x.flatten(), torch.tensor([0.0, 2.0]), atol=1e-6, rtol=0)
    assert torch.equal(normalisation.to_pixels(x), pixels)


def test_pixels_are_rounded_and_clipped():
    normalisation = Normalisation((0.2, 0.5), (0.1, 0.25))
    x = torch.tensor([[[[0.55 / 25.5]], [[0.4 / 63.75]]], [[[-0.55 / 25.5]], [[9.0]]], [[[-9.0]], [[-0.4 / 63.75]]]])
    assert normalisation.to_pixels(x).flatten().tolist() == [52, 128, 50, 255, 0, 127]


def test_the_digits_are_normalised_to_mean_zero_and_variance_one():
    images = open_images("digits")
    x = Normalisation(*images.statistics()).to_network(images.pixels)
    assert x.mean().item() == pytest.approx(0, abs=1e-4)
    assert x.var().item() == pytest.approx(1, abs=1e-3)


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match=r"normalise must be one of 'data', 'range'; got 'unit'"):
        Normalisation.of(Images(LEVELS), "unit")
