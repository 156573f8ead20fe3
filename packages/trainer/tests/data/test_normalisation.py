"""From pixels to what the network sees, and back: the closed forms of both kinds."""

import pytest
import torch
from diffkit_trainer import Images, Normalisation

LEVELS = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)


def test_range_is_minus_one_to_one():
    x = Normalisation.of(Images(LEVELS), "range").to_network(LEVELS)
    torch.testing.assert_close(x, (LEVELS / 127.5 - 1).float())


def test_data_has_mean_zero_and_variance_one():
    x = Normalisation.of(Images(LEVELS), "data").to_network(LEVELS)
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x.var(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["data", "range"])
def test_every_level_comes_back(kind):
    normalisation = Normalisation.of(Images(LEVELS), kind)
    assert torch.equal(normalisation.to_pixels(normalisation.to_network(LEVELS)), LEVELS)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"normalise must be one of 'data', 'range'; got 'unit'"):
        Normalisation.of(Images(LEVELS), "unit")
