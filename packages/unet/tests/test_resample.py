"""Down- and upsampling against values computed by hand."""

import pytest
import torch
from diffkit_unet.patches import from_patches, to_patches
from diffkit_unet.resample import Upsample, downsample
from torch.nn import functional


def with_ones(layer):
    """The layer with every weight 1 and every bias 0."""
    for name, parameter in layer.named_parameters():
        torch.nn.init.constant_(parameter, float(name.endswith("weight")))
    return layer


@pytest.mark.parametrize("size", [(4, 4), (5, 4), (3, 3), (1, 2)])
@pytest.mark.parametrize("kind", ["average", "strided", "strided_same"])
def test_downsampling_by_hand(kind, size):
    """With weights of 1 a convolution is the sum of the pixels in its window."""
    torch.manual_seed(0)
    layer, x = with_ones(downsample(kind, 1)), torch.randn(2, 1, *size)
    got = layer(x)
    height, width = size
    for i in range(-(-height // 2)):
        for j in range(-(-width // 2)):
            if kind == "average":
                rows, columns = range(2 * i, min(2 * i + 2, height)), range(2 * j, min(2 * j + 2, width))
            else:
                # for an even side SAME pads only the right and the bottom: a window begins one pixel later
                later = [kind == "strided_same" and side % 2 == 0 for side in size]
                rows = range(max(2 * i - 1 + later[0], 0), min(2 * i + 2 + later[0], height))
                columns = range(max(2 * j - 1 + later[1], 0), min(2 * j + 2 + later[1], width))
            window = x[:, 0, rows.start : rows.stop, columns.start : columns.stop]
            expected = window.mean((1, 2)) if kind == "average" else window.sum((1, 2))
            torch.testing.assert_close(got[:, 0, i, j], expected)
    assert got.shape[2:] == (-(-height // 2), -(-width // 2))


@pytest.mark.parametrize("size", [(6, 4), (5, 7), (6, 5)])
@pytest.mark.parametrize("kind", ["strided", "strided_same"])
def test_strided_convolution_pads_the_right_sides(kind, size):
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
def test_strided_convolution_is_initialised_glorot_uniform(kind):
    layer = downsample(kind, 16)
    bound = (6 / (9 * 16 + 9 * 16)) ** 0.5
    assert 0.95 * bound < layer.weight.abs().max() <= bound
    assert not layer.bias.any()


def test_strided_same_is_tensorflow_s_padding():
    layer, x = downsample("strided_same", 1), torch.randn(1, 1, 6, 5)
    expected = functional.conv2d(functional.pad(x, (1, 1, 0, 1)), layer.weight, stride=2)  # even: at the end; odd: both sides
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (6, 6)])
@pytest.mark.parametrize("kind", ["average", "strided", "strided_same"])
def test_upsampling_restores_the_size(kind, size):
    x = torch.randn(2, 4, *size)
    small = downsample(kind, 4)(x)
    assert small.shape == (2, 4, -(-size[0] // 2), -(-size[1] // 2))
    for up in ("bilinear", "nearest"):
        assert Upsample(up, 4)(small, size).shape == x.shape


def test_bilinear_values_lie_at_pixel_centres():
    up, x = Upsample("bilinear", 1), torch.tensor([[[[0.0, 4.0]]]])
    assert up.conv is None
    assert up(x, (1, 4)).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]


def test_nearest_repeats_pixels_then_convolves():
    up, x = Upsample("nearest", 1), torch.tensor([[[[1.0, 5.0]]]])
    torch.nn.init.ones_(up.conv.weight)
    expected = functional.conv2d(torch.tensor([[[[1.0, 1.0, 5.0, 5.0]]]]), torch.ones(1, 1, 3, 3), padding=1)
    torch.testing.assert_close(up(x, (1, 4)), expected)
    assert up.conv.kernel_size == (3, 3)


def test_nearest_to_an_odd_size():
    up, x = Upsample("nearest", 2), torch.randn(1, 2, 3, 4)
    repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(up(x, (6, 8)), up.conv(repeated))
    torch.testing.assert_close(up(x, (5, 7)), up.conv(repeated[:, :, :5, :7]))


def test_patches_hold_their_pixels_in_rows_and_repeat_the_edge():
    x = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[7.0, 8.0, 9.0], [10.0, 11.0, 12.0]]]])
    expected = [[1, 3], [2, 3], [4, 6], [5, 6], [7, 9], [8, 9], [10, 12], [11, 12]]
    assert to_patches(x, 2).tolist() == [[[row] for row in expected]]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (6, 7)])
@pytest.mark.parametrize("patch", [1, 2, 3])
def test_patches_and_back(size, patch):
    x = torch.randn(2, 3, *size)
    patches = to_patches(x, patch)
    assert patches.shape == (2, 3 * patch**2, -(-size[0] // patch), -(-size[1] // patch))
    assert torch.equal(from_patches(patches, patch, size), x)
