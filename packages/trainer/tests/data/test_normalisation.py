"""Pixels to the network's input and back, for both kinds of normalisation."""

import pytest
import torch
from diffkit_trainer import NORMALISATIONS, Images, Normalisation

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


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match=r"normalise must be one of 'data', 'range'; got 'unit'"):
        Normalisation.of(Images(LEVELS), "unit")
