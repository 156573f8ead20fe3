"""Half the size and back by hand."""

import pytest
import torch
from diffkit_unet.resample import Upsample, downsample
from torch.nn import functional


@pytest.mark.parametrize("size", [(6, 4), (5, 7), (1, 1), (2, 3)])
def test_an_average_is_of_the_pixels_that_are_there(size):
    x = torch.randn(2, 3, *size)
    got = downsample("average", 3)(x)
    for i in range(got.shape[2]):
        for j in range(got.shape[3]):
            torch.testing.assert_close(got[:, :, i, j], x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3)))


@pytest.mark.parametrize("size", [(6, 4), (5, 7), (6, 5)])
@pytest.mark.parametrize("kind", ["strided", "strided_same"])
def test_a_strided_convolution_has_its_zeros_where_they_belong(kind, size):
    layer, x = downsample(kind, 2), torch.randn(1, 2, *size)
    torch.nn.init.normal_(layer.bias)
    top, left = (side % 2 for side in size) if kind == "strided_same" else (1, 1)
    padded = torch.zeros(1, 2, size[0] + 3, size[1] + 3)
    padded[:, :, top : top + size[0], left : left + size[1]] = x
    got = layer(x)
    assert got.shape == (1, 2, -(-size[0] // 2), -(-size[1] // 2))
    for i in range(got.shape[2]):
        for j in range(got.shape[3]):
            patch = padded[0, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            torch.testing.assert_close(got[0, :, i, j], (layer.weight * patch).sum((1, 2, 3)) + layer.bias)


@pytest.mark.parametrize("kind", ["strided", "strided_same"])
def test_a_strided_convolution_starts_glorot_uniform(kind):
    layer = downsample(kind, 16)
    bound = (6 / (9 * 16 + 9 * 16)) ** 0.5
    assert 0.95 * bound < layer.weight.abs().max() <= bound
    assert not layer.bias.any()


def test_bilinear_pixels_have_their_values_in_the_middle():
    up, x = Upsample("bilinear", 1), torch.tensor([[[[0.0, 4.0]]]])
    assert up.conv is None
    assert up(x, (1, 4)).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]


def test_nearest_pixels_are_repeated_and_smoothed():
    up, x = Upsample("nearest", 1), torch.tensor([[[[1.0, 5.0]]]])
    torch.nn.init.ones_(up.conv.weight)
    expected = functional.conv2d(torch.tensor([[[[1.0, 1.0, 5.0, 5.0]]]]), torch.ones(1, 1, 3, 3), padding=1)
    torch.testing.assert_close(up(x, (1, 4)), expected)
    assert up.conv.kernel_size == (3, 3)
