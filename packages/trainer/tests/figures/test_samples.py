"""Samples of any shape as pictures and as arrays."""

import numpy as np
import pytest
import torch
from diffkit_trainer import as_pixels, pixels_shape, save_arrays


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_as_they_are(channels):
    images = torch.randint(0, 256, (2, channels, 4, 5), dtype=torch.uint8)
    assert as_pixels(images) is images


def test_a_sequence_is_a_curve_from_its_smallest_value_below_to_its_largest_above():
    ramp = torch.linspace(-3, 5, 100).reshape(1, 1, 100)
    (picture,) = as_pixels(torch.cat([ramp, ramp.flip(-1)]))[:1]
    dark = (picture.float().mean(0) < 200).float()
    height = (dark * torch.arange(64)[:, None]).sum(0) / dark.sum(0)
    assert torch.allclose(height, torch.linspace(63, 0, 100), atol=1.5)


def test_slices_of_a_volume_are_side_by_side_on_one_scale():
    volume = torch.arange(4 * 2 * 3, dtype=torch.float32).reshape(1, 1, 4, 2, 3) * 255 / 23
    (picture,) = as_pixels(volume)
    expected = torch.cat([torch.cat([volume[0, 0, 0], volume[0, 0, 1]], 1), torch.cat([volume[0, 0, 2], volume[0, 0, 3]], 1)])
    assert torch.equal(picture[0], expected.round().to(torch.uint8))


def test_two_channels_of_floats_are_side_by_side_and_three_are_a_colour():
    values = torch.rand(2, 3, 4, 5)
    unit = (values - values.min()) / (values.max() - values.min())
    assert torch.equal(as_pixels(values), (255 * unit).round().to(torch.uint8))
    assert torch.equal(
        as_pixels(values[:, :1].repeat(1, 2, 1, 1))[:, :, :, :5], as_pixels(values[:, :1].repeat(1, 2, 1, 1))[..., 5:]
    )


@pytest.mark.parametrize("shape", [(1, 7), (2, 3000), (3, 4, 5), (4, 4, 5), (1, 40, 6, 5), (3, 5, 6, 5), (2, 1, 1, 1)])
def test_the_shape_of_a_picture_is_known_before(shape):
    assert as_pixels(torch.randn(2, *shape)).shape[1:] == pixels_shape(shape)


def test_constant_values_have_a_picture():
    assert as_pixels(torch.full((1, 1, 4, 4, 4), 3.0)).shape == (1, 1, 8, 8)


def test_arrays_are_numbered_and_hold_the_values(tmp_path):
    values = torch.randn(3, 2, 5)
    assert [path.name for path in save_arrays(values, tmp_path / "a", first=7)] == ["00007.npy", "00008.npy", "00009.npy"]
    assert np.array_equal(np.load(tmp_path / "a" / "00008.npy"), values[1].numpy())
